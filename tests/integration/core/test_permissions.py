"""Every route, every kind of identity, repositories that exist, do not, or are another's.

What each route takes is what its row in the table says: here it is held against what real tokens,
passwords and roles get. `docs/protocol.md` says it for people, and is held against the table, too.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest

from registry_core.access.role_assignments import RoleAssignment
from registry_core.access.store import Access
from registry_core.auth.bearer import BearerTokens
from registry_core.auth.identity import Identity, IdentityKind
from registry_core.http.surface import Route, Surface
from registry_core.http.surfaces import SURFACES
from registry_core.http.v2 import manifests
from registry_core.model.actions import REGISTRY_ACTIONS, REPOSITORY_ACTIONS, Action
from registry_core.model.names import RepositoryPattern
from registry_core.model.roles import SCOPE_MAP_ACTIONS
from registry_core.settings import EntraSettings, Settings
from registry_core.storage.cache import Cache
from tests.integration.core.auth.test_sign_in import NULL_GUID, Guest, basic, make_token
from tests.integration.core.support import Client, Image, connect, digest_of
from tests.routes import path_of

ROUTES = [
    (surface, route) for surface in SURFACES if surface.is_private for route in surface.routes
]
QUERIES = {"upload-session": "_state=x"}
"""What a kind of route is asked with, besides its path."""
EVERYTHING = frozenset({*REPOSITORY_ACTIONS, *REGISTRY_ACTIONS, Action.SIGN_IN})
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
        of_registry = [f"registry:{action}:*" for action in REGISTRY_ACTIONS]
        return await guest.with_token(*scopes, *of_registry)


@pytest.fixture
async def world(client: Client, settings: Settings, repository: str) -> World:
    access = Access(client.services.connection, Cache(timedelta(0)))
    return World(client, settings, access, repository)


async def _images(world: World) -> None:
    """The repositories as they are before each request that might change them."""
    for name in (world.own[0], world.foreign[0]):
        await world.client.push_image(name)


async def _ask(guest: Guest, surface: Surface, route: Route, repository: str) -> httpx.Response:
    path = surface.prefix + path_of(route, name=repository, digest=digest_of(b"nothing"))
    return await guest.ask(
        route.method,
        f"{path}?{QUERIES.get(route.kind, '')}",
        content=Image.make().manifest if route.handler is manifests.put else b"",
    )


async def _walk(
    world: World,
    guest: Guest,
    own: frozenset[Action],
    foreign: frozenset[Action],
    refused: int,
) -> None:
    """Asks for everything: what is allowed is not refused, and what is refused is refused alike."""
    for surface, route in ROUTES:
        for repositories, allowed in ((world.own, own), (world.foreign, foreign)):
            answers = [await _ask(guest, surface, route, each) for each in repositories]
            where = (route.method, route.pattern, repositories)
            if route.action in allowed:
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


@pytest.mark.rule("S1")
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


@pytest.mark.rule("S1")
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
    may = frozenset({*SCOPE_MAP_ACTIONS.values(), Action.SIGN_IN})
    await _walk(world, await world.bearer(guest), may, may, 401)


@pytest.fixture
async def open_instance(world: World) -> AsyncIterator[Client]:
    public = (RepositoryPattern(f"{world.base}/own/*"),)
    async with connect(replace(world.settings, anonymous_pull=public)) as client:
        yield client


async def test_anybody_may_pull_what_is_open(world: World, open_instance: Client) -> None:
    await _images(world)
    pull = frozenset({Action.PULL, Action.METADATA_READ})
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
        tokens = BearerTokens(client.services.signing_keys, settings.login_servers)
        identity = Identity(IdentityKind.ENTRA, "jo@example.com", object_id, tenant)
        refresh = await tokens.issue_refresh(identity, groups=[], roles=[])
        guest = Guest(client, basic(NULL_GUID, refresh))
        may = SIGNED_IN | ENTRA[role]
        await _walk(world, guest, may, SIGNED_IN, 403)
        await _walk(world, await world.bearer(guest), may, SIGNED_IN, 401)
