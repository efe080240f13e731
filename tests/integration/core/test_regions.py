"""Two regions of one registry: each with storage and keys of its own, and no secret in common."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
import uvicorn

from devhost.cert import CertificateDirectory
from devhost.processes.azurite import Azurite
from registry_core.access.store import Access
from registry_core.auth import fetch, peers
from registry_core.auth.peers import PeerKeys
from registry_core.model.names import RepositoryPattern
from registry_core.settings import AdminSettings, EntraSettings, Settings, StorageSettings
from registry_core.storage.cache import Cache
from registry_core.storage.client import pool
from tests.integration.core.auth.test_sign_in import Guest, basic, claims_of, make_token
from tests.integration.core.support import Client, connect, digest_of
from tests.patience import PATIENCE

GLOBAL = "registry.example.com"
TENANT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def far_azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """The other region's storage."""
    with Azurite(tmp_path_factory.mktemp("far")) as running:
        yield running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateDirectory:
    made = CertificateDirectory(tmp_path_factory.mktemp("certificates"))
    made.ensure()
    return made


@dataclass
class Region:
    """One region, served with TLS, so that the other can ask it for its keys."""

    client: Client
    host: str
    asked: list[str]


@contextlib.asynccontextmanager
async def listening(application: Any, certificates: CertificateDirectory) -> AsyncIterator[str]:
    """Serves `application` with TLS; answers host and port."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = uvicorn.Server(
            uvicorn.Config(
                application,
                lifespan="off",
                log_level="error",
                ssl_certfile=certificates.certificate,
                ssl_keyfile=certificates.key,
            )
        )
        running = asyncio.create_task(server._serve([sock]))
        yield f"localhost:{sock.getsockname()[1]}"
        server.should_exit = True
        await running


@contextlib.asynccontextmanager
async def served(client: Client, certificates: CertificateDirectory) -> AsyncIterator[Region]:
    transport = client.http._transport
    assert isinstance(transport, httpx.ASGITransport)
    asked: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await transport.app(scope, receive, send)

    async with listening(application, certificates) as host:
        yield Region(client, host, asked)


@pytest.fixture
async def near(
    settings: Settings, certificates: CertificateDirectory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Region]:
    trust = ssl.create_default_context(cafile=certificates.authority)
    monkeypatch.setattr(pool, "trust", lambda: trust)
    mine = replace(
        settings, login_servers=(GLOBAL, "near.example.com"), entra=EntraSettings(TENANT)
    )
    async with connect(mine) as client, served(client, certificates) as region:
        yield region


@pytest.fixture
async def far(near: Region, settings: Settings, far_azurite: Azurite) -> AsyncIterator[Client]:
    """A region that knows the near one by its host name."""
    mine = replace(
        settings,
        storage=StorageSettings(far_azurite.connection_string),
        login_servers=(GLOBAL, "far.example.com"),
        peers=(near.host,),
        entra=EntraSettings(TENANT),
    )
    async with connect(mine) as client:
        yield client


async def token_of(client: Client, username: str, password: str, *scopes: str) -> str:
    guest = Guest(client, basic(username, password))
    answer = await guest.token(*scopes, service=GLOBAL)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


async def kid_of(region: Region) -> str:
    """The id of the key that the region signs with."""
    return (await region.client.services.signing_keys.signing()).kid


def admin_of(settings: Settings) -> AdminSettings:
    assert settings.admin
    return settings.admin


@pytest.mark.rule("S5")
async def test_a_token_of_one_region_is_accepted_by_the_other(
    near: Region, far: Client, settings: Settings, repository: str
) -> None:
    admin = admin_of(settings)
    await far.push_image(repository)
    scope = f"repository:{repository}:pull"
    token = await token_of(near.client, admin.username, admin.passwords[0], scope)
    guest = Guest(far, f"Bearer {token}")
    assert (await guest.ask("GET", f"/v2/{repository}/manifests/latest")).status_code == 200
    # It allows there what it says, and no more.
    assert (await guest.ask("POST", f"/v2/{repository}/blobs/uploads/")).status_code == 401
    assert (await guest.ask("GET", "/v2/_catalog")).status_code == 401


async def test_a_repository_scoped_token_that_the_other_region_does_not_know_is_good_there(
    near: Region, far: Client, repository: str
) -> None:
    access = Access(near.client.services.connection, Cache(timedelta(0)))
    name = "token-" + repository.replace("/", "-")
    password = await make_token(access, name, f"repositories/{repository}/content/read")
    await far.push_image(repository)
    token = await token_of(near.client, name, password, f"repository:{repository}:pull")
    answer = await Guest(far, f"Bearer {token}").ask("GET", f"/v2/{repository}/manifests/latest")
    assert answer.status_code == 200
    # Nobody renews it there: the password is known only where it was made.
    answer = await Guest(far, basic("00000000-0000-0000-0000-000000000000", token)).token()
    assert answer.status_code == 401


Sign = Callable[..., Awaitable[Guest]]


@pytest.fixture
async def signed(near: Region, far: Client, settings: Settings, repository: str) -> Sign:
    """Gives somebody at the far region with a token that the near one signed, changed at will."""
    admin = admin_of(settings)
    scope = f"repository:{repository}:pull"
    claims = claims_of(await token_of(near.client, admin.username, admin.passwords[0], scope))
    key = await near.client.services.signing_keys.signing()

    async def sign(**changes: Any) -> Guest:
        changed = {name: value for name, value in (claims | changes).items() if value is not None}
        if changed["exp"] == "in three hours":
            changed["exp"] = claims["exp"] + 2 * 3600
        token = jwt.encode(changed, key.private, "ES256", headers={"kid": key.kid})
        return Guest(far, f"Bearer {token}")

    return sign


async def test_what_a_newer_region_may_say_besides_is_passed_over(
    far: Client, signed: Sign, repository: str
) -> None:
    await far.push_image(repository)
    entry = {"type": "repository", "name": repository, "actions": ["fly", "pull"]}
    access = [
        entry,
        {"type": "satellite", "name": "x", "actions": ["pull"]},
        {"type": "registry", "name": "catalog", "actions": ["fly"]},
    ]
    guest = await signed(access=access, orbit="low")
    assert (await guest.ask("GET", f"/v2/{repository}/manifests/latest")).status_code == 200
    assert (await guest.ask("POST", f"/v2/{repository}/blobs/uploads/")).status_code == 401
    assert (await guest.ask("GET", "/v2/_catalog")).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "root"},
        {"kind": None},
        {"name": None},
        {"name": ["admin"]},
        {"access": "x"},
        {"access": [{"type": "repository"}]},
        {"access": [{"type": "repository", "name": "a", "actions": 5}]},
        {"exp": 10**12},
        {"exp": "in three hours"},
        {"exp": "tomorrow"},
        {"access": [{"type": "repository", "name": 5, "actions": ["pull"]}]},
        {"access": [{"type": "repository", "name": "NO//NAME", "actions": ["pull"]}]},
    ],
    ids=str,
)
async def test_a_token_that_no_region_issues_is_refused_whoever_signed_it(
    signed: Sign, changes: dict[str, Any]
) -> None:
    assert (await (await signed()).ask("GET", "/v2/")).status_code == 200
    assert (await (await signed(**changes)).ask("GET", "/v2/")).status_code == 401


async def test_who_is_anybody_in_one_region_is_nobody_in_a_private_one(
    near: Region, far: Client
) -> None:
    public = replace(near.client.registry.settings, anonymous_pull=(RepositoryPattern("*"),))
    async with connect(public) as open_to_all:
        token = (await Guest(open_to_all).token(service=GLOBAL)).json()["access_token"]
        assert (await Guest(open_to_all, f"Bearer {token}").ask("GET", "/v2/")).status_code == 200
    assert (await Guest(far, f"Bearer {token}").ask("GET", "/v2/")).status_code == 401
    as_password = Guest(far, basic("00000000-0000-0000-0000-000000000000", token))
    assert (await as_password.token(service=GLOBAL)).status_code == 401
    assert (await as_password.ask("GET", "/v2/")).status_code == 401


async def test_a_record_tells_that_the_sign_in_was_elsewhere(
    far: Client, signed: Sign, repository: str, caplog: pytest.LogCaptureFixture
) -> None:
    await far.push_image(repository)
    caplog.set_level(logging.INFO, logger="slipway.audit")
    await (await signed()).ask("GET", f"/v2/{repository}/manifests/latest")
    await far.send("GET", f"/v2/{repository}/manifests/latest")
    records = [json.loads(r.getMessage()) for r in caplog.records if r.name == "slipway.audit"]
    pulls = [record for record in records if record["OperationName"] == "Pull"]
    assert [pull.get("SignedInElsewhere") for pull in pulls] == [True, None]


async def test_what_is_published_is_public_and_no_secret(near: Region) -> None:
    answer = await Guest(near.client).ask("GET", "/oauth2/keys")
    assert answer.status_code == 200
    published = {key["kid"]: key for key in answer.json()["keys"]}
    for key in published.values():
        assert set(key) == {"kty", "crv", "use", "alg", "kid", "x", "y"}
    assert "max-age" in answer.headers["cache-control"]
    # It verifies what the region signs, read as any other program would.
    signed = await near.client.services.signing_keys.signing()
    token = jwt.encode({"a": 1}, signed.private, "ES256")
    public = jwt.PyJWK(published[signed.kid]).key
    assert jwt.decode(token, public, algorithms=["ES256"]) == {"a": 1}


async def test_a_region_that_is_no_peer_is_not_believed(
    near: Region, far: Client, settings: Settings
) -> None:
    admin = admin_of(settings)
    token = await token_of(far, admin.username, admin.passwords[0])
    # The near region has not been told of the far one.
    assert (await Guest(near.client, f"Bearer {token}").ask("GET", "/v2/")).status_code == 401
    assert (await Guest(far, f"Bearer {token}").ask("GET", "/v2/")).status_code == 200


async def test_the_admin_of_one_region_is_nobody_where_the_account_is_off(
    near: Region, far: Client, settings: Settings
) -> None:
    admin = admin_of(settings)
    token = await token_of(near.client, admin.username, admin.passwords[0])
    without = replace(far.registry.settings, admin=replace(admin, username="somebody-else"))
    async with connect(without) as changed:
        answer = await Guest(changed, f"Bearer {token}").ask("GET", "/v2/")
    assert answer.status_code == 401


async def test_made_up_keys_make_a_region_ask_its_peers_once(near: Region, far: Client) -> None:
    made_up = [jwt.encode({}, "x" * 32, "HS256", headers={"kid": f"k{n}"}) for n in range(20)]
    for answer in await asyncio.gather(
        *(Guest(far, f"Bearer {token}").ask("GET", "/v2/") for token in made_up)
    ):
        assert answer.status_code == 401
    assert near.asked.count("/oauth2/keys") == 1


async def test_a_peer_that_is_down_costs_its_own_tokens_and_nothing_else(
    far: Client, near: Region, settings: Settings
) -> None:
    admin = admin_of(settings)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        closed = f"localhost:{silent.getsockname()[1]}"
    mine = replace(far.registry.settings, peers=(closed, near.host))
    async with connect(mine) as client:
        token = await token_of(near.client, admin.username, admin.passwords[0])
        assert (await Guest(client, f"Bearer {token}").ask("GET", "/v2/")).status_code == 200


async def test_a_peer_that_never_answers_keeps_no_token_of_another_waiting(
    near: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 2 * PATIENCE)  # Who waits for it waits too long.
    ahead = 0.0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        keys = PeerKeys([f"localhost:{silent.getsockname()[1]}", near.host], lambda: ahead)
        kid = await kid_of(near)
        for moment in (0.0, 31.0, 3590.0, 3630.0):
            ahead = moment
            async with asyncio.timeout(PATIENCE):
                assert await keys.find(kid) is not None
        assert near.asked.count("/oauth2/keys") == 2


NONSENSE = {
    "nothing": b"",
    "no object": b"[]",
    "no list": b'{"keys": "abc"}',
    "no keys in it": b'{"keys": [null, 5, {}, {"kid": 5}, {"kid": "a", "kty": "EC"}]}',
    "too deep": b'{"keys": ' + 200_000 * b"[",
    "too much": b'{"keys": "' + 2_000_000 * b"x" + b'"}',
}


@pytest.mark.parametrize("what", NONSENSE)
async def test_a_peer_that_answers_nonsense_costs_no_token_of_another(
    near: Region,
    certificates: CertificateDirectory,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": NONSENSE[what]})

    async with listening(application, certificates) as host:
        keys = PeerKeys([host, near.host])
        assert await keys.find("unknown") is None
        assert await keys.find(await kid_of(near)) is not None
    # It was told what is wrong, and went on: an error of another kind would be nobody's.
    assert re.search(rf"the keys of {host}: \w+Error$", caplog.text, re.MULTILINE)


async def test_a_warm_region_verifies_anothers_token_without_a_storage_call(
    near: Region, far: Client, settings: Settings
) -> None:
    admin = admin_of(settings)
    token = await token_of(near.client, admin.username, admin.passwords[0])
    guest = Guest(far, f"Bearer {token}")
    assert (await guest.ask("GET", "/v2/")).status_code == 200
    before = far.registry.hook.total
    far.services.signing_keys._read = datetime.min.replace(tzinfo=UTC)  # As long after as can be.
    assert (await guest.ask("GET", "/v2/")).status_code == 200
    assert far.registry.hook.total == before


async def test_tokens_of_a_peer_that_falls_silent_wait_for_one_patience_together(
    near: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 2 * PATIENCE)  # Who waits for it waits too long.
    ahead = 0.0
    keys = PeerKeys([near.host], lambda: ahead)
    kid = await kid_of(near)
    assert await keys.find(kid) is not None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        keys._peers[0]._host = f"localhost:{silent.getsockname()[1]}"
        ahead = 3700.0
        async with asyncio.timeout(PATIENCE):
            assert await keys.find(kid) is not None
            # The first has waited for all: a patience too long to sit out is over for the others.
            monkeypatch.setattr(peers, "_PATIENCE_SECONDS", 2 * PATIENCE)
            ahead += 2 * PATIENCE
            for _ in range(20):
                assert await keys.find(kid) is not None


async def test_a_key_that_its_region_withdrew_is_unknown_within_the_hour(near: Region) -> None:
    ahead = 0.0
    keys = PeerKeys([near.host], lambda: ahead)
    kid = await kid_of(near)
    assert await keys.find(kid) is not None
    peer = keys._peers[0]
    peer._keys = {**peer.keys, "withdrawn": peer.keys[kid]}
    assert await keys.find("withdrawn") is not None
    ahead = 3700.0
    assert await keys.find("withdrawn") is None
    assert await keys.find(kid) is not None


async def test_a_peer_that_is_down_is_not_missed_for_a_day(near: Region) -> None:
    ahead = 0.0
    keys = PeerKeys([near.host], lambda: time.monotonic() + ahead)
    kid = await kid_of(near)
    assert await keys.find(kid) is not None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        keys._peers[0]._host = f"localhost:{silent.getsockname()[1]}"
    ahead = 23 * 3600.0
    assert await keys.find(kid) is not None
    ahead = 25 * 3600.0
    assert await keys.find(kid) is None


@pytest.mark.rule("S5")
async def test_an_upload_that_reaches_another_region_is_unknown_there_and_whole_here(
    near: Region, far: Client, repository: str
) -> None:
    content = b"layer" * 5000
    half = len(content) // 2
    first = await near.client.patch(await near.client.begin(repository), content[:half])
    location = first.headers["location"]
    for answer in (
        await far.patch(location, content[half:]),
        await far.commit(location, digest_of(content), content[half:]),
        await far.send("DELETE", location),
        await far.send("GET", location),
    ):
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"
    # Where it began it goes on, as if nothing had been.
    second = await near.client.patch(location, content[half:])
    assert second.status_code == 202
    done = await near.client.commit(second.headers["location"], digest_of(content))
    assert done.status_code == 201
    blob = await near.client.send("GET", f"/v2/{repository}/blobs/{digest_of(content)}")
    assert blob.status_code in (200, 307)


async def test_the_audience_is_what_the_regions_share(near: Region, settings: Settings) -> None:
    admin = admin_of(settings)
    token = await token_of(near.client, admin.username, admin.passwords[0])
    assert claims_of(token)["aud"] == GLOBAL
