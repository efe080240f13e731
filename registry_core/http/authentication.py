"""Who a request comes from: its `Authorization` header, and the 401 where that is not enough."""

from __future__ import annotations

from starlette.requests import Request

from registry_core.auth import basic, challenge
from registry_core.auth.identity import Caller, Means
from registry_core.auth.sign_in import admin_caller
from registry_core.auth.tokens import TokenInvalid
from registry_core.errors import Denied, Unauthorized
from registry_core.http import addresses
from registry_core.model.actions import Action
from registry_core.model.names import RepositoryName
from registry_core.registry import Registry

_MESSAGE = "authentication required"
_SCOPES = {Action.PUSH: (Action.PULL, Action.PUSH)}


async def authenticate(registry: Registry, request: Request) -> Caller | None:
    """Who the request comes from, whoever brings nothing included; None if what it brings is wrong.

    A wrong password is answered late, the later the more of them came from the same address.
    """
    header = request.headers.get("authorization")
    if header is None:
        return registry.anonymous
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        await registry.open()
        try:
            return await registry.sign_in.bearer(token.strip())
        except TokenInvalid:
            return None
    found = basic.credentials(header)
    return await sign_in(registry, request, *found, fresh=False) if found else None


async def sign_in(
    registry: Registry, request: Request, username: str, password: str, *, fresh: bool
) -> Caller | None:
    """Who has this user name and password; None, after a while, if they are wrong."""
    source = addresses.caller_address(request, registry.settings.trusted_proxies)
    caller = admin_caller(registry.settings, username, password)
    admin = registry.settings.admin
    if caller is None and not (admin and admin.username == username):
        await registry.open()
        held_off = registry.back_off.held_off(source)
        caller = await registry.sign_in.password(username, password, fresh=fresh, held_off=held_off)
    if caller is None:
        await registry.back_off.failed(source)
    return caller


def scope_of(action: Action, repository: RepositoryName | None) -> str:
    """The scope that a client needs for an action."""
    if action is Action.CATALOG:
        return "registry:catalog:*"
    if repository is None:
        return ""
    return f"repository:{repository}:{','.join(_SCOPES.get(action, (action,)))}"


def refusal(
    registry: Registry,
    request: Request,
    caller: Caller | None,
    action: Action,
    repository: RepositoryName | None,
    also: RepositoryName | None = None,
) -> Unauthorized | Denied:
    """The answer to somebody who may not do `action`: how to sign in, or that it is of no use.

    With a token: get another. With a password: it would be the same again, so 403. Whether the
    repository exists plays no part. `also` is one that has to be pulled from, besides.
    """
    if caller is not None and caller.means is Means.BASIC:
        return Denied()
    error = ""
    if caller is None:
        header = request.headers.get("authorization", "")
        error = "invalid_token" if header[:7].lower() == "bearer " else ""
    elif caller.means is Means.BEARER:
        error = "insufficient_scope"
    scope, detail = scope_of(action, repository), _detail(action, repository)
    if also:
        scope += f" {scope_of(Action.PULL, also)}"
        detail = [*(detail or ()), *(_detail(Action.PULL, also) or ())]
    value = challenge_of(registry, request, scope, error)
    return Unauthorized(_MESSAGE, detail=detail, headers={"WWW-Authenticate": value})


def challenge_of(registry: Registry, request: Request, scope: str = "", error: str = "") -> str:
    """`WWW-Authenticate`: where to get a token, under the name that the client used."""
    server = addresses.login_server(request, registry.settings.login_servers)
    return challenge.bearer(server, addresses.scheme(request), scope, error)


def _detail(action: Action, repository: RepositoryName | None) -> list[dict[str, str]] | None:
    """What is missing, one entry an action, as ACR tells it."""
    if action is Action.CATALOG:
        return [{"Type": "registry", "Name": "catalog", "Action": "*"}]
    if repository is None:
        return None
    needed = _SCOPES.get(action, (action,))
    return [{"Type": "repository", "Name": str(repository), "Action": each} for each in needed]
