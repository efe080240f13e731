"""Who a request comes from: its `Authorization` header, and the 401 where that is not enough."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from registry_core.auth import basic, challenge
from registry_core.auth.bearer import BearerInvalid
from registry_core.auth.identity import Caller, Means
from registry_core.auth.sign_in import admin_caller
from registry_core.errors import Denied, Unauthorized
from registry_core.http import addresses, fields
from registry_core.model.actions import REGISTRY_ACTIONS, Action
from registry_core.model.names import RepositoryName
from registry_core.registry import Registry, Services
from registry_core.settings import Settings

_MESSAGE = "authentication required"


async def authenticate(registry: Registry, request: Request) -> Caller | None:
    """Who the request comes from, whoever brings nothing included; None if what it brings is wrong.

    A wrong password is answered late, the later the more of them came from the same address.
    """
    header = fields.first(request, b"authorization")
    if header is None:
        return registry.anonymous
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        services = await registry.open()
        try:
            return await services.sign_in.bearer(token.strip())
        except BearerInvalid:
            return None
    found = basic.credentials(header)
    if found is None:
        return None
    settings = registry.settings
    if not _is_admin(settings, found[0]):
        return await sign_in(await registry.open(), request, *found, fresh=False)
    admin = admin_caller(settings, *found)
    if admin is None:
        await registry.throttle.failed(addresses.source(request, settings))
    return admin


async def sign_in(
    services: Services, request: Request, username: str, password: str, *, fresh: bool
) -> Caller | None:
    """Who has this user name and password; None, after a while, if they are wrong."""
    settings, throttle = services.settings, services.throttle
    source = addresses.source(request, settings)
    caller = admin_caller(settings, username, password)
    if caller is None and not _is_admin(settings, username):
        held_off = throttle.held_off(source)
        caller = await services.sign_in.password(username, password, fresh=fresh, held_off=held_off)
    if caller is None:
        await throttle.failed(source)
    return caller


def _is_admin(settings: Settings, username: str) -> bool:
    """Whether it is the admin's user name: then storage need not be asked."""
    return settings.admin is not None and settings.admin.username == username


def refusal(
    settings: Settings,
    request: Request,
    caller: Caller | None,
    scope: Sequence[Action],
    repository: RepositoryName | None,
    also: RepositoryName | None = None,
) -> Unauthorized | Denied:
    """The answer to somebody who may not do something: how to sign in, or that it is of no use.

    With a token: get another, for the actions `scope`. With a password: it would be the same
    again, so 403. Whether the repository exists plays no part. `also` is one that has to be pulled
    from, besides.
    """
    if caller is not None and caller.means is Means.BASIC:
        return Denied()
    error = ""
    if caller is None:
        header = fields.first(request, b"authorization") or ""
        error = "invalid_token" if header[:7].lower() == "bearer " else ""
    elif caller.means is Means.BEARER:
        error = "insufficient_scope"
    text, detail = _text(scope, repository), _detail(scope, repository)
    if also:
        text += f" {_text([Action.PULL], also)}"
        detail = [*(detail or ()), *(_detail([Action.PULL], also) or ())]
    value = challenge_of(settings, request, text, error)
    return Unauthorized(_MESSAGE, detail=detail, headers={"WWW-Authenticate": value})


def _text(scope: Sequence[Action], repository: RepositoryName | None) -> str:
    """The scope that a client needs for some actions."""
    if of_registry := REGISTRY_ACTIONS.intersection(scope):
        return f"registry:{min(of_registry)}:*"
    return f"repository:{repository}:{','.join(scope)}" if repository else ""


def challenge_of(settings: Settings, request: Request, scope: str = "", error: str = "") -> str:
    """`WWW-Authenticate`: where to get a token, under the name that the client used."""
    server = addresses.login_server(request, settings.login_servers)
    return challenge.bearer(server, addresses.scheme(request), scope, error)


def _detail(
    scope: Sequence[Action], repository: RepositoryName | None
) -> list[dict[str, str]] | None:
    """What is missing, one entry an action, as ACR tells it."""
    if of_registry := REGISTRY_ACTIONS.intersection(scope):
        return [{"Type": "registry", "Name": min(of_registry), "Action": "*"}]
    if repository is None:
        return None
    return [{"Type": "repository", "Name": str(repository), "Action": each} for each in scope]
