"""A deletion announces what it frees before it frees it, and who hears of it collects just that."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from devhost.processes.azurite import Azurite
from registry_core.errors import Unavailable
from registry_core.lifecycle import messages
from registry_core.model.change import DeleteManifests, DeleteRepository
from registry_core.model.digest import Digest
from registry_core.model.messages import Kind, Message
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.settings import Settings
from tests.integration.core.collection.mailbox import Mailbox, collect
from tests.integration.core.collection.support import blob_partition
from tests.integration.core.support import (
    OCI_INDEX,
    Client,
    Image,
    connect,
    digest_of,
    index_of,
    is_pullable,
    kinds,
    rows,
)
from tests.interference.kinds import Drop, Interference, Killed, Refuse, SeenCall
from tests.interference.ways import CLOSES_NOTHING, DEATHS, plan

pytestmark = [pytest.mark.rule("D9", "G12")]

MOST_CALLS_OF_A_BLOB = 6
NOW = datetime(2026, 12, 31, tzinfo=UTC)


@pytest.fixture
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One for each test: nobody else's messages are in its queue."""
    with Azurite(tmp_path_factory.mktemp("messages")) as running:
        yield running


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Messages are seen at once. No environment can say so."""
    return replace(settings, gc_grace=timedelta(0))


@pytest.fixture
async def mailbox(azurite: Azurite) -> AsyncIterator[Mailbox]:
    async with Mailbox(azurite.connection_string) as opened:
        yield opened


async def delete(client: Client, repository: str, image: Image) -> int:
    url = f"/v2/{repository}/manifests/{image.digest}"
    return (await client.send("DELETE", url)).status_code


def digests_of(image: Image) -> set[Digest]:
    return {Digest.parse(digest_of(blob)) for blob in image.blobs}


def is_sending(call: SeenCall) -> bool:
    return call.service == "queue"


# What is announced.


@pytest.mark.parametrize(
    ("grace", "seconds"), [(timedelta(hours=30), 108_000), (timedelta(days=30), 604_800)]
)
async def test_a_message_of_a_deletion_is_hidden_for_the_grace_period_and_never_expires(
    settings: Settings, repository: str, grace: timedelta, seconds: int
) -> None:
    """Or for as long as storage grants: it is sent on then."""
    async with connect(replace(settings, gc_grace=grace)) as client:
        image = await client.push_image(repository)
        assert await delete(client, repository, image) == 202
        (sent,) = (call for call in client.trace.calls if call.service == "queue")
        assert sent.query == f"visibilitytimeout={seconds}&messagettl=-1"
        assert sent.status == 201


async def test_a_deletion_of_a_manifest_announces_the_blobs_that_it_needs(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    image = await client.push_image(repository)
    large = Image.make(annotations={"fill": "x" * 600_000})
    for blob in large.blobs:
        await client.push_blob(repository, blob)
    await client.put_manifest(repository, "large", large.manifest)
    assert await mailbox.messages() == []
    await delete(client, repository, image)
    (message,) = await mailbox.messages()
    assert (message.kind, message.repository.text) == (Kind.FREED, repository)
    assert set(message.digests) == digests_of(image)
    await delete(client, repository, large)
    (message,) = await mailbox.messages()
    # It lies in a blob of its own.
    assert set(message.digests) == digests_of(large) | {Digest.parse(large.digest)}


async def test_a_deletion_of_a_blob_announces_it(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    await client.push_image(repository)
    digest = await client.push_blob(repository, b"alone")
    answer = await client.send("DELETE", f"/v2/{repository}/blobs/{digest}")
    assert answer.status_code == 202
    found = await mailbox.messages()
    assert [message.digests for message in found] == [(Digest.parse(digest),)]


async def test_a_deletion_that_is_refused_deletes_nothing_and_what_is_announced_stays(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    image = await client.push_image(repository)
    (blob, _) = image.blobs
    answer = await client.send("DELETE", f"/v2/{repository}/blobs/{digest_of(blob)}")
    assert answer.status_code == 405
    stray = Message(Kind.FREED, RepositoryName(repository), tuple(digests_of(image)), NOW)
    report = await collect(client, stray)
    assert not report.gone
    assert await is_pullable(client, repository, image)
    assert await mailbox.messages() == []


async def test_many_manifests_are_announced_in_few_messages_and_each_blob_once(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    images = [await client.push_image(repository, f"v{number}") for number in range(30)]
    change = DeleteManifests(tuple(Digest.parse(image.digest) for image in images))
    name = RepositoryName(repository)
    await client.services.bulk_deletions.delete_manifests(name, change, lambda _: None)
    (message,) = await mailbox.messages()
    assert sorted(message.digests) == sorted(d for image in images for d in digests_of(image))


async def test_a_deletion_of_a_repository_announces_all_that_is_in_it(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    images = [await client.push_image(repository, f"v{number}") for number in range(3)]
    index = index_of([image.descriptor for image in images])
    await client.put_manifest(repository, "all", index, OCI_INDEX)
    name = RepositoryName(repository)
    await client.services.bulk_deletions.delete_repository(name, DeleteRepository(), lambda _: None)
    (message,) = await mailbox.messages()
    assert set(message.digests) == {d for image in images for d in digests_of(image)}


# What cannot be announced is not deleted.


@pytest.mark.parametrize("what", ["manifest", "blob"])
async def test_what_cannot_be_announced_is_not_deleted(
    client: Client, mailbox: Mailbox, repository: str, what: str
) -> None:
    image = await client.push_image(repository)
    digest = await client.push_blob(repository, b"alone")
    url = f"/v2/{repository}/manifests/{image.digest}"
    if what == "blob":
        url = f"/v2/{repository}/blobs/{digest}"
    client.hook.plan = lambda call: Refuse() if is_sending(call) else None
    answer = await client.send("DELETE", url)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    client.hook.plan = None
    assert await is_pullable(client, repository, image)
    client.forget()
    assert (await client.send("HEAD", f"/v2/{repository}/blobs/{digest}")).status_code == 200
    assert await mailbox.count() == 0
    assert (await client.send("DELETE", url)).status_code == 202
    assert len(await mailbox.messages()) == 1


@pytest.mark.parametrize("fault", [Refuse, Drop])
async def test_a_message_whose_sending_fails_once_is_sent_again(
    client: Client, mailbox: Mailbox, repository: str, fault: type[Interference]
) -> None:
    image = await client.push_image(repository)
    planned = [fault()]
    client.hook.plan = lambda call: planned.pop() if planned and is_sending(call) else None
    assert await delete(client, repository, image) == 202
    assert not planned
    found = await mailbox.messages()
    # One whose answer was lost was there already.
    assert len(found) == (2 if fault is Drop else 1)
    assert {frozenset(message.digests) for message in found} == {frozenset(digests_of(image))}


async def test_a_queue_that_is_missing_is_made(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    image = await client.push_image(repository)
    await mailbox.delete()
    assert await delete(client, repository, image) == 202
    assert len(await mailbox.messages()) == 1


# What is done.


async def test_the_bytes_of_a_deleted_image_are_back_after_two_messages_and_six_calls_a_blob(
    client: Client, mailbox: Mailbox, repository: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = await client.push_image(repository, "kept")
    image = await client.push_image(repository, "v1")
    await delete(client, repository, image)
    caplog.set_level(logging.INFO, logger="slipway.collection")
    calls = client.hook.total
    (first,) = await mailbox.messages()
    rows_gone = await collect(client, first)
    gone = {"need": 2, "link": 2, "content": 2, "tombstone": 2}
    assert rows_gone.columns["Gone"] == gone
    assert rows_gone.size == 0
    (second,) = await mailbox.messages()
    assert second.digests == first.digests
    objects_gone = await collect(client, second)
    assert objects_gone.columns["Gone"] == {"object": 2}
    assert objects_gone.size == sum(map(len, image.blobs))
    assert await mailbox.count() == 0
    # Beside the blobs, three for the repository each time, and the message between the two.
    assert client.hook.total - calls <= MOST_CALLS_OF_A_BLOB * 2 + 2 * 4 + 1
    for blob in image.blobs:
        assert await blob_partition(client, digest_of(blob)) == {}
    assert await is_pullable(client, repository, kept)
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(line["Message"], line["Digests"], line["Later"]) for line in lines] == [
        ("freed", 2, 2),
        ("freed", 2, 0),
    ]
    assert [line["Bytes"] for line in lines] == [0, objects_gone.size]


async def test_two_at_once_and_a_third_later_do_what_one_would_have_done(
    client: Client, other: Client, mailbox: Mailbox, repository: str
) -> None:
    kept = await client.push_image(repository, "kept")
    image = await client.push_image(repository, "v1")
    await delete(client, repository, image)
    (first,) = await mailbox.messages()
    await asyncio.gather(collect(client, first), collect(other, first))
    later = await mailbox.messages()
    assert {frozenset(message.digests) for message in later} == {frozenset(digests_of(image))}
    await asyncio.gather(*(collect(client, message) for message in later))
    await collect(other, first)
    for blob in image.blobs:
        assert await blob_partition(client, digest_of(blob)) == {}
    assert await is_pullable(client, repository, kept)
    assert await mailbox.count() == 0


async def test_what_was_pushed_again_meanwhile_stays(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await delete(client, repository, image)
    (message,) = await mailbox.messages()
    await client.put_manifest(repository, "v2", image.manifest)
    await collect(client, message)
    assert await is_pullable(client, repository, image)
    assert await mailbox.count() == 0


async def test_what_there_was_no_time_for_comes_again_at_once(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await delete(client, repository, image)
    (message,) = await mailbox.messages()
    await collect(client, message, seconds=0)
    for blob in image.blobs:
        assert await blob_partition(client, digest_of(blob)) != {}
    (again,) = await mailbox.messages()
    assert again.digests == message.digests
    assert again.due <= datetime.now(UTC)


async def test_a_message_fails_where_a_visit_fails_and_its_repeat_does_the_rest(
    client: Client, mailbox: Mailbox, repository: str, caplog: pytest.LogCaptureFixture
) -> None:
    image = await client.push_image(repository, "v1")
    await delete(client, repository, image)
    (message,) = await mailbox.messages()
    broken = digest_of(image.layer)
    client.hook.plan = lambda call: (
        Refuse() if any(each.partition == broken for each in call.operations) else None
    )
    caplog.set_level(logging.INFO, logger="slipway.collection")
    with pytest.raises(Unavailable):
        await collect(client, message)
    client.hook.plan = None
    (record,) = caplog.records
    assert (record.levelname, json.loads(record.getMessage())["Failed"]) == ("WARNING", 1)
    assert await mailbox.count() == 0
    assert await blob_partition(client, broken) != {}
    await collect(client, message)
    (later,) = await mailbox.messages()
    await collect(client, later)
    for blob in image.blobs:
        assert await blob_partition(client, digest_of(blob)) == {}


async def test_a_repository_whose_last_deletion_died_ends_with_its_message(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    images = [await client.push_image(repository, f"v{number}") for number in range(2)]
    change = DeleteManifests(tuple(Digest.parse(image.digest) for image in images))
    client.hook.plan = dying_after_the_transaction()
    with pytest.raises(Unavailable):
        await client.services.bulk_deletions.delete_manifests(
            RepositoryName(repository), change, lambda _: None
        )
    client.hook.plan = None
    assert await kinds(client, repository) == ["h", "hd", "hu", "hw"]
    for message in await mailbox.messages():
        await collect(client, message)
    assert await rows(client, repository) == {}
    listed = (await client.send("GET", "/v2/_catalog")).json()["repositories"]
    assert repository not in listed


def dying_after_the_transaction() -> Callable[[SeenCall], Interference | None]:
    """Storage does not answer any more once manifests have gone."""
    is_dead = list[bool]()

    def plan(call: SeenCall) -> Interference | None:
        if is_dead:
            return Refuse()
        if any(each.first.startswith("m:") and not each.is_read for each in call.operations):
            is_dead.append(True)
        return None

    return plan


# Messages that are not due, or cannot be read.


@CLOSES_NOTHING
@pytest.mark.rule("D8")
@pytest.mark.parametrize("way", DEATHS)
async def test_a_deletion_of_a_repository_that_stopped_anywhere_is_ended_by_its_message(
    client: Client, mailbox: Mailbox, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """Once it has begun: nobody can push to it, so somebody has to end it."""
    caplog.set_level(logging.INFO, logger="slipway.audit")

    async def fill(name: str) -> list[Image]:
        images = [await client.push_image(name, tag) for tag in ("one", "two")]
        index = index_of(each.descriptor for each in images)
        answer = await client.put_manifest(name, "all", index, OCI_INDEX)
        assert answer.status_code == 201
        return images

    stopped = 0
    for number in itertools.count(1):
        name = f"stops/{number}"
        images = await fill(name)
        await mailbox.bodies()
        plan(client.hook, way, number)
        with suppress(Killed):
            await client.send("DELETE", f"/acr/v1/{name}")
            break
        client.hook.plan = None
        found = await rows(client, name)
        is_begun = not found or bool(found[repository_rows.REPOSITORY].text("Deleting"))
        stopped += is_begun and bool(found)
        caplog.clear()
        for message in await mailbox.messages():
            await collect(client, message)
        if is_begun:
            # Of what had no manifest left by then, rows of children may wait for a walk.
            assert all(key in repository_rows.CHILDREN for key in await rows(client, name)), number
        else:
            assert all([await is_pullable(client, name, each) for each in images]), number
        if found:  # Else it had ended, and its entry may wait for a walk.
            listed = (await client.send("GET", "/v2/_catalog", params={"n": "1000"})).json()
            assert (name in listed["repositories"]) == (not is_begun), number
        # What went is told, in nobody's name.
        told = [json.loads(each.getMessage()) for each in caplog.records]
        gone = [each for each in told if each.get("OperationName") == "Delete"]
        live = {key for key, row in found.items() if repository_rows.is_live(row)}
        left = [key for key in live if key in repository_rows.MANIFESTS]
        assert len(gone) == (len(left) if is_begun else 0), number
        assert not any(each.get("Identity") for each in gone)
    assert stopped > 3


async def test_a_message_that_comes_early_is_sent_on_for_as_long_as_storage_grants(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await delete(client, repository, image)
    (message,) = await mailbox.messages()
    connection, settings = client.services.connection, client.registry.settings
    begun = datetime.now(UTC)
    sent = list[str]()

    def note(call: SeenCall) -> None:
        sent.append(str(call.query))

    client.hook.plan = note
    for left, seconds in ((timedelta(days=20), 604_800), (timedelta(hours=1), 3_600)):
        early = replace(message, due=begun + left)
        await messages.take(connection, settings, str(early).encode(), lambda: begun)
        assert sent.pop() == f"visibilitytimeout={seconds}&messagettl=-1"
        assert sent == []
    assert await blob_partition(client, digest_of(image.layer)) != {}
    assert await mailbox.count() == 2


async def test_a_message_that_is_due_is_done_by_the_ages_of_the_settings(
    client: Client, mailbox: Mailbox, repository: str
) -> None:
    """However short the settings are: what was deleted a moment ago is young."""
    image = await client.push_image(repository, "v1")
    await delete(client, repository, image)
    (body,) = await mailbox.bodies()
    connection, settings = client.services.connection, client.registry.settings
    await messages.take(connection, settings, body)
    assert len(await blob_partition(client, digest_of(image.layer))) == 4
    # What is young is looked at once more when it is old.
    assert await mailbox.count() == 1
    later = lambda: datetime.now(UTC) + timedelta(hours=1, minutes=1)  # noqa: E731
    await messages.take(connection, settings, body, later)
    left = await blob_partition(client, digest_of(image.layer))
    assert [key.partition(":")[0] for key in left] == ["x"]


@pytest.mark.parametrize("body", [b"\xff", b"{}", b'{"version": 9}'])
async def test_a_message_that_cannot_be_read_fails_and_is_told_of(
    client: Client, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        await messages.take(client.services.connection, client.registry.settings, body)
    assert "cannot be read" in caplog.text
