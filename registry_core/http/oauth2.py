"""`/oauth2/token` and `/oauth2/exchange`: access and refresh tokens, as ACR issues them.

`/oauth2/keys`: the public keys that this region signs them with.

`GET` with Basic (docker, skopeo, oras), `POST` with a form (containerd, `az acr`, Azure's SDKs).
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from registry_core.auth import basic
from registry_core.auth.bearer import BearerInvalid
from registry_core.auth.entra import EntraRefused
from registry_core.auth.identity import Caller, IdentityKind
from registry_core.auth.sign_in import NULL_GUID
from registry_core.errors import GrantUnsupported, Unauthorized
from registry_core.http import authentication, bodies, cors, fields
from registry_core.http.context import Context
from registry_core.http.json_response import JsonResponse
from registry_core.http.query import Query
from registry_core.http.surface import Route, Surface
from registry_core.model.requests import RequestKind
from registry_core.model.scope import parse_scopes

_MAX_FORM = 128 * 1024
_FORM = "application/x-www-form-urlencoded"
_SIGN_IN = (RequestKind.SIGN_IN,)


async def get_token(context: Context) -> Response:
    """An access token, for the user name and password of Basic, or for anybody without them."""
    query, header = context.query, fields.first(context.request, b"authorization")
    refresh_token = ""
    if header is None:
        caller = _anonymous(context)
    else:
        username, password = basic.credentials(header) or ("", "")
        caller = await _signed_in(context, username, password)
        # For `az acr login` alone: docker stores it in the password's place.
        if username == NULL_GUID and query.get("offline_token") == "true":
            refresh_token = password if caller.not_after is None else ""
    return await _token(context, caller, query, refresh_token)


async def post_token(context: Context) -> Response:
    """An access token, for a refresh token or a user name and password in a form."""
    form = await _form(context.request)
    grant = form.get("grant_type")
    if grant == "refresh_token":
        context.journal.user_name = NULL_GUID
        try:
            caller = await context.services.sign_in.refresh(form.get("refresh_token") or "")
        except BearerInvalid as error:
            raise Unauthorized from error
    elif grant == "password":
        username, password = form.get("username"), form.get("password")
        if username is None and password is None:
            caller = _anonymous(context)
        else:
            caller = await _signed_in(context, username or "", password or "")
    else:
        raise GrantUnsupported("grant_type must be password or refresh_token")
    return await _token(context, caller, form)


def _anonymous(context: Context) -> Caller:
    """Who brings nothing, if that allows anything at all."""
    if not context.caller.grants.repositories:
        raise Unauthorized
    return context.caller


async def _signed_in(context: Context, username: str, password: str) -> Caller:
    """Who has this user name and password. Raises `Unauthorized`."""
    context.journal.user_name = username
    services, request = context.services, context.request
    found = await authentication.sign_in(services, request, username, password, fresh=True)
    if found is None:
        raise Unauthorized
    return found


async def _token(
    context: Context, caller: Caller, asked: Query, refresh_token: str = ""
) -> Response:
    context.journal.identity = caller.identity
    _check_service(context, asked)
    issued = await context.services.sign_in.issue(caller, parse_scopes(asked.all("scope")))
    token, life = issued
    # Clients older than OAuth's name read `token` alone (distribution, "Token Response Fields").
    document: dict[str, object] = {"access_token": token, "token": token, "expires_in": life}
    if refresh_token and caller.identity.kind is IdentityKind.ENTRA:
        document["refresh_token"] = refresh_token
    return JsonResponse(document)


async def post_exchange(context: Context) -> Response:
    """A refresh token, for an access token of Entra ID."""
    form = await _form(context.request)
    _check_service(context, form)
    token = form.get("access_token")
    if form.get("grant_type") not in ("access_token", "access_token_refresh_token") or not token:
        raise GrantUnsupported(
            "grant_type must be access_token, and access_token must be a token from Entra ID"
        )
    try:
        identity, refresh_token = await context.services.sign_in.exchange(token)
    except EntraRefused as error:
        raise Unauthorized("retrieving permissions failed") from error
    context.journal.identity, context.journal.user_name = identity, identity.name
    return JsonResponse({"refresh_token": refresh_token})


async def get_keys(context: Context) -> Response:
    """The public keys of this region's tokens (RFC 7517), for the others; open to all."""
    published = await context.services.signing_keys.published()
    headers = {"Cache-Control": "public, max-age=300"}
    return JsonResponse({"keys": [key.jwk for key in published]}, headers=headers)


def _check_service(context: Context, asked: Query) -> None:
    service = asked.get("service")
    if service and service.lower() not in context.services.settings.login_servers:
        raise GrantUnsupported(
            "service must be a host name of this registry (REGISTRY_LOGIN_SERVERS)",
            detail={"service": service[:200]},
        )


async def _form(request: Request) -> Query:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != _FORM:
        raise GrantUnsupported(f"the Content-Type must be {_FORM}")
    content = await bodies.read_limited(request, _MAX_FORM, "the form")
    return Query.of_form(content.decode("latin-1"))


SURFACE = Surface(
    "/oauth2",
    (
        Route("GET", "/token/*", "oauth2", None, get_token, is_sign_in=True, counts=_SIGN_IN),
        Route("POST", "/token/*", "oauth2", None, post_token, is_sign_in=True, counts=_SIGN_IN),
        Route(
            "POST", "/exchange/*", "oauth2", None, post_exchange, is_sign_in=True, counts=_SIGN_IN
        ),
        Route("GET", "/keys/*", "oauth2", None, get_keys, counts=_SIGN_IN),
    ),
    is_private=False,
    kind="oauth2",
    query=Query.of_form,
    for_pages=cors.SIGNING_IN,
)
