"""What a timer collects each night, and what it tells of that."""

from __future__ import annotations

import json
import logging
import secrets
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import unquote

import pytest

from devhost.processes.azurite import Azurite
from registry_core.blobs import rows
from registry_core.lifecycle import nightly
from registry_core.lifecycle.collection.ages import Ages
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Kind
from registry_core.storage.calls import traced
from tests.integration.core.collection.support import NO_AGE, stores_of
from tests.integration.core.support import Client, digest_of

MOST_CALLS_OF_A_QUIET_NIGHT = 20


@pytest.fixture
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One for each test: a walk meets nothing of others."""
    with Azurite(tmp_path_factory.mktemp("nightly")) as running:
        yield running


async def test_a_round_of_nights_takes_all_that_may_go_and_each_tells_it_in_one_line(
    client: Client, repository: str, caplog: pytest.LogCaptureFixture
) -> None:
    image = await client.push_image(repository, "v1")
    kept = await client.push_image(f"{repository}/kept", "v1")
    await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    caplog.set_level(logging.INFO, logger="slipway.collection")
    begun = datetime.now(UTC)
    for number in range(nightly.NIGHTS):
        night = begun + timedelta(days=number)
        clock = partial(lambda time: time, night)
        await nightly.collect(Collector(stores_of(client), NO_AGE, clock), clock)
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [line["Shard"] for line in lines] == [
        f"{nightly.shard_of(begun + timedelta(days=number)) + 1}/{nightly.NIGHTS}"
        for number in range(nightly.NIGHTS)
    ]
    assert all(line["IsComplete"] and not line["Failed"] for line in lines)
    gone = {kind for line in lines for kind in line["Gone"]}
    assert {"need", "link", "content", "tombstone"} <= gone
    assert (
        await client.send("GET", f"/v2/{repository}/kept/manifests/v1")
    ).content == kept.manifest


@pytest.mark.parametrize("shard", [0, 1])
async def test_a_night_in_which_nothing_was_deleted_takes_few_calls(
    client: Client, repository: str, shard: int
) -> None:
    """There are uploads of a month of days, and a page of everything in tonight's part."""
    now = datetime.now(UTC)
    night = now - timedelta(days=(now.toordinal() - shard) % nightly.NIGHTS)
    for tag in ("v1", "v2", "v3"):
        await client.push_image(repository, tag)
    for number in range(30):
        name = rows.upload_object((night - timedelta(days=number)).date(), uuid.uuid4())
        await client.services.content.put(name, b"x", {rows.COMMITTED_AS: str(number)})
    settings = client.registry.settings
    collector = Collector.of(client.services.connection, settings)
    with traced() as trace:
        walk = await nightly.collect(collector, lambda: night)
    assert nightly.shard_of(night) == shard
    assert not walk.report.gone
    days = [call for call in trace.calls if "comp=list" in call.query]
    assert len(days) > (2 * settings.upload_expiry).days - settings.upload_expiry.days
    assert trace.count <= MOST_CALLS_OF_A_QUIET_NIGHT, trace.count


async def test_what_was_uploaded_in_vain_goes_in_the_first_night_in_which_it_is_old_enough(
    client: Client, other: Client, repository: str
) -> None:
    """In whichever part of everything it is, and what was committed is not asked of for ever."""
    left = await client.begin(repository)
    await client.patch(left, b"some bytes")
    content = secrets.token_bytes(100)
    for each in (client, other):  # The second finds the blob there, and its object is in vain.
        await each.commit(await each.begin(repository), digest_of(content), content)
    settings = client.registry.settings
    old = settings.upload_expiry + settings.gc_grace
    before = await objects(client)

    async def night(after: timedelta) -> tuple[Counter[Kind], int]:
        begun = datetime.now(UTC) + old + after
        collector = Collector(stores_of(client), Ages.of(settings), lambda: begun)
        with traced() as trace:  # All these objects are in the part 0.
            walk = await collector.run(1, nightly.NIGHTS, begun, recent=True)
        asked = [call for call in trace.calls if digest_of(content)[:20] in unquote(call.query)]
        return walk.report.gone, len(asked)

    assert await night(timedelta(minutes=-5)) == (Counter(), 0)
    gone, asked = await night(timedelta(hours=24))
    assert (gone, asked) == (Counter({Kind.UPLOAD: 2}), 2)
    assert len(await objects(client)) == len(before) - 2
    assert await night(timedelta(hours=48)) == (Counter(), 0)
    client.forget()
    answer = await client.send("HEAD", f"/v2/{repository}/blobs/{digest_of(content)}")
    assert answer.status_code == 200


async def objects(client: Client) -> list[str]:
    pages = client.services.content.contents(rows.UPLOADS)
    return [each.name async for page in pages for each in page.objects]


async def test_what_the_timer_calls_walks_tonights_part_of_this_registry(
    client: Client, repository: str, caplog: pytest.LogCaptureFixture
) -> None:
    await client.push_image(repository, "v1")
    caplog.set_level(logging.INFO, logger="slipway.collection")
    await nightly.collect_tonight(client.services.connection, client.registry.settings)
    (record,) = caplog.records
    line = json.loads(record.getMessage())
    assert (line["IsComplete"], line["Failed"], line["Gone"]) == (True, 0, {})
