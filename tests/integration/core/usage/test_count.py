"""The count of everything that storage has: a part a night, and all of it by the command."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from devhost.processes.azurite import Azurite
from registry_core.lifecycle import nightly
from registry_core.lifecycle.collection.ages import Ages
from registry_core.lifecycle.usage import tonight
from registry_core.lifecycle.usage.count import Count
from registry_core.lifecycle.usage.total import PARTS, Total, Totals
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.storage.calls import traced
from registry_core.storage.documents import Documents
from tests.integration.core.collection.support import NO_AGE, Collecting, stores_of
from tests.integration.core.support import OCI_LAYER, Client, Image, descriptor, push_blobs
from tests.integration.core.support import rows as rows_of
from tests.integration.monitor import listening
from tests.interference.kinds import Hold, SeenCall

NOW = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MOST_CALLS_OF_A_QUIET_NIGHT = 12


@pytest.fixture
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One for each test: a count meets nothing of others."""
    with Azurite(tmp_path_factory.mktemp("count")) as running:
        yield running


def counting(client: Client) -> Count:
    return Count.of(client.services.connection, client.services.settings)


def at(time: datetime) -> Callable[[], datetime]:
    return lambda: time


async def whole(client: Client, as_of: datetime | None = None) -> Total:
    """The total after each part was counted."""
    found = None
    for part in range(PARTS):
        found = await counting(client).run(part, as_of or datetime.now(UTC))
    assert found
    assert found.is_complete
    return found


async def sharing(client: Client, repository: str, image: Image) -> Image:
    """Pushes an image with a layer of its own, and that of another repository's."""
    own = Image.make()
    layers = [descriptor(OCI_LAYER, each.layer) for each in (image, own)]
    made = own.with_manifest(layers=layers)
    await client.push_blob(repository, image.layer)
    await push_blobs(client, repository, own)
    answer = await client.put_manifest(repository, "v1", made.manifest)
    assert answer.status_code == 201, answer.text
    return made


async def test_a_layer_of_several_repositories_counts_once_and_is_shared(client: Client) -> None:
    image = await client.push_image("team/one", "v1")
    second = await sharing(client, "team/two", image)
    found = await whole(client)
    size = sum(map(len, (*image.blobs, *second.blobs)))
    figures = found.figures
    assert (figures.blobs, figures.size) == (4, size)
    assert (figures.shared, figures.shared_size) == (1, len(image.layer))
    assert (figures.waiting, found.uploads, found.repositories) == (0, 0, 2)
    assert found.stored_size == size


async def test_the_bytes_are_those_that_the_container_has_whatever_becomes_of_them(
    client: Client,
) -> None:
    """Of what is needed, of what waits in each stage of its collection, and of uploads."""
    await client.push_image("team/app", "v1")
    doomed = await client.push_image("team/app", "v2")
    await client.send("DELETE", f"/v2/team/app/manifests/{doomed.digest}")
    upload = await client.begin("team/app")
    await client.patch(upload, secrets.token_bytes(333))

    async def stored() -> int:
        pages = client.services.content.contents("uploads/")
        return sum([each.size async for page in pages for each in page.objects])

    waiting = sum(map(len, doomed.blobs))
    found = await whole(client)
    assert (found.figures.waiting, found.figures.waiting_size) == (2, waiting)
    assert (found.uploads, found.uploads_size, found.stored_size) == (1, 333, await stored())
    # The rows go, the objects wait.
    await Collecting(client, replace(NO_AGE, doomed=DAY, upload=DAY)).everything()
    assert (await stored()) == found.stored_size
    later = await whole(client)
    assert (later.figures.waiting_size, later.figures.doomed_size) == (waiting, waiting)
    assert later.figures.size == found.figures.size - waiting
    assert later.stored_size == found.stored_size
    await Collecting(client).everything()
    last = await whole(client)
    assert (last.figures.waiting, last.stored_size) == (0, await stored())


async def test_each_part_has_its_own_time_and_all_of_them_are_everything(client: Client) -> None:
    images = [await client.push_image(f"team/app-{number}", "v1") for number in range(3)]
    found = None
    for part in range(PARTS):
        assert found is None or not found.is_complete
        found = await counting(client).run(part, NOW + timedelta(days=part))
    assert found
    assert (found.oldest, found.as_of) == (NOW, NOW + timedelta(days=PARTS - 1))
    assert found.figures.size == sum(len(blob) for image in images for blob in image.blobs)
    totals = Totals(Documents(client.services.connection, "system"), client.services.totals._cache)
    assert await totals.get() == found


async def test_repositories_are_told_what_they_share_and_none_is_made(client: Client) -> None:
    image = await client.push_image("team/one", "v1")
    await sharing(client, "team/two", image)
    await client.push_image("team/alone", "v1")
    usages = client.services.usages
    counted = await usages.of(RepositoryName("team/one"))  # It has a row; the other gets one.
    total = await whole(client)
    one = await usages.of(RepositoryName("team/one"))
    assert (one.counted, one.is_current) == (counted.counted, True)
    two = await usages.of(RepositoryName("team/two"))
    alone = await usages.of(RepositoryName("team/alone"))
    shared = len(image.layer)
    assert [total.shared(each.shared) for each in (one, two, alone)] == [shared, shared, 0]
    assert Total().shared(one.shared) is None
    # Its links are there until they are collected, and it is gone.
    await client.send("DELETE", "/acr/v1/team/two")
    await Collecting(client).repository("team/two")
    await whole(client)
    assert rows.USAGE not in await rows_of(client, "team/two")


async def test_a_night_in_which_nothing_happened_takes_few_calls(client: Client) -> None:
    for tag in ("v1", "v2", "v3"):
        await client.push_image("team/app", tag)
    for part in range(PARTS):
        with traced() as trace:
            await counting(client).run(part, datetime.now(UTC))
        assert trace.count <= MOST_CALLS_OF_A_QUIET_NIGHT, trace.count


async def test_two_at_once_and_one_that_is_repeated_count_the_same(
    client: Client, other: Client
) -> None:
    image = await client.push_image("team/one", "v1")
    await sharing(client, "team/two", image)
    found = await asyncio.gather(whole(client, NOW), whole(other, NOW))
    assert found[0].figures == found[1].figures
    again = await whole(client, NOW)
    assert again.figures == found[0].figures


async def test_of_two_that_write_at_once_neither_loses_the_parts_of_the_other(
    client: Client, other: Client
) -> None:
    await client.push_image("team/one", "v1")

    async def count() -> None:
        await counting(other).run(1, NOW)

    holds = [Hold(before_gate=count)]

    def between(call: SeenCall) -> Hold | None:
        is_written = call.method == "PUT" and "usage.json" in call.url
        return holds.pop() if is_written and holds else None

    client.hook.plan = between
    total = await counting(client).run(0, NOW)
    client.hook.plan = None
    assert not holds
    assert total
    assert set(total.parts) == {0, 1}


async def test_a_part_that_cannot_be_counted_in_time_changes_nothing(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await client.push_image("team/one", "v1")
    caplog.set_level(logging.INFO, logger="slipway.usage")
    assert await tonight.count(counting(client), at(NOW), seconds=-1) is None
    assert await client.services.totals.get() == Total()
    line = json.loads(caplog.records[-1].getMessage())
    assert line["IsTooLarge"] is True
    assert caplog.records[-1].levelname == "WARNING"


async def test_a_week_of_nights_counts_all_and_each_tells_it_in_one_line(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    image = await client.push_image("team/one", "v1")
    caplog.set_level(logging.INFO, logger="slipway.usage")
    for number in range(PARTS):
        night = NOW + timedelta(days=number)
        await tonight.count(counting(client), at(night))
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert len({line["Part"] for line in lines}) == PARTS
    assert [line["IsComplete"] for line in lines] == [False] * (PARTS - 1) + [True]
    size = sum(map(len, image.blobs))
    assert (lines[-1]["Bytes"], lines[-1]["StoredBytes"]) == (size, size)
    await tonight.count_tonight(client.services.connection, client.registry.settings)
    assert json.loads(caplog.records[-1].getMessage())["IsComplete"]


async def test_the_count_of_uploads_looks_at_the_days_that_collection_leaves_alone(
    client: Client,
) -> None:
    await client.patch(await client.begin("team/app"), b"some bytes")
    stores, totals = stores_of(client), client.services.totals
    count = Count(stores, totals, Ages(timedelta(0), timedelta(days=2), timedelta(0)))
    now = datetime.now(UTC)
    found = await count.run(0, now)
    assert found
    assert (found.uploads, found.uploads_size) == (1, 10)
    found = await count.run(0, now + timedelta(days=4))
    assert found
    assert found.uploads == 0


async def test_what_a_night_frees_is_told_to_azure_monitor(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ages of this test alone, and all of the registry in each night."""
    image = await client.push_image("team/app", "v1")
    await client.send("DELETE", f"/v2/team/app/manifests/{image.digest}")
    monkeypatch.setattr(Ages, "of", lambda _: NO_AGE)
    monkeypatch.setattr(nightly, "NIGHTS", 1)
    async with listening() as monitor:
        settings = replace(client.services.settings, metrics_url=monitor.url)
        for _ in range(2):  # The rows, and then the objects.
            await nightly.collect_tonight(client.services.connection, settings)
        assert monitor.sums() == {("FreedBytes",): sum(map(len, image.blobs))}
