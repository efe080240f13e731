"""What somebody of Entra ID may do in the registry, and when it ends."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from devhost.processes.azurite import Azurite
from registry_core.access.role_assignments import RoleAssignment
from registry_core.access.store import Access
from registry_core.auth.identity import Identity, IdentityKind
from registry_core.model.names import RepositoryPattern
from registry_core.settings import AdminSettings, EntraSettings, Settings, StorageSettings
from registry_core.storage.cache import Cache
from registry_core.storage.client import pool
from tests.entra_issuer import ACR, EntraIssuer
from tests.integration.core.auth.test_sign_in import SERVICE, Guest, basic, claims_of
from tests.integration.core.support import Client, connect

OWN = "api://registry"
TEAM = RepositoryPattern("team/*")


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EntraIssuer]:
    with EntraIssuer(tmp_path) as started:
        monkeypatch.setattr(pool, "trust", started.trust)
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", started.trust())
        yield started


@dataclass
class World:
    client: Client
    issuer: EntraIssuer
    access: Access

    async def exchange(self, token: str) -> str:
        """A refresh token for one of Entra ID's."""
        body = {"grant_type": "access_token", "service": SERVICE, "access_token": token}
        answer = await Guest(self.client).ask("POST", "/oauth2/exchange", data=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["refresh_token"])

    async def allowed(self, refresh_token: str, scope: str) -> list[str]:
        """The actions that an access token for `scope` has."""
        entries = claims_of(await self.access_token(refresh_token, scope))["access"]
        return [action for entry in entries for action in entry["actions"]]

    async def access_token(self, refresh_token: str, scope: str) -> str:
        body = {"grant_type": "refresh_token", "service": SERVICE, "scope": scope}
        body["refresh_token"] = refresh_token
        answer = await Guest(self.client).ask("POST", "/oauth2/token", data=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


@pytest.fixture
async def world(azurite: Azurite, issuer: EntraIssuer) -> AsyncIterator[World]:
    settings = Settings(
        storage=StorageSettings(azurite.connection_string),
        login_servers=(SERVICE,),
        admin=AdminSettings("admin", ("a-password-of-tests-QX7",)),
        entra=EntraSettings(issuer.tenant, (ACR, OWN), issuer.url),
        cache_ttl=timedelta(0),
    )
    async with connect(settings) as client:
        yield World(client, issuer, Access(client.services.connection, Cache(timedelta(0))))


async def test_a_user_may_do_what_is_assigned_to_them_and_to_their_groups(world: World) -> None:
    user, group, stranger = (str(uuid.uuid4()) for _ in range(3))
    await world.access.add_assignment(RoleAssignment(user, "AcrPull", TEAM))
    await world.access.add_assignment(RoleAssignment(group, "AcrPush", RepositoryPattern("web")))
    await world.access.add_assignment(RoleAssignment(stranger, "Owner", RepositoryPattern("*")))
    refresh = await world.exchange(world.issuer.token(user, groups=[group, str(uuid.uuid4())]))
    assert await world.allowed(refresh, "repository:team/app:pull,push,delete") == ["pull"]
    assert await world.allowed(refresh, "repository:web:pull,push,delete") == ["pull", "push"]
    assert await world.allowed(refresh, "repository:other:pull registry:catalog:*") == []


async def test_whoever_has_nothing_assigned_signs_in_and_may_do_nothing(world: World) -> None:
    refresh = await world.exchange(world.issuer.token())
    assert await world.allowed(refresh, "repository:team/app:* registry:catalog:*") == []


async def test_app_roles_count_for_the_registrys_own_audience_alone(world: World) -> None:
    scope = "repository:any:pull,push,delete registry:catalog:*"
    for audience, roles, allowed in (
        (OWN, ["AcrPush", "Owner?", "<script>"], ["pull", "push", "*"]),
        (ACR, ["AcrPush"], []),
    ):
        refresh = await world.exchange(world.issuer.token(aud=audience, roles=roles))
        assert await world.allowed(refresh, scope) == allowed


async def test_a_region_that_takes_no_app_roles_takes_none_from_another_regions_token(
    world: World,
) -> None:
    scope = "repository:any/app:pull,push"
    refresh_token = await world.exchange(world.issuer.token(aud=OWN, roles=["AcrPush"]))
    entra = EntraSettings(world.issuer.tenant, (ACR,), world.issuer.url)
    async with connect(replace(world.client.registry.settings, entra=entra)) as client:
        without = World(client, world.issuer, world.access)
        assert await without.allowed(refresh_token, scope) == []
    assert await world.allowed(refresh_token, scope) == ["pull", "push"]


async def test_an_app_role_that_is_not_known_here_allows_nothing(world: World) -> None:
    """A newer region may know more of them, and sign a refresh token with it."""
    identity = Identity(IdentityKind.ENTRA, "jo", str(uuid.uuid4()), world.issuer.tenant)
    tokens = world.client.services.sign_in._tokens
    refresh_token = await tokens.issue_refresh(identity, groups=[], roles=["AcrPull", "Orbit"])
    assert await world.allowed(refresh_token, "repository:any/app:pull,push") == ["pull"]


async def test_a_role_that_is_taken_away_counts_at_once_for_new_tokens_and_soon_for_old(
    world: World,
) -> None:
    user, scope = str(uuid.uuid4()), "repository:team/app:pull"
    assignment = RoleAssignment(user, "AcrPull", TEAM)
    await world.access.add_assignment(assignment)
    await world.client.push_image("team/app")
    refresh = await world.exchange(world.issuer.token(user))
    guest = Guest(world.client, f"Bearer {await world.access_token(refresh, scope)}")
    path = "/v2/team/app/manifests/latest"
    assert (await guest.ask("GET", path)).status_code == 200
    await world.access.delete_assignment(assignment)
    answer = await guest.ask("GET", path)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert await world.allowed(refresh, scope) == []


@pytest.mark.rule("S4")
async def test_a_refresh_token_is_plain_base64_whatever_the_owner_is_called(world: World) -> None:
    """Azure's SDK decodes it so, and knows no `-` and `_`."""
    for name in ("??>>~~\x7f", "ä?ö>ü~", "jo@example.com", "x" * 1000):
        for padding in range(3):
            token = world.issuer.token(upn="a" * padding + name)
            payload = (await world.exchange(token)).split(".")[1]
            assert not set("-_") & set(payload)


async def test_a_token_that_is_not_the_tenants_is_refused_without_a_word_of_it(
    world: World,
) -> None:
    token = world.issuer.token(tid=str(uuid.uuid4()))
    body = {"grant_type": "access_token", "service": SERVICE, "access_token": token}
    answer = await Guest(world.client).ask("POST", "/oauth2/exchange", data=body)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["message"] == "retrieving permissions failed"
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    assert token not in answer.text


async def test_where_entra_id_is_off_its_tokens_are_nothing(world: World) -> None:
    user = str(uuid.uuid4())
    await world.access.add_assignment(RoleAssignment(user, "AcrPull", TEAM))
    token = world.issuer.token(user)
    refresh = await world.exchange(token)
    held = await world.access_token(refresh, "repository:team/app:pull")
    without = replace(world.client.registry.settings, entra=None)
    async with connect(without) as client:
        body = {"grant_type": "access_token", "service": SERVICE, "access_token": token}
        assert (await Guest(client).ask("POST", "/oauth2/exchange", data=body)).status_code == 401
        body = {"grant_type": "refresh_token", "service": SERVICE, "refresh_token": refresh}
        assert (await Guest(client).ask("POST", "/oauth2/token", data=body)).status_code == 401
        assert (await Guest(client, f"Bearer {held}").ask("GET", "/v2/")).status_code == 401


@pytest.mark.rule("S8")
async def test_guesses_at_a_secret_reach_entra_id_only_until_their_source_is_held_off(
    world: World,
) -> None:
    app_id, secret = str(uuid.uuid4()), "a-client-secret-QX7"
    world.issuer.secrets[app_id, secret] = world.issuer.claims(appid=app_id)

    async def sign_in(password: str) -> int:
        guest = Guest(world.client, basic(app_id, password))
        return (await guest.ask("GET", "/oauth2/token", params={"service": SERVICE})).status_code

    assert await sign_in(secret) == 200
    assert [await sign_in(f"{secret}-{number}") for number in range(10)] == [401] * 10
    asked = world.issuer.asked["token"]
    assert [await sign_in(f"{secret}+{number}") for number in range(10)] == [429] * 10
    assert world.issuer.asked["token"] == asked
    assert await sign_in(secret) == 200
