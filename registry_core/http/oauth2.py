"""`/oauth2/token` and `/oauth2/exchange`: access and refresh tokens, as ACR issues them.

`/oauth2/keys`: the public keys that this region signs them with.

`GET` with Basic (docker, skopeo, oras), `POST` with a form (containerd, `az acr`, Azure's SDKs).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from registry_core.auth import basic
from registry_core.auth.entra import EntraRefused
from registry_core.auth.identity import Caller, Identity, IdentityKind
from registry_core.auth.sign_in import NULL_GUID
from registry_core.auth.tokens import ACCESS_LIFE, TokenInvalid
from registry_core.errors import GrantUnsupported, Unauthorized, UnknownRoute, Unsupported
from registry_core.http import authentication, bodies
from registry_core.http.exchange import Query
from registry_core.model.scope import parse_scopes
from registry_core.registry import Registry

_MAX_FORM = 128 * 1024
_FORM = "application/x-www-form-urlencoded"


@dataclass
class Attempt:
    """A sign-in, for the record."""

    name: str = ""
    """Who it says it is."""
    identity: Identity | None = None
    """Who it is."""


async def answer(registry: Registry, request: Request, path: str, attempt: Attempt) -> Response:
    """Answers a request to `/oauth2` plus `path`."""
    endpoints = _ENDPOINTS.get(path.rstrip("/"))
    if endpoints is None:
        raise UnknownRoute
    endpoint = endpoints.get(request.method)
    if endpoint is None:
        allowed = ", ".join(sorted(endpoints))
        raise Unsupported(f"{request.method} is not supported here", headers={"Allow": allowed})
    await registry.open()
    return await endpoint(registry, request, attempt)


def is_sign_in(path: str, method: str) -> bool:
    """Whether somebody tries to sign in so: the keys are open to all, and other paths are none."""
    path = path.rstrip("/")
    return path != "/keys" and method in _ENDPOINTS.get(path, ())


async def _get_token(registry: Registry, request: Request, attempt: Attempt) -> Response:
    query = Query.of_form(request.scope["query_string"].decode("latin-1"))
    header = request.headers.get("authorization")
    refresh_token = ""
    if header is None:
        caller = _anonymous(registry)
    else:
        username, password = basic.credentials(header) or ("", "")
        attempt.name = username
        found = await authentication.sign_in(registry, request, username, password, fresh=True)
        if found is None:
            raise Unauthorized
        caller = found
        # For `az acr login` alone: docker stores it in the password's place.
        if username == NULL_GUID and query.get("offline_token") == "true":
            refresh_token = password if caller.not_after is None else ""
    return await _token(registry, caller, query, attempt, refresh_token)


async def _post_token(registry: Registry, request: Request, attempt: Attempt) -> Response:
    form = await _form(request)
    grant = form.get("grant_type")
    if grant == "refresh_token":
        attempt.name = NULL_GUID
        try:
            caller = await registry.sign_in.refresh(form.get("refresh_token") or "")
        except TokenInvalid as error:
            raise Unauthorized from error
    elif grant == "password":
        username, password = form.get("username"), form.get("password")
        attempt.name = username or ""
        if username is None and password is None:
            caller = _anonymous(registry)
        else:
            found = await authentication.sign_in(
                registry, request, username or "", password or "", fresh=True
            )
            if found is None:
                raise Unauthorized
            caller = found
    else:
        raise GrantUnsupported("grant_type is password or refresh_token")
    return await _token(registry, caller, form, attempt)


def _anonymous(registry: Registry) -> Caller:
    """Who brings nothing, if that allows anything at all."""
    anonymous = registry.anonymous
    if not anonymous.grants.repositories:
        raise Unauthorized
    return anonymous


async def _token(
    registry: Registry, caller: Caller, fields: Query, attempt: Attempt, refresh_token: str = ""
) -> Response:
    attempt.identity = caller.identity
    _check_service(registry, fields)
    token = await registry.sign_in.issue(caller, parse_scopes(fields.all("scope")))
    life = int(ACCESS_LIFE.total_seconds())
    if caller.not_after is not None:
        life = max(1, min(life, caller.not_after - int(time.time())))
    # Clients older than OAuth's name read `token` alone (distribution, "Token Response Fields").
    document: dict[str, object] = {"access_token": token, "token": token, "expires_in": life}
    if refresh_token and caller.identity.kind is IdentityKind.ENTRA:
        document["refresh_token"] = refresh_token
    return JSONResponse(document)


async def _post_exchange(registry: Registry, request: Request, attempt: Attempt) -> Response:
    form = await _form(request)
    _check_service(registry, form)
    token = form.get("access_token")
    if form.get("grant_type") not in ("access_token", "access_token_refresh_token") or not token:
        raise GrantUnsupported("grant_type is access_token, with an access_token of Entra ID")
    try:
        attempt.identity, refresh_token = await registry.sign_in.exchange(token)
    except EntraRefused as error:
        raise Unauthorized("retrieving permissions failed") from error
    attempt.name = attempt.identity.name
    return JSONResponse({"refresh_token": refresh_token})


async def _get_keys(registry: Registry, _: Request, __: Attempt) -> Response:
    """The public keys of this region's tokens (RFC 7517), for the others; open to all."""
    published = await registry.signing_keys.published()
    headers = {"Cache-Control": "public, max-age=300"}
    return JSONResponse({"keys": [key.jwk for key in published]}, headers=headers)


def _check_service(registry: Registry, fields: Query) -> None:
    service = fields.get("service")
    if service and service.lower() not in registry.settings.login_servers:
        raise GrantUnsupported(
            "service is not a name of this registry (REGISTRY_LOGIN_SERVERS)",
            detail={"service": service[:200]},
        )


async def _form(request: Request) -> Query:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != _FORM:
        raise GrantUnsupported(f"the request's body is a form: {_FORM}")
    content = await bodies.read_limited(request, _MAX_FORM, "the form")
    return Query.of_form(content.decode("latin-1"))


_Endpoint = Callable[[Registry, Request, Attempt], Awaitable[Response]]
_ENDPOINTS: dict[str, dict[str, _Endpoint]] = {
    "/token": {"GET": _get_token, "POST": _post_token},
    "/exchange": {"POST": _post_exchange},
    "/keys": {"GET": _get_keys},
}
