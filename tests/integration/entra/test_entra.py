"""Signing in with Entra ID, against an issuer of our own with TLS."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from registry_core.auth.entra import Entra, EntraRefused
from registry_core.errors import TooManyRequests, Unavailable
from registry_core.settings import EntraSettings
from registry_core.storage.client import pool
from tests.entra_issuer import ACR, EntraIssuer

OWN = "api://registry"
SECRET = "a-client-secret-QX7"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("issuer")


@pytest.fixture
def issuer(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EntraIssuer]:
    with EntraIssuer(certificates) as started:
        # What a process that begins with SSL_CERT_FILE has.
        monkeypatch.setattr(pool, "trust", started.trust)
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", started.trust())
        yield started


class Clock:
    """The time, which can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def entra(issuer: EntraIssuer, clock: Clock) -> Entra:
    audiences = (ACR, "https://management.azure.com", OWN)
    return Entra(EntraSettings(issuer.tenant, audiences, issuer.url), clock)


async def refused(entra: Entra, token: str) -> str:
    with pytest.raises(EntraRefused) as error:
        await entra.verify(token)
    return str(error.value)


async def test_a_token_tells_who_it_is_of(issuer: EntraIssuer, entra: Entra) -> None:
    object_id, group = str(uuid.uuid4()), str(uuid.uuid4())
    token = issuer.token(
        object_id.upper(), groups=[group.upper()], upn="jo@example.com", roles=["AcrPull"]
    )
    found = await entra.verify(token)
    assert (found.object_id, found.tenant_id) == (object_id, issuer.tenant)
    assert (found.name, set(found.groups)) == ("jo@example.com", {group})
    # App roles are of the application that the token is for: another's mean nothing here.
    assert found.roles == frozenset()


@pytest.mark.parametrize("audience", [ACR, f"{ACR}/", "https://management.azure.com/", OWN])
async def test_each_audience_of_the_settings_will_do(
    issuer: EntraIssuer, entra: Entra, audience: str
) -> None:
    found = await entra.verify(issuer.token(aud=audience, roles=["AcrPush"]))
    assert found.roles == ({"AcrPush"} if audience == OWN else frozenset())


def _with_public_key(issuer: EntraIssuer) -> str:
    """As if the published key were a shared secret."""
    modulus = issuer.public_key.public_numbers().n.to_bytes(256, "big")
    return jwt.encode(issuer.claims(), modulus, "HS256", headers={"kid": issuer.kid})


REFUSED: dict[str, Callable[[EntraIssuer], str]] = {
    "expired": lambda i: i.token(exp=int(time.time()) - 61),
    "not good yet": lambda i: i.token(nbf=int(time.time()) + 120),
    "issued in the future": lambda i: i.token(iat=int(time.time()) + 120),
    "for another audience": lambda i: i.token(aud="https://graph.microsoft.com"),
    "for several audiences": lambda i: i.token(aud=[ACR, OWN]),
    "of another tenant": lambda i: i.token(tid=str(uuid.uuid4())),
    "of another issuer": lambda i: i.token(iss=f"{i.url}/{uuid.uuid4()}/v2.0"),
    "of the public cloud, which this is not": lambda i: i.token(
        iss=f"https://sts.windows.net/{i.tenant}/"
    ),
    "without an object id": lambda i: i.token(oid=None),
    "with an object id that is none": lambda i: i.token("../x"),
    "without an end": lambda i: i.sign({k: v for k, v in i.claims().items() if k != "exp"}),
    "with an end that is no time": lambda i: i.token(exp=str(int(time.time()) + 3600)),
    "of no algorithm": lambda i: jwt.encode(i.claims(), "", "none", headers={"kid": i.kid}),
    "signed with the public key": _with_public_key,
    "of another algorithm": lambda i: jwt.encode(
        i.claims(), i._keys[i.kid], "RS512", headers={"kid": i.kid}
    ),
    "of no key": lambda i: jwt.encode(i.claims(), i._keys[i.kid], "RS256"),
    "of an unknown key": lambda i: i.sign(i.claims(), kid="x"),
    "with a key of its own": lambda i: i.sign(i.claims(), kid="x", jku=f"{i.url}/evil"),
    "changed": lambda i: i.token()[:-8] + "AAAAAAAA",
    "too long": lambda i: i.token(padding="x" * 20_000),
    "nothing": lambda _: "",
    "not a token": lambda _: "a.b.c",
}


@pytest.mark.parametrize("what", REFUSED)
async def test_any_other_token_is_refused(issuer: EntraIssuer, entra: Entra, what: str) -> None:
    assert (await entra.verify(issuer.token())).object_id
    token = REFUSED[what](issuer)
    reason = await refused(entra, token)
    assert reason
    assert not token or token not in reason
    assert issuer.asked["evil"] == 0


async def test_the_issuer_is_asked_once_and_then_no_more(issuer: EntraIssuer, entra: Entra) -> None:
    await asyncio.gather(*(entra.verify(issuer.token()) for _ in range(50)))
    assert issuer.asked == {"openid-configuration": 1, "keys": 1}


async def test_a_new_key_is_found_and_an_old_one_forgotten(
    issuer: EntraIssuer, entra: Entra, clock: Clock
) -> None:
    old = issuer.token()
    await entra.verify(old)
    issuer.rotate()
    clock.ahead += 31
    await entra.verify(issuer.token())
    assert "key" in await refused(entra, old)


@pytest.mark.rule("S7")
async def test_made_up_keys_make_an_instance_ask_once_in_half_a_minute(
    issuer: EntraIssuer, entra: Entra, clock: Clock
) -> None:
    await entra.verify(issuer.token())
    clock.ahead += 31
    made_up = [issuer.sign(issuer.claims(), kid=f"made-up-{n}") for n in range(100)]
    await asyncio.gather(*(refused(entra, token) for token in made_up))
    assert issuer.asked["keys"] == 2


@pytest.mark.rule("S7")
@pytest.mark.parametrize(
    "fault", ["down", "nonsense", "too much", "no keys", "a key of another kind"]
)
async def test_an_issuer_that_fails_is_not_missed_while_its_keys_are_known(
    issuer: EntraIssuer, entra: Entra, clock: Clock, fault: str
) -> None:
    token = issuer.token(exp=int(time.time()) + 10 * 24 * 3600)
    await entra.verify(token)
    issuer.status = 503 if fault == "down" else 200
    issuer.nonsense = {
        "nonsense": b"{",
        "too much": b"[" * (2 * 1024 * 1024),
        "no keys": b'{"keys": []}',
        "a key of another kind": b'{"keys": [{"kty": "oct", "kid": "x", "k": "eA"}]}',
    }.get(fault, b"")
    clock.ahead += 6 * 24 * 3600
    assert (await entra.verify(token)).object_id
    clock.ahead += 2 * 24 * 3600
    with pytest.raises(Unavailable):
        await entra.verify(token)
    issuer.status, issuer.nonsense = 200, b""
    clock.ahead += 31
    assert (await entra.verify(token)).object_id


async def test_an_issuer_that_was_never_reached_makes_it_a_matter_of_trying_again(
    issuer: EntraIssuer, entra: Entra
) -> None:
    issuer.status = 500
    with pytest.raises(Unavailable):
        await entra.verify(issuer.token())


# Service principals.


def application(issuer: EntraIssuer, **claims: Any) -> str:
    app_id = str(uuid.uuid4())
    issuer.secrets[app_id, SECRET] = issuer.claims(appid=app_id, **claims)
    return app_id


@pytest.mark.rule("S7")
async def test_a_service_principal_signs_in_and_is_remembered_for_a_while(
    issuer: EntraIssuer, entra: Entra, clock: Clock
) -> None:
    object_id = str(uuid.uuid4())
    app_id = application(issuer, oid=object_id)
    found = await asyncio.gather(*(entra.sign_in(app_id, SECRET) for _ in range(20)))
    assert {each.object_id for each in found} == {object_id}
    assert issuer.asked["token"] == 1
    del issuer.secrets[app_id, SECRET]
    assert (await entra.sign_in(app_id, SECRET)).object_id
    clock.ahead += 301
    with pytest.raises(EntraRefused):
        await entra.sign_in(app_id, SECRET)


async def test_a_wrong_secret_is_refused_and_a_new_one_works_soon(
    issuer: EntraIssuer, entra: Entra, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    app_id = str(uuid.uuid4())
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            with pytest.raises(EntraRefused):
                await entra.sign_in(app_id, SECRET)
    assert SECRET not in caplog.text
    asked = issuer.asked["token"]
    issuer.secrets[app_id, SECRET] = issuer.claims()
    with pytest.raises(EntraRefused):
        await entra.sign_in(app_id, SECRET)
    assert issuer.asked["token"] == asked
    clock.ahead += 31
    assert (await entra.sign_in(app_id, SECRET)).object_id


async def test_for_a_source_that_is_held_off_only_what_was_right_before_is_asked_for(
    issuer: EntraIssuer, entra: Entra, clock: Clock
) -> None:
    known, unknown = application(issuer), application(issuer)
    await entra.sign_in(known, SECRET)
    clock.ahead += 301  # It is to be asked for again.
    asked = issuer.asked["token"]
    for app_id, secret in ((unknown, SECRET), (known, SECRET + "x"), (str(uuid.uuid4()), SECRET)):
        with pytest.raises(TooManyRequests) as refusal:
            await entra.sign_in(app_id, secret, held_off=12.5)
        assert refusal.value.headers["Retry-After"] == "13"
    assert issuer.asked["token"] == asked
    assert (await entra.sign_in(known, SECRET, held_off=12.5)).object_id
    assert issuer.asked["token"] == asked + 1
    assert (await entra.sign_in(unknown, SECRET)).object_id


@pytest.mark.parametrize("app_id", ["", "admin", "not-a-guid", "a" * 36, "../" * 12])
async def test_what_is_no_application_id_is_refused_without_asking(
    issuer: EntraIssuer, entra: Entra, app_id: str
) -> None:
    with pytest.raises(EntraRefused):
        await entra.sign_in(app_id, SECRET)
    with pytest.raises(EntraRefused):
        await entra.sign_in(str(uuid.uuid4()), "x" * 513)
    assert issuer.asked.total() == 0


async def test_an_issuer_that_is_down_is_not_a_wrong_secret(
    issuer: EntraIssuer, entra: Entra
) -> None:
    app_id = application(issuer)
    issuer.status = 503
    with pytest.raises(Unavailable):
        await entra.sign_in(app_id, SECRET)
    issuer.status = 200
    assert (await entra.sign_in(app_id, SECRET)).object_id
