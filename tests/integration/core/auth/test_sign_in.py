"""Signing in: tokens, passwords of repository-scoped tokens, and when they stop being good."""

from __future__ import annotations

import base64
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from registry_core.access import store
from registry_core.access.generation import new_generation
from registry_core.access.store import Access
from registry_core.access.tokens import StoredToken, new_password
from registry_core.auth.throttle import Throttle
from registry_core.model.names import RepositoryPattern
from registry_core.model.roles import ScopeMap
from registry_core.settings import AdminSettings, Settings
from registry_core.storage.cache import Cache
from tests.integration.core.support import Client, connect, digest_of

SERVICE = "localhost:7071"


@dataclass
class Guest:
    """Somebody who talks to an instance with credentials of their own, or none."""

    client: Client
    authorization: str = ""

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = options.pop("headers", {})
        if self.authorization:
            headers["Authorization"] = self.authorization
        request = self.client.http.build_request(method, path, headers=headers, **options)
        return await self.client.http.send(request, auth=None)

    async def token(self, *scopes: str, **query: str) -> httpx.Response:
        return await self.ask(
            "GET", "/oauth2/token", params={"service": SERVICE, "scope": scopes, **query}
        )

    async def with_token(self, *scopes: str) -> Guest:
        """The same with an access token, as every client gets one."""
        answer = await self.token(*scopes)
        assert answer.status_code == 200, answer.text
        return Guest(self.client, f"Bearer {answer.json()['access_token']}")


def basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.fixture
def access(client: Client) -> Access:
    return Access(client.services.connection, Cache(timedelta(0)))


@pytest.fixture
def admin(client: Client, settings: Settings) -> Guest:
    assert settings.admin
    return Guest(client, basic(settings.admin.username, settings.admin.passwords[0]))


async def make_token(
    access: Access, name: str, *actions: str, expiry: datetime | None = None
) -> str:
    """Makes a token that may do `actions`; answers its password."""
    now = datetime.now(UTC)
    await access.add_scope_map(ScopeMap(f"{name}-map", actions))
    password, text = new_password("password1", expiry, now)
    token = StoredToken(name, f"{name}-map", True, now, new_generation(), (password,))
    await access.add_token(token)
    return text


@pytest.fixture
def name(repository: str) -> str:
    """A token's name of this test's own."""
    return "token-" + repository.replace("/", "-")


async def test_whoever_brings_nothing_is_told_where_to_get_which_token(
    client: Client, repository: str
) -> None:
    guest = Guest(client)
    for method, path, scope in (
        ("GET", f"/v2/{repository}/tags/list", f"repository:{repository}:pull"),
        ("POST", f"/v2/{repository}/blobs/uploads/", f"repository:{repository}:pull,push"),
        ("DELETE", f"/v2/{repository}/manifests/x", f"repository:{repository}:delete"),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
    ):
        answer = await guest.ask(method, path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == (
            f'Bearer realm="https://{SERVICE}/oauth2/token",service="{SERVICE}",scope="{scope}"'
        ).replace("https", "http")
        assert answer.content.endswith(b"\n")
        missing = [entry["Action"] for entry in answer.json()["errors"][0]["detail"]]
        assert missing == scope.rpartition(":")[2].split(",")
    answer = await guest.ask("GET", "/v2/")
    assert "scope" not in answer.headers["www-authenticate"]


async def test_a_token_allows_what_was_asked_for_and_no_more(admin: Guest, repository: str) -> None:
    image = await admin.client.push_image(repository)
    puller = await admin.with_token(f"repository:{repository}:pull")
    assert (await puller.ask("GET", f"/v2/{repository}/manifests/latest")).status_code == 200
    assert (await puller.ask("GET", "/v2/")).status_code == 200
    for method, path in (
        ("DELETE", f"/v2/{repository}/manifests/{image.digest}"),
        ("POST", f"/v2/{repository}/blobs/uploads/"),
        ("GET", f"/v2/{repository}/other/tags/list"),
        ("GET", "/v2/_catalog"),
    ):
        answer = await puller.ask(method, path)
        assert answer.status_code == 401
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


async def test_a_token_has_the_name_that_older_clients_read(admin: Guest) -> None:
    document = (await admin.token("repository:a:pull")).json()
    assert document["token"] == document["access_token"]


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/oauth2/token", {}),
        ("GET", "/oauth2/token", {"headers": {"Authorization": basic("admin", "wrong")}}),
        ("GET", "/oauth2/token", {"headers": {"Authorization": "Basic !"}}),
        ("POST", "/oauth2/token", {"data": {"grant_type": "password", "username": "x"}}),
        ("POST", "/oauth2/token", {"data": {"grant_type": "password"}}),
        ("POST", "/oauth2/token", {"data": {"grant_type": "refresh_token", "refresh_token": "x"}}),
        ("POST", "/oauth2/exchange", {"data": {"grant_type": "access_token", "access_token": "x"}}),
    ],
)
async def test_a_refused_sign_in_says_where_to_sign_in_and_opens_no_window_of_a_browser(
    client: Client, method: str, path: str, options: dict[str, Any]
) -> None:
    answer = await Guest(client).ask(method, path, **options)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
    challenge = answer.headers["www-authenticate"]
    assert challenge == f'Bearer realm="http://{SERVICE}/oauth2/token",service="{SERVICE}"'


@pytest.mark.rule("S2")
async def test_verifying_a_token_makes_no_storage_call_on_a_warm_instance(
    admin: Guest, access: Access, client: Client, name: str, repository: str
) -> None:
    await client.push_image(repository)
    password = await make_token(access, name, f"repositories/{repository}/content/read")
    for credentials in (admin.authorization, basic(name, password)):
        guest = await Guest(client, credentials).with_token(f"repository:{repository}:pull")
        path = f"/v2/{repository}/blobs/{digest_of(b'absent')}"
        await guest.ask("HEAD", path)
        await guest.ask("HEAD", path)
        assert client.cost == (1, 1)  # The blob's own row.


async def test_the_wire_format_is_what_clients_take_apart(admin: Guest) -> None:
    """Lower case in `access`; an hour; a payload of three parts; nothing but an access token."""
    answer = await admin.token("repository:a/b:pull,push registry:catalog:*", offline_token="true")
    document = answer.json()
    assert document.keys() == {"access_token", "token", "expires_in"}
    claims = claims_of(document["access_token"])
    assert claims["access"] == [
        {"type": "repository", "name": "a/b", "actions": ["pull", "push"]},
        {"type": "registry", "name": "catalog", "actions": ["*"]},
    ]
    assert claims["exp"] - claims["iat"] == 3600 == document["expires_in"]
    assert {"jti", "nbf", "iss", "aud", "sub"} <= claims.keys()
    header = jwt.get_unverified_header(document["access_token"])
    assert header["alg"] == "ES256"
    assert header["kid"]


FORMS = {
    "containerd": ("application/x-www-form-urlencoded; charset=utf-8", "scope=repository:a/b:pull"),
    "containers/image": (
        "application/x-www-form-urlencoded",
        "scope=repository:a/b:pull&scope=repository:c:push",
    ),
    "az": ("application/x-www-form-urlencoded", "scope=registry%3Acatalog%3A%2A"),
    "without a scope": ("application/x-www-form-urlencoded", "client_id=x&access_type=offline"),
}


@pytest.mark.parametrize("who", FORMS)
async def test_a_password_can_be_posted(client: Client, settings: Settings, who: str) -> None:
    assert settings.admin
    content_type, fields = FORMS[who]
    username, password = settings.admin.username, settings.admin.passwords[0]
    body = f"grant_type=password&service={SERVICE}&username={username}&password={password}&{fields}"

    async def chunked() -> AsyncIterator[bytes]:
        yield body.encode()

    headers = {"Content-Type": content_type}
    for content in (body, chunked()):
        answer = await Guest(client).ask("POST", "/oauth2/token", content=content, headers=headers)
        assert answer.status_code == 200, answer.text
        asked = fields.count("scope=")
        assert len(claims_of(answer.json()["access_token"])["access"]) == asked


REFUSED = {
    "no grant type": ("", 400, "UNSUPPORTED_GRANT"),
    "another grant type": ("grant_type=client_credentials", 400, "UNSUPPORTED_GRANT"),
    "no credentials": ("grant_type=password", 401, "UNAUTHORIZED"),
    "a wrong password": ("grant_type=password&username=admin&password=x", 401, "UNAUTHORIZED"),
    "no refresh token": ("grant_type=refresh_token", 401, "UNAUTHORIZED"),
    "nonsense for a refresh token": (
        "grant_type=refresh_token&refresh_token=a.b.c",
        401,
        "UNAUTHORIZED",
    ),
    "more than a form holds": ("grant_type=password&x=" + "x" * 200_000, 413, "SIZE_INVALID"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_token_request_that_is_wrong_is_refused(client: Client, what: str) -> None:
    body, status, code = REFUSED[what]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await Guest(client).ask("POST", "/oauth2/token", content=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("repository:a", 400),
        ("repository::pull", 400),
        ("pull", 400),
        ("repository:a:PULL", 400),
        (" ".join(f"repository:a{n}:pull" for n in range(101)), 400),
        (f"repository:{'a' * 40_000}:pull", 400),
        (" ".join(f"repository:a{n}:pull" for n in range(100)), 200),
        ("repository:a:fly", 200),
        ("other:a:pull", 200),
        ("", 200),
    ],
)
async def test_scopes_are_capped_and_malformed_ones_refused(
    admin: Guest, scope: str, status: int
) -> None:
    answer = await admin.token(scope)
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["errors"][0]["code"] == "SCOPE_INVALID"


async def test_another_registrys_token_cannot_be_had_here(admin: Guest) -> None:
    answer = await admin.ask("GET", "/oauth2/token", params={"service": "evil.example"})
    assert answer.status_code == 400
    assert "evil" not in str(answer.headers)


# Repository-scoped tokens.


async def test_a_repository_scoped_token_does_what_its_scope_map_says(
    client: Client, access: Access, name: str, repository: str
) -> None:
    await client.push_image(repository)
    await client.push_image(f"{repository}/below")
    password = await make_token(access, name, f"repositories/{repository}/content/read")
    direct = Guest(client, basic(name, password))
    scopes = [f"repository:{each}:pull,push" for each in (repository, f"{repository}/below")]
    for guest in (direct, await direct.with_token(*scopes)):
        found = await guest.ask("GET", f"/v2/{repository}/manifests/latest")
        assert found.status_code == 200
        refused = 401 if guest is not direct else 403
        for path in (f"{repository}/below", f"{repository}/absent"):
            answer = await guest.ask("GET", f"/v2/{path}/manifests/latest")
            assert answer.status_code == refused
        answer = await guest.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status_code == refused


STOPPED = {
    "it is disabled": lambda token, now: replace(token, enabled=False, generation=new_generation()),
    "its scope map is another": lambda token, now: replace(
        token, scope_map="_repositories_push", generation=new_generation()
    ),
    "its password is renewed": lambda token, now: replace(
        token, passwords=(new_password("password1", None, now)[0],)
    ),
    "its password has expired": lambda token, now: replace(
        token, passwords=(replace(token.passwords[0], expiry=now - timedelta(seconds=1)),)
    ),
}


@pytest.mark.rule("S2")
@pytest.mark.parametrize("what", [*STOPPED, "it is deleted", "its scope map is changed"])
async def test_a_token_in_use_stops_when(
    client: Client, settings: Settings, access: Access, name: str, repository: str, what: str
) -> None:
    """At the next token request at once, and for tokens issued before within the cache's life."""
    await client.push_image(repository)
    password = await make_token(access, name, f"repositories/{repository}/content/read")
    path = f"/v2/{repository}/manifests/latest"
    async with connect(replace(settings, cache_ttl=timedelta(0))) as instance:
        owner = Guest(instance, basic(name, password))
        guest = await owner.with_token(f"repository:{repository}:pull")
        assert (await guest.ask("GET", path)).status_code == 200
        token = await access.token(name)
        assert token
        if what == "it is deleted":
            await access.delete_token(token)
        elif what == "its scope map is changed":
            stored = await access.scope_map(f"{name}-map")
            assert stored
            actions = (f"repositories/{repository}/metadata/read",)
            await access.replace_scope_map(stored, replace(stored.scope_map, actions=actions))
        else:
            await access.replace_token(STOPPED[what](token, datetime.now(UTC)))
        answer = await guest.ask("GET", path)
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        again = await owner.token(f"repository:{repository}:pull")
        if "scope map" in what:
            access_now = claims_of(again.json()["access_token"])["access"]
            assert bool(access_now) is (what == "its scope map is another")
        else:
            assert again.status_code == 401


async def test_either_password_is_good_and_one_goes_on_when_the_other_is_renewed(
    client: Client, access: Access, name: str, repository: str
) -> None:
    first = await make_token(access, name, f"repositories/{repository}/content/read")
    token = await access.token(name)
    assert token
    stored, second = new_password("password2", None, datetime.now(UTC))
    await access.replace_token(replace(token, passwords=(*token.passwords, stored)))
    held = [
        await Guest(client, basic(name, password)).with_token(f"repository:{repository}:pull")
        for password in (first, second)
    ]
    token = await access.token(name)
    assert token
    renewed, _ = new_password("password1", None, datetime.now(UTC))
    await access.replace_token(replace(token, passwords=(renewed, stored)))
    async with connect(replace(client.registry.settings, cache_ttl=timedelta(0))) as instance:
        answers = [await Guest(instance, each.authorization).ask("GET", "/v2/") for each in held]
    assert [answer.status_code for answer in answers] == [401, 200]


@pytest.mark.rule("S2")
async def test_a_new_token_works_at_once_where_it_was_asked_for_in_vain_before(
    client: Client, access: Access, name: str, repository: str
) -> None:
    """What is remembered as missing is looked for once more."""
    assert (await Guest(client, basic(name, "wrong")).ask("GET", "/v2/")).status_code == 401
    password = await make_token(access, name, f"repositories/{repository}/content/read")
    assert (await Guest(client, basic(name, password)).ask("GET", "/v2/")).status_code == 200


async def test_only_hashes_of_passwords_are_kept(client: Client, access: Access, name: str) -> None:
    password = await make_token(access, name, "repositories/*/content/read")
    table = client.services.connection.table(store.TABLE)
    stored = [str(row.values) for row in await table.query("tokens", " ", "~")]
    assert stored
    assert not any(password in text for text in stored)


# The admin account.


async def test_either_admin_password_can_be_replaced_while_the_other_goes_on(
    settings: Settings,
) -> None:
    admin = AdminSettings("admin", ("first-one-of-two-RW7", "other-one-of-two-QX9"))
    before = replace(settings, admin=admin)
    after = replace(
        settings, admin=replace(admin, passwords=("third-one-new-ZZ12", admin.passwords[1]))
    )
    async with connect(before) as old, connect(after) as new:
        for password, status in zip(admin.passwords, (401, 200), strict=True):
            guest = await Guest(old, basic("admin", password)).with_token()
            assert (await guest.ask("GET", "/v2/")).status_code == 200
            for authorization in (guest.authorization, basic("admin", password)):
                answer = await Guest(new, authorization).ask("GET", "/v2/")
                assert answer.status_code == status


async def test_while_the_admin_account_is_off_its_tokens_are_no_good(
    admin: Guest, settings: Settings
) -> None:
    guest = await admin.with_token()
    async with connect(settings) as instance:
        # Connected as the admin; then without.
        instance.services.sign_in._settings = replace(settings, admin=None)
        answer = await Guest(instance, guest.authorization).ask("GET", "/v2/")
    assert answer.status_code == 401


NULL_GUID = "00000000-0000-0000-0000-000000000000"


@pytest.mark.rule("S3")
async def test_an_access_token_as_a_password_is_good_for_no_more_and_no_longer(
    admin: Guest, repository: str
) -> None:
    """As ACR lets docker sign in with one; nobody renews themselves for ever by it."""
    narrow = (await admin.token(f"repository:{repository}:pull")).json()["access_token"]
    guest = Guest(admin.client, basic(NULL_GUID, narrow))
    answer = await guest.token(f"repository:{repository}:pull,push", offline_token="true")
    document = answer.json()
    assert "refresh_token" not in document
    claims = claims_of(document["access_token"])
    assert claims["exp"] <= claims_of(narrow)["exp"]
    assert claims["access"] == [{"type": "repository", "name": repository, "actions": ["pull"]}]
    assert (await guest.ask("GET", "/v2/")).status_code == 200
    assert (await guest.ask("GET", "/v2/_catalog")).status_code == 403


async def test_no_other_user_name_takes_a_token_for_a_password(admin: Guest) -> None:
    token = (await admin.token()).json()["access_token"]
    for username in ("admin", "", "somebody", NULL_GUID.replace("0", "1")):
        assert (await Guest(admin.client, basic(username, token)).token()).status_code == 401


async def test_nobody_else_signs_in_under_the_admins_name(
    client: Client, access: Access, settings: Settings
) -> None:
    assert settings.admin
    async with connect(replace(settings, admin=replace(settings.admin, username="chief"))) as one:
        password = await make_token(access, "chief", "repositories/*/content/read")
        guest = Guest(one, basic("chief", password))
        assert (await guest.token()).status_code == 401
        assert (await guest.ask("GET", "/v2/")).status_code == 401


async def test_whoever_guesses_waits_although_he_is_right_about_something_else(
    settings: Settings,
) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    admin = settings.admin
    assert admin
    settings = replace(settings, anonymous_pull=(RepositoryPattern("public/*"),))
    async with connect(settings, throttle=Throttle(sleep=wait)) as client:
        wrong = Guest(client, basic(admin.username, "a guess of the password"))
        anybodys = (await Guest(client).token()).json()["access_token"]
        right = (
            Guest(client, basic(NULL_GUID, anybodys)),
            Guest(client, f"Bearer {anybodys}"),
            Guest(client, basic(admin.username, admin.passwords[0])),
        )
        for _ in range(4):
            for _ in range(3):
                assert (await wrong.ask("GET", "/v2/")).status_code == 401
            for guest in right:
                await guest.ask("GET", "/v2/")
    assert len(waits) == 2


# Anybody.


@asynccontextmanager
async def open_to_all(settings: Settings, *patterns: str) -> AsyncIterator[Client]:
    public = tuple(RepositoryPattern.parse(pattern) for pattern in patterns)
    async with connect(replace(settings, anonymous_pull=public)) as client:
        yield client


async def test_signing_in_takes_nothing_away_of_what_anybody_may(
    settings: Settings, name: str, repository: str
) -> None:
    async with open_to_all(settings, f"{repository}/open") as client:
        public, mine = f"{repository}/open", f"{repository}/mine"
        image = await client.push_image(public)
        access = Access(client.services.connection, Cache(timedelta(0)))
        actions = [f"repositories/{mine}/content/{verb}" for verb in ("read", "write")]
        password = await make_token(access, name, *actions)
        guest = Guest(client, basic(name, password))
        for asking in (guest, await guest.with_token(f"repository:{public}:pull")):
            assert (await asking.ask("GET", f"/v2/{public}/manifests/latest")).status_code == 200
            assert (await asking.ask("PUT", f"/v2/{public}/manifests/x")).status_code in (401, 403)
        query = {"mount": digest_of(image.layer), "from": public}
        pushing = await guest.with_token(f"repository:{mine}:pull,push")
        answer = await pushing.ask("POST", f"/v2/{mine}/blobs/uploads/", params=query)
        assert answer.status_code == 201


async def test_anybody_may_pull_from_what_is_open_and_do_nothing_else(
    settings: Settings, repository: str
) -> None:
    async with open_to_all(settings, f"{repository}/open/*") as client:
        public, private = f"{repository}/open/app", f"{repository}/closed"
        for each in (public, private):
            await client.push_image(each)
        guest = Guest(client)
        scopes = [f"repository:{each}:pull,push,delete" for each in (public, private)]
        for asking in (guest, await guest.with_token(*scopes)):
            assert (await asking.ask("GET", f"/v2/{public}/manifests/latest")).status_code == 200
            for method, path in (
                ("GET", f"/v2/{private}/manifests/latest"),
                ("GET", f"/v2/{repository}/absent/manifests/latest"),
                ("POST", f"/v2/{public}/blobs/uploads/"),
                ("DELETE", f"/v2/{public}/manifests/latest"),
                ("GET", "/v2/_catalog"),
            ):
                assert (await asking.ask(method, path)).status_code == 401
        # Clients that were let in here would sign in nowhere else.
        assert (await guest.ask("GET", "/v2/")).status_code == 401


async def test_anybody_may_list_the_catalogue_only_where_everything_is_open(
    settings: Settings,
) -> None:
    async with open_to_all(settings, "*") as client:
        assert (await Guest(client).ask("GET", "/v2/_catalog")).status_code == 200


async def test_a_client_without_credentials_gets_a_token_for_what_is_open(
    settings: Settings, repository: str
) -> None:
    """Azure's SDK: `grant_type=password` and nothing else; 200 whatever it asks for."""
    async with open_to_all(settings, f"{repository}/open/*") as client:
        body = f"grant_type=password&service={SERVICE}&scope=repository:{repository}/closed:pull"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await Guest(client).ask("POST", "/oauth2/token", content=body, headers=headers)
        assert answer.status_code == 200
        assert claims_of(answer.json()["access_token"])["access"] == []


# Mounting.


@dataclass
class Mounting:
    """A blob in one repository, and a token of the admin's that is for another alone."""

    source: str
    target: str
    digest: str
    narrow: Guest

    @property
    def path(self) -> str:
        return f"/v2/{self.target}/blobs/uploads/"


@pytest.fixture
async def mounting(admin: Guest, repository: str) -> Mounting:
    source, target = f"{repository}/source", f"{repository}/target"
    digest = await admin.client.push_blob(source, b"shared " + repository.encode())
    narrow = await admin.with_token(f"repository:{target}:pull,push")
    return Mounting(source, target, digest, narrow)


@pytest.mark.rule("S9")
async def test_a_mount_needs_a_token_for_its_source_and_is_told_so(
    admin: Guest, mounting: Mounting
) -> None:
    source, target, path = mounting.source, mounting.target, mounting.path
    query = {"mount": mounting.digest, "from": source}
    answer = await mounting.narrow.ask("POST", path, params=query)
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    scopes = challenge.partition('scope="')[2].partition('"')[0]
    assert scopes == f"repository:{target}:pull,push repository:{source}:pull"
    wide = await admin.with_token(scopes)
    assert (await wide.ask("POST", path, params=query)).status_code == 201


async def test_the_first_challenge_of_a_mount_names_its_source_and_so_does_its_detail(
    client: Client, repository: str
) -> None:
    path, digest = f"/v2/{repository}/blobs/uploads/", digest_of(b"")
    guest = Guest(client)
    own, source = f"repository:{repository}:pull,push", f"{repository}/source"
    for query, scopes in (
        ({"mount": digest, "from": source}, f"{own} repository:{source}:pull"),
        ({"mount": digest, "from": repository}, own),
        ({"mount": digest, "from": "NO/../name"}, own),
        ({"mount": digest}, own),
        ({"from": source}, own),
    ):
        answer = await guest.ask("POST", path, params=query)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].endswith(f',scope="{scopes}"')
        told: dict[str, list[str]] = {}
        for entry in answer.json()["errors"][0]["detail"]:
            told.setdefault(entry["Name"], []).append(entry["Action"])
        spelt = [f"repository:{name}:{','.join(actions)}" for name, actions in told.items()]
        assert " ".join(spelt) == scopes


async def test_a_mount_without_a_source_tells_a_narrow_token_of_no_repository(
    mounting: Mounting,
) -> None:
    query = {"mount": mounting.digest}
    answer = await mounting.narrow.ask("POST", mounting.path, params=query)
    assert answer.status_code == 202
    assert mounting.source not in str(answer.headers) + answer.text


@pytest.mark.rule("S9")
async def test_a_mount_from_where_one_may_not_pull_begins_an_upload(
    client: Client, access: Access, name: str, repository: str
) -> None:
    source, target = f"{repository}/source", f"{repository}/target"
    digest = await client.push_blob(source, b"not shared " + repository.encode())
    password = await make_token(
        access, name, *(f"repositories/{target}/content/{each}" for each in ("read", "write"))
    )
    direct = Guest(client, basic(name, password))
    scopes = [f"repository:{target}:pull,push", f"repository:{source}:pull"]
    for guest in (direct, await direct.with_token(*scopes)):
        for query in ({"mount": digest, "from": source}, {"mount": digest}):
            path = f"/v2/{target}/blobs/uploads/"
            assert (await guest.ask("POST", path, params=query)).status_code == 202


# Forged tokens.


def _changed(token: str, **claims: object) -> str:
    head, body, signature = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=="))
    content = json.dumps({**payload, **claims}).encode()
    return f"{head}.{base64.urlsafe_b64encode(content).decode().rstrip('=')}.{signature}"


async def test_a_token_that_is_not_ours_is_nobodys(admin: Guest) -> None:
    token = (await admin.token("repository:a:pull")).json()["access_token"]
    key = (await admin.client.services.signing_keys.list())[0]
    claims, headers = claims_of(token), {"kid": key.kid}
    public = key.public.public_numbers().x.to_bytes(32, "big")
    other = {**claims, "grant_type": "refresh_token"}
    forged = {
        "changed": _changed(token, access=[{"type": "repository", "name": "*", "actions": ["*"]}]),
        "without a signature": token.rpartition(".")[0] + ".",
        "of no algorithm": jwt.encode(claims, "", "none", headers=headers),
        "signed with the public key": jwt.encode(claims, public, "HS256", headers=headers),
        "of an unknown key": jwt.encode(claims, key.private, "ES256", headers={"kid": "x"}),
        "of no key": jwt.encode(claims, key.private, "ES256"),
        "of a key elsewhere": jwt.encode(
            claims, key.private, "ES256", headers={"jku": "https://evil.example/keys"}
        ),
        "expired": jwt.encode({**claims, "exp": 1}, key.private, "ES256", headers=headers),
        "of the future": jwt.encode(
            {**claims, "nbf": claims["exp"]}, key.private, "ES256", headers=headers
        ),
        "of another issuer": jwt.encode(
            {**claims, "iss": "x"}, key.private, "ES256", headers=headers
        ),
        "for another registry": jwt.encode(
            {**claims, "aud": "x"}, key.private, "ES256", headers=headers
        ),
        "a refresh token": jwt.encode(other, key.private, "ES256", headers=headers),
        "without an id": jwt.encode(
            {name: value for name, value in claims.items() if name != "jti"},
            key.private,
            "ES256",
            headers=headers,
        ),
        "very long": "a." * 100_000,
        "nothing": "",
    }
    for what, text in forged.items():
        answer = await Guest(admin.client, f"Bearer {text}").ask("GET", "/v2/")
        assert answer.status_code == 401, what
        assert 'error="invalid_token"' in answer.headers["www-authenticate"], what
    assert (await Guest(admin.client, f"Bearer {token}").ask("GET", "/v2/")).status_code == 200


async def test_two_instances_accept_each_others_tokens(admin: Guest, other: Client) -> None:
    guest = await admin.with_token()
    assert (await Guest(other, guest.authorization).ask("GET", "/v2/")).status_code == 200
