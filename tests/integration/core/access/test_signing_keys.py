"""The keys that sign tokens: made once, shared, rotated with an overlap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob.aio import BlobServiceClient

from registry_core.access import signing_keys
from registry_core.access.signing_keys import SigningKeys
from registry_core.errors import Unavailable
from registry_core.settings import Settings
from registry_core.storage.calls import traced
from registry_core.storage.connection import Connection
from tests.integration.core.support import Client, connect
from tests.interference.kinds import Divert, Hold, Interference, SeenCall
from tests.patience import PATIENCE


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has clients made after this read thrice without a pause, however long that takes."""
    monkeypatch.setattr("registry_core.storage.wire.READ_BACK_OFF_SECONDS", 0)
    monkeypatch.setattr("registry_core.access.signing_keys._PATIENCE_SECONDS", PATIENCE)


@pytest.fixture
async def connection(client: Client) -> AsyncIterator[Connection]:
    """A connection to storage where no key has been made yet, nor is one of these tests left."""
    await forget_keys(client)
    yield client.services.connection
    client.hook.plan = None
    await forget_keys(client)


async def forget_keys(client: Client) -> None:
    storage = client.registry.settings.storage
    async with BlobServiceClient.from_connection_string(storage.connection_string) as service:
        container = service.get_container_client(signing_keys.CONTAINER)
        async for blob in container.list_blobs(name_starts_with="keys/tokens"):
            await container.delete_blob(blob.name)


async def test_of_many_instances_at_once_one_makes_the_key_and_all_use_it(
    connection: Connection,
) -> None:
    made = await asyncio.gather(*(SigningKeys(connection).signing() for _ in range(10)))
    assert len({key.kid for key in made}) == 1


@pytest.mark.rule("S6")
async def test_a_new_key_signs_when_every_instance_has_read_it(
    connection: Connection, clock: Clock
) -> None:
    one, two = SigningKeys(connection, clock), SigningKeys(connection, clock)
    first = await one.signing()
    await two.signing()
    clock.time += timedelta(days=31)
    assert await one.rotate()
    assert (await one.signing()).kid == first.kid
    clock.time += timedelta(minutes=59)
    assert (await two.signing()).kid == first.kid
    clock.time += timedelta(minutes=2)
    second = await one.signing()
    assert second.kid != first.kid
    # The other has not read since; it finds what it does not know, and keeps what it does.
    assert await two.find(second.kid)
    assert await two.find(first.kid)


async def test_an_old_key_is_kept_until_nothing_it_signed_is_good(
    connection: Connection, clock: Clock
) -> None:
    signing = SigningKeys(connection, clock)
    first = await signing.signing()
    clock.time += timedelta(days=31)
    await signing.rotate()
    clock.time += timedelta(hours=24)
    await signing.rotate()
    assert await signing.find(first.kid)
    clock.time += timedelta(hours=2)
    await signing.rotate()
    assert await signing.find(first.kid) is None
    assert len(await signing.list()) == 1


async def test_a_rotation_that_is_not_due_or_is_done_twice_changes_nothing(
    connection: Connection, clock: Clock
) -> None:
    signing = SigningKeys(connection, clock)
    await signing.signing()
    clock.time += timedelta(days=29)
    assert not await signing.rotate()
    clock.time += timedelta(days=2)
    both = await asyncio.gather(*(SigningKeys(connection, clock).rotate() for _ in range(5)))
    assert both.count(True) == 1
    assert len(await signing.list()) == 2


async def test_a_registry_without_a_key_gets_its_first_from_the_timer(
    connection: Connection, clock: Clock
) -> None:
    signing = SigningKeys(connection, clock)
    assert await signing.rotate()
    (only,) = await signing.list()
    assert (await signing.signing()).kid == only.kid


@pytest.mark.rule("S6")
async def test_an_unknown_key_is_looked_for_once_in_half_a_minute(
    connection: Connection, client: Client, clock: Clock
) -> None:
    signing = SigningKeys(connection, clock)
    await signing.signing()
    clock.time += timedelta(seconds=31)
    before = client.registry.hook.total
    for number in range(100):
        assert await signing.find(f"unknown-{number}") is None
    assert client.registry.hook.total - before == 1


async def test_those_who_come_while_the_keys_are_read_wait_for_that(
    connection: Connection, client: Client
) -> None:
    signing = SigningKeys(connection)
    kid = (await SigningKeys(connection).signing()).kid
    before = client.registry.hook.total
    found = await asyncio.gather(
        *(signing.find(kid if number % 2 else f"unknown-{number}") for number in range(100)),
        *(signing.signing() for _ in range(100)),
    )
    assert client.registry.hook.total - before == 1
    assert {key.kid if key else None for key in found} == {kid, None}


@pytest.mark.rule("S6")
async def test_storage_that_fails_makes_no_token_wrong_and_is_left_alone_for_a_while(
    hasty: None, connection: Connection, client: Client, clock: Clock
) -> None:
    signing = SigningKeys(connection, clock)
    kid = (await SigningKeys(connection).signing()).kid
    before = client.registry.hook.total

    def plan(_: SeenCall) -> Interference:
        return Divert("http://127.0.0.1:9/")

    client.hook.plan = plan
    failed = await asyncio.gather(*(signing.find(kid) for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in failed} == {Unavailable}
    assert client.registry.hook.total - before == 3  # One read, as often as the SDK tries.
    client.hook.plan = None
    clock.time += timedelta(seconds=2)
    assert await signing.find(kid)


async def test_storage_that_does_not_answer_keeps_a_token_waiting_for_seconds_and_no_more(
    connection: Connection, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry_core.access.signing_keys._PATIENCE_SECONDS", 0.2)
    signing = SigningKeys(connection)

    def plan(_: SeenCall) -> Interference:
        return Hold(asyncio.Event().wait)

    client.hook.plan = plan
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Unavailable):
            await signing.find("unknown")
        with pytest.raises(Unavailable):
            await signing.signing()


async def ended(*instances: SigningKeys) -> None:
    """Waits for what they do beside requests."""
    await asyncio.gather(*(each._rotation for each in instances if each._rotation))


@pytest.mark.rule("S6")
async def test_where_the_timer_has_stopped_instances_that_sign_make_one_new_key(
    connection: Connection, clock: Clock
) -> None:
    instances = [SigningKeys(connection, clock) for _ in range(5)]
    first = await instances[0].signing()
    clock.time += timedelta(days=31, seconds=1)
    signed = await asyncio.gather(*(each.signing() for each in instances))
    assert {key.kid for key in signed} == {first.kid}
    await ended(*instances)
    found = await instances[0].list()
    assert len(found) == 2
    assert found[-1].signs_from == clock.time + timedelta(hours=1)
    clock.time += timedelta(hours=1)
    signed = await asyncio.gather(*(each.signing() for each in instances))
    assert {key.kid for key in signed} == {found[-1].kid}
    await ended(*instances)
    assert len(await instances[0].list()) == 2


async def test_a_rotation_that_the_timer_may_still_do_is_left_to_it(
    connection: Connection, client: Client, clock: Clock
) -> None:
    signing = SigningKeys(connection, clock)
    await signing.signing()
    clock.time += timedelta(days=31)
    clock.time -= timedelta(seconds=1)
    before = client.registry.hook.total
    await signing.signing()
    await signing.close()
    assert client.registry.hook.total - before == 1
    assert len(await signing.list()) == 1


async def test_a_key_that_is_over_is_dropped_by_who_signs_where_the_timer_has_stopped(
    connection: Connection, clock: Clock
) -> None:
    signing = SigningKeys(connection, clock)
    first = await signing.signing()
    clock.time += timedelta(days=1)
    await signing.rotate(max_age=timedelta(0))  # As by `slipway key rotate --force`.
    clock.time += timedelta(days=2, hours=1, seconds=1)
    await signing.signing()
    await ended(signing)
    assert first.kid not in {key.kid for key in await signing.list()}


async def test_no_request_waits_for_a_rotation_or_is_charged_for_it(
    connection: Connection, client: Client, clock: Clock
) -> None:
    signing = SigningKeys(connection, clock)
    await signing.signing()
    clock.time += timedelta(days=40)
    may_write = asyncio.Event()

    def plan(call: SeenCall) -> Interference | None:
        return Hold(may_write.wait) if call.method == "PUT" else None

    client.hook.plan = plan
    with traced() as trace:
        await signing.signing()
        may_write.set()
        await ended(signing)
    assert trace.count == 1
    assert len(await signing.list()) == 2


async def test_a_rotation_that_fails_fails_no_request_and_is_tried_with_the_next_read(
    connection: Connection, client: Client, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    signing = SigningKeys(connection, clock)
    first = await signing.signing()
    clock.time += timedelta(days=40)
    refused = 0

    def plan(call: SeenCall) -> Interference | None:
        nonlocal refused
        if call.method != "PUT":
            return None
        refused += 1
        return Divert("http://127.0.0.1:9/")

    client.hook.plan = plan
    for _ in range(3):
        assert (await signing.signing()).kid == first.kid
        await ended(signing)
    assert refused == 1
    assert "could not be rotated" in caplog.text
    client.hook.plan = None
    clock.time += timedelta(minutes=16)
    assert (await signing.signing()).kid == first.kid
    await ended(signing)
    assert len(await signing.list()) == 2


async def test_an_instance_that_ends_in_a_rotation_leaves_it_to_another(
    connection: Connection, client: Client, clock: Clock
) -> None:
    ending, other = SigningKeys(connection, clock), SigningKeys(connection, clock)
    await ending.signing()
    clock.time += timedelta(days=40)
    reached = asyncio.Event()

    async def forever() -> None:
        reached.set()
        await asyncio.Event().wait()

    def plan(call: SeenCall) -> Interference | None:
        return Hold(forever) if call.method == "PUT" else None

    client.hook.plan = plan
    await ending.signing()
    await reached.wait()
    await ending.close()
    client.hook.plan = None
    await other.signing()
    await ended(other)
    assert len(await other.list()) == 2


@pytest.mark.usefixtures("connection")
async def test_tokens_outlive_the_rotation_of_their_key(settings: Settings) -> None:
    async with connect(settings) as client:
        before = await client.services.signing_keys.signing()
        await client.services.signing_keys.rotate(max_age=timedelta(0))
        assert (await client.services.signing_keys.signing()).kid == before.kid
        assert await client.services.signing_keys.find(before.kid)
