"""Every route, every kind of identity, repositories that exist, do not, or are another's.

A route without a row here fails the test: whoever adds one says what it takes.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest

from registry_core.access.store import Access, RoleAssignment
from registry_core.auth.identity import Identity, IdentityKind
from registry_core.auth.tokens import Tokens
from registry_core.http import routes
from registry_core.model.actions import REPOSITORY_ACTIONS, Action
from registry_core.model.names import RepositoryPattern
from registry_core.settings import EntraSettings, Settings
from registry_core.storage.cache import Cache
from tests.integration.core.support import Client, Image, connect, digest_of
from tests.integration.core.test_sign_in import NULL_GUID, Guest, basic, make_token

PATHS = {
    "base": "/v2/",
    "catalog": "/v2/_catalog",
    "tags": "/v2/{repo}/tags/list",
    "referrers": "/v2/{repo}/referrers/{digest}",
    "manifest": "/v2/{repo}/manifests/latest",
    "upload": "/v2/{repo}/blobs/uploads/",
    "upload-session": "/v2/{repo}/blobs/uploads/0f0e0d0c-0000-0000-0000-000000000000?_state=x",
    "blob": "/v2/{repo}/blobs/{digest}",
}
"""An address for each kind of route."""
NEEDS = {
    ("base", "GET"): Action.SIGN_IN,
    ("base", "HEAD"): Action.SIGN_IN,
    ("catalog", "GET"): Action.CATALOG,
    ("tags", "GET"): Action.PULL,
    ("referrers", "GET"): Action.PULL,
    ("manifest", "GET"): Action.PULL,
    ("manifest", "HEAD"): Action.PULL,
    ("manifest", "PUT"): Action.PUSH,
    ("manifest", "DELETE"): Action.DELETE,
    ("upload", "POST"): Action.PUSH,
    ("upload-session", "GET"): Action.PUSH,
    ("upload-session", "PATCH"): Action.PUSH,
    ("upload-session", "PUT"): Action.PUSH,
    ("upload-session", "DELETE"): Action.PUSH,
    ("blob", "GET"): Action.PULL,
    ("blob", "HEAD"): Action.PULL,
    ("blob", "DELETE"): Action.DELETE,
}
"""What each route and method takes. CVE-2026-61833: DELETE was allowed with push scope."""
EVERYTHING = frozenset({*REPOSITORY_ACTIONS, Action.SIGN_IN, Action.CATALOG})
SIGNED_IN = frozenset({Action.SIGN_IN})


@dataclass(frozen=True)
class World:
    """Repositories of two owners, of which one is there and one is not."""

    client: Client
    settings: Settings
    access: Access
    base: str

    @property
    def own(self) -> tuple[str, str]:
        return f"{self.base}/own/app", f"{self.base}/own/absent"

    @property
    def foreign(self) -> tuple[str, str]:
        return f"{self.base}/foreign/app", f"{self.base}/foreign/absent"

    async def token(self, *actions: str, everywhere: bool = False) -> Guest:
        """Somebody with a token for what is theirs."""
        name = f"walk-{secrets.token_hex(6)}"
        where = "*" if everywhere else f"{self.base}/own/*"
        granted = [f"repositories/{where}/{action}" for action in actions]
        return Guest(self.client, basic(name, await make_token(self.access, name, *granted)))

    async def bearer(self, guest: Guest) -> Guest:
        """The same with a token for all that there is to be asked for."""
        scopes = [f"repository:{each}:*" for each in (*self.own, *self.foreign)]
        return await guest.with_token(*scopes, "registry:catalog:*")


@pytest.fixture
async def world(client: Client, settings: Settings, repository: str) -> World:
    access = Access(client.registry.connection, Cache(timedelta(0)))
    return World(client, settings, access, repository)


async def _images(world: World) -> None:
    """The repositories as they are before each request that might change them."""
    for name in (world.own[0], world.foreign[0]):
        await world.client.push_image(name)


def _path(kind: str, repository: str) -> str:
    return PATHS[kind].format(repo=repository, digest=digest_of(b"nothing"))


async def _ask(guest: Guest, kind: str, method: str, repository: str) -> httpx.Response:
    content = Image.make().manifest if (kind, method) == ("manifest", "PUT") else b""
    return await guest.ask(method, _path(kind, repository), content=content)


async def _walk(
    world: World,
    guest: Guest,
    own: frozenset[Action],
    foreign: frozenset[Action],
    refused: int,
) -> None:
    """Asks for everything: what is allowed is not refused, and what is refused is refused alike."""
    for route in routes.ROUTES:
        for method in route.endpoints:
            action = NEEDS[route.kind, method]
            for repositories, allowed in ((world.own, own), (world.foreign, foreign)):
                answers = [await _ask(guest, route.kind, method, each) for each in repositories]
                where = (route.kind, method, repositories)
                if action in allowed:
                    statuses = {answer.status_code for answer in answers}
                    assert not statuses & {401, 403, 500}, where
                    continue
                told = {
                    (
                        answer.status_code,
                        answer.text.replace(name, ""),
                        answer.headers.get("www-authenticate", "").replace(name, ""),
                    )
                    for answer, name in zip(answers, repositories, strict=True)
                }
                assert {status for status, *_ in told} == {refused}, where
                assert len(told) == 1, where


async def test_every_route_has_a_row() -> None:
    served = {(route.kind, method) for route in routes.ROUTES for method in route.endpoints}
    assert served == NEEDS.keys()
    assert {route.kind for route in routes.ROUTES} == PATHS.keys()


async def test_nobody_may_do_anything(world: World) -> None:
    await _images(world)
    nothing: frozenset[Action] = frozenset()
    for authorization in ("", basic("admin", "wrong"), basic("nobody-here", "x"), "Bearer x.y.z"):
        await _walk(world, Guest(world.client, authorization), nothing, nothing, 401)


async def test_the_admin_may_do_everything(world: World) -> None:
    assert world.settings.admin
    admin = world.settings.admin
    guest = Guest(world.client, basic(admin.username, admin.passwords[0]))
    for each in (guest, await world.bearer(guest)):
        await _images(world)
        await _walk(world, each, EVERYTHING, EVERYTHING, 403)


TOKENS = {
    "content/read": {Action.PULL},
    "content/write": {Action.PUSH},
    "content/delete": {Action.DELETE},
    "metadata/read": {Action.METADATA_READ},
    "metadata/write": {Action.METADATA_WRITE},
}


@pytest.mark.parametrize("action", TOKENS)
async def test_a_token_may_do_one_thing_where_it_is_allowed_and_nothing_elsewhere(
    world: World, action: str
) -> None:
    await _images(world)
    guest = await world.token(action)
    may = SIGNED_IN | TOKENS[action]
    await _walk(world, guest, may, SIGNED_IN, 403)
    await _walk(world, await world.bearer(guest), may, SIGNED_IN, 401)


async def test_a_token_for_everything_lists_no_repositories(world: World) -> None:
    await _images(world)
    guest = await world.token(*TOKENS, everywhere=True)
    may = EVERYTHING - {Action.CATALOG}
    await _walk(world, await world.bearer(guest), may, may, 401)


@pytest.fixture
async def open_instance(world: World) -> AsyncIterator[Client]:
    public = (RepositoryPattern(f"{world.base}/own/*"),)
    async with connect(replace(world.settings, anonymous_pull=public)) as client:
        yield client


async def test_anybody_may_pull_what_is_open(world: World, open_instance: Client) -> None:
    await _images(world)
    pull = frozenset({Action.PULL})
    guest = Guest(open_instance)
    await _walk(world, guest, pull, frozenset(), 401)
    await _walk(world, await world.bearer(guest), pull | SIGNED_IN, SIGNED_IN, 401)


ENTRA = {
    "AcrPull": {Action.PULL, Action.METADATA_READ},
    "AcrPush": {Action.PULL, Action.PUSH, Action.METADATA_READ, Action.METADATA_WRITE},
    "AcrDelete": {Action.DELETE, Action.METADATA_READ},
    "Owner": set(REPOSITORY_ACTIONS),
}


@pytest.mark.parametrize("role", ENTRA)
async def test_somebody_of_entra_id_may_do_what_their_role_says(world: World, role: str) -> None:
    """Signed in with a refresh token, as the exchange of a token of Entra ID gives it."""
    await _images(world)
    tenant, object_id = str(uuid.uuid4()), str(uuid.uuid4())
    pattern = RepositoryPattern(f"{world.base}/own/*")
    await world.access.add_assignment(RoleAssignment(object_id, role, pattern))
    settings = replace(world.settings, entra=EntraSettings(tenant))
    async with connect(settings) as client:
        registry = client.registry
        tokens = Tokens(registry.signing_keys, settings.login_servers)
        identity = Identity(IdentityKind.ENTRA, "jo@example.com", object_id, tenant)
        refresh = await tokens.issue_refresh(identity, groups=[], roles=[])
        guest = Guest(client, basic(NULL_GUID, refresh))
        may = SIGNED_IN | ENTRA[role]
        await _walk(world, guest, may, SIGNED_IN, 403)
        await _walk(world, await world.bearer(guest), may, SIGNED_IN, 401)
