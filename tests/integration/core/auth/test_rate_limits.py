"""Rate limits, through the whole app: who is held to them, what they cost, what clients see."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import timedelta

import httpx
import pytest

from registry_core.access.store import Access
from registry_core.auth.rate_limiter import RateLimiter
from registry_core.http import health
from registry_core.http.surface import Route
from registry_core.http.surfaces import V2
from registry_core.model.actions import Action
from registry_core.model.names import RepositoryPattern
from registry_core.model.requests import RequestKind
from registry_core.settings import AdminSettings, RateLimits, Settings
from registry_core.storage.cache import Cache
from tests.integration.core.auth.test_sign_in import Guest, basic, make_token
from tests.integration.core.support import Client, connect, is_pullable
from tests.routes import id_of, path_of

NO_LIMIT = dict.fromkeys((each.name for each in fields(RateLimits)), 0)
EVERYTHING = ("content/read", "content/write", "content/delete", "metadata/read")
LEFT = "x-ms-ratelimit-remaining-calls-per-second"


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.time = 5000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def limited(settings: Settings, clock: Clock, **limits: int) -> AsyncIterator[Client]:
    """A client of an instance with these limits alone."""
    limiter = RateLimiter(RateLimits(**{**NO_LIMIT, **limits}), clock.now)
    async with connect(settings, rate_limiter=limiter) as client:
        yield client


def admin_of(client: Client, password: int = 0) -> Guest:
    admin = client.registry.settings.admin
    assert admin
    return Guest(client, basic(admin.username, admin.passwords[password]))


async def token_of(client: Client, repository: str) -> Guest:
    """Somebody with a token who may do everything in a repository."""
    access = Access(client.services.connection, Cache(timedelta(0)))
    name = f"token-{secrets.token_hex(4)}"
    actions = [f"repositories/{repository}/{action}" for action in EVERYTHING]
    return Guest(client, basic(name, await make_token(access, name, *actions)))


def is_refused(client: Client, answer: httpx.Response) -> bool:
    """Whether an answer is a 429, of the whole shape, and has cost nothing of storage."""
    if answer.status_code != 429:
        return False
    assert client.cost == (0, 0)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["content-type"].startswith("application/json")
    if answer.request.method != "HEAD":
        (error,) = answer.json()["errors"]
        assert error["code"] == "TOOMANYREQUESTS"
        assert "REGISTRY_RATE_LIMIT_" in error["message"]
    return True


@pytest.mark.parametrize("route", V2.routes, ids=id_of)
async def test_each_route_is_held_to_the_limit_of_its_kind_and_nobody_else_is(
    settings: Settings, clock: Clock, repository: str, route: Route
) -> None:
    path = f"/v2{path_of(route, name=repository)}"
    for kind in route.counts_as:
        async with limited(settings, clock, **{kind: 2}) as client:
            guests = [admin_of(client)]
            if route.action is not Action.CATALOG:  # Which no token may list.
                guests.append(await token_of(client, "*"))
            for guest in guests:
                for _ in range(2):
                    answer = await guest.ask(route.method, path)
                    assert answer.status_code not in (401, 403, 429), answer.text
                for _ in range(3):
                    assert is_refused(client, await guest.ask(route.method, path))


async def test_a_kind_that_is_used_up_leaves_the_others(
    settings: Settings, clock: Clock, repository: str
) -> None:
    async with limited(settings, clock, read=1, write=7) as client:
        image = await client.push_image(repository)
        manifest = f"/v2/{repository}/manifests/{image.digest}"
        # HEAD and GET count as one kind.
        assert (await client.send("HEAD", manifest)).status_code == 200
        assert is_refused(client, await client.send("GET", manifest))
        assert is_refused(client, await client.send("POST", f"/v2/{repository}/blobs/uploads/"))
        assert (await client.send("DELETE", manifest)).status_code == 202


async def test_the_wait_counts_down_and_an_upload_goes_on_after_it(
    settings: Settings, clock: Clock, repository: str
) -> None:
    async with limited(settings, clock, write=2) as client:
        location = await client.begin(repository)
        answer = await client.patch(location, b"one")
        location = answer.headers["location"]
        for told in (60, 50, 1):
            clock.time = 5060.0 - told
            answer = await client.patch(location, b"two")
            assert is_refused(client, answer)
            assert answer.headers["retry-after"] == str(told)
        clock.time = 5060.0
        answer = await client.patch(location, b"two")
        assert answer.status_code == 202
        assert answer.headers["range"] == "0-5"


async def test_an_identity_is_one_whatever_it_brings(settings: Settings, clock: Clock) -> None:
    assert settings.admin
    two = AdminSettings("admin", (*settings.admin.passwords, secrets.token_urlsafe(32)))
    async with limited(replace(settings, admin=two), clock, read=3) as client:
        first, second = admin_of(client, 0), admin_of(client, 1)
        with_token = await second.with_token("registry:catalog:*")
        for guest in (first, second, with_token):
            assert (await guest.ask("GET", "/v2/")).status_code == 200
        for guest in (first, second, with_token):
            assert is_refused(client, await guest.ask("GET", "/v2/"))


async def test_whoever_has_not_signed_in_is_one_identity_and_holds_up_nobody_who_has(
    settings: Settings, clock: Clock, repository: str
) -> None:
    public = replace(settings, anonymous_pull=(RepositoryPattern(repository),))
    async with limited(public, clock, read=2, read_total=5) as client:
        image = await client.push_image(repository)
        manifest = f"/v2/{repository}/manifests/{image.digest}"
        unsigned = Guest(client)
        with_token = await unsigned.with_token(f"repository:{repository}:pull")
        assert (await unsigned.ask("GET", manifest)).status_code == 200
        assert (await with_token.ask("GET", manifest)).status_code == 200
        for guest in (unsigned, with_token):
            assert is_refused(client, await guest.ask("GET", manifest))
        assert (await client.send("GET", manifest)).status_code == 200


async def test_what_is_refused_for_want_of_rights_costs_nothing_and_uses_nothing_up(
    settings: Settings, clock: Clock, repository: str
) -> None:
    """Otherwise anybody without a password could use up what all are to share."""
    async with limited(settings, clock, read=1, read_total=1) as client:
        wrong = Guest(client, basic("admin", "not the password of the admin"))
        for guest in (Guest(client), wrong, Guest(client, "Bearer x")):
            for path in ("/v2/", f"/v2/{repository}/tags/list", "/v2/nowhere"):
                assert (await guest.ask("GET", path)).status_code == 401
                assert client.cost == (0, 0)
        assert (await client.send("GET", "/v2/")).status_code == 200
        assert is_refused(client, await client.send("GET", "/v2/"))


async def test_all_identities_together_have_a_limit(
    settings: Settings, clock: Clock, repository: str
) -> None:
    async with limited(settings, clock, read=2, read_total=3) as client:
        one, two = await token_of(client, repository), await token_of(client, repository)
        for guest in (one, two, one):
            assert (await guest.ask("GET", "/v2/")).status_code == 200
        answer = await two.ask("GET", "/v2/")
        assert is_refused(client, answer)
        assert "REGISTRY_RATE_LIMIT_READ_TOTAL" in answer.text
        assert is_refused(client, await admin_of(client).ask("GET", "/v2/"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/oauth2/token"),
        ("POST", "/oauth2/token"),
        ("POST", "/oauth2/exchange"),
        ("GET", "/oauth2/keys"),
    ],
)
async def test_sign_ins_are_counted_by_address_whoever_they_are_of(
    settings: Settings, clock: Clock, method: str, path: str
) -> None:
    async with limited(settings, clock, sign_in=2) as client:
        guests = (Guest(client), admin_of(client))
        here, there = ({"X-Forwarded-For": each} for each in ("203.0.113.7", "203.0.113.8"))
        for guest in guests:
            assert (await guest.ask(method, path, headers={**here})).status_code != 429
        for guest in guests:
            assert is_refused(client, await guest.ask(method, path, headers={**here}))
            assert (await guest.ask(method, path, headers={**there})).status_code != 429


async def test_sign_ins_and_other_requests_are_counted_apart(
    settings: Settings, clock: Clock
) -> None:
    async with limited(settings, clock, sign_in_total=1, read_total=1) as client:
        admin = admin_of(client)
        signed_in = await admin.with_token("registry:catalog:*")
        assert is_refused(client, await admin.token("registry:catalog:*"))
        assert (await signed_in.ask("GET", "/v2/")).status_code == 200


async def test_what_is_left_is_shown_where_acr_shows_it(
    settings: Settings, clock: Clock, repository: str
) -> None:
    limits = {"read": 600, "delete": 600, "delete_total": 300, "sign_in": 600}
    async with limited(settings, clock, **limits) as client:
        image = await client.push_image(repository)
        path = f"/v2/{repository}/manifests/{image.digest}"
        answer = await admin_of(client).token("registry:catalog:*")
        assert answer.headers[LEFT] == "9.98"
        # Of all together there are fewer left.
        assert (await client.send("DELETE", path)).headers[LEFT] == "4.98"
        assert (await client.send("DELETE", path)).headers[LEFT] == "4.97"
        assert LEFT not in (await client.send("GET", "/v2/")).headers
    async with limited(settings, clock) as client:
        assert LEFT not in (await admin_of(client).token("registry:catalog:*")).headers


async def test_the_setting_switches_them_off_and_each_limit_is_read_from_its_own(
    settings: Settings, repository: str
) -> None:
    """As `from_environment` reads them, and with the clock that an instance has."""
    for rate_limits, refuses in ((None, False), (RateLimits(read=1), True)):
        async with connect(replace(settings, rate_limits=rate_limits)) as client:
            path = f"/v2/{repository}/tags/list"
            assert (await client.send("GET", path)).status_code == 404
            assert is_refused(client, await client.send("GET", path)) is refuses


async def test_the_health_check_is_never_limited(settings: Settings, clock: Clock) -> None:
    limits = {f"{kind}{suffix}": 1 for kind in RequestKind for suffix in ("", "_total")}
    async with limited(settings, clock, **limits) as client:
        await client.send("GET", "/v2/")
        assert is_refused(client, await client.send("GET", "/v2/"))
        checks = health.Health()
        for _ in range(20):
            assert (await checks.get(client.registry)).status_code == 200


@pytest.mark.long
async def test_by_default_a_build_pushes_and_pulls_64_images_at_once(
    settings: Settings, clock: Clock, repository: str
) -> None:
    """By one identity on one instance, within one moment."""
    async with connect(settings, rate_limiter=RateLimiter(RateLimits(), clock.now)) as client:

        async def push_and_pull(number: int) -> bool:
            own = f"{repository}-{number}"
            return await is_pullable(client, own, await client.push_image(own))

        assert all(await asyncio.gather(*map(push_and_pull, range(64))))
