"""What a timer collects each night, and what it tells of that."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from devhost.processes.azurite import Azurite
from registry_core.lifecycle import nightly
from registry_core.lifecycle.collection.collector import Collector
from registry_core.storage.calls import traced
from tests.integration.core.collection.support import NO_AGE, stores_of
from tests.integration.core.support import Client

MOST_CALLS_OF_A_QUIET_NIGHT = 20


@pytest.fixture
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One for each test: a walk meets nothing of others."""
    with Azurite(tmp_path_factory.mktemp("nightly")) as running:
        yield running


async def test_a_week_of_nights_takes_all_that_may_go_and_each_tells_it_in_one_line(
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


async def test_a_night_in_which_nothing_was_deleted_takes_few_calls(
    client: Client, repository: str
) -> None:
    for tag in ("v1", "v2", "v3"):
        await client.push_image(repository, tag)
    with traced() as trace:
        collector = Collector.of(client.services.connection, client.registry.settings)
        walk = await nightly.collect(collector)
    assert not walk.report.gone
    assert trace.count <= MOST_CALLS_OF_A_QUIET_NIGHT, trace.count


async def test_what_the_timer_calls_walks_tonights_part_of_this_registry(
    client: Client, repository: str, caplog: pytest.LogCaptureFixture
) -> None:
    await client.push_image(repository, "v1")
    caplog.set_level(logging.INFO, logger="slipway.collection")
    await nightly.collect_tonight(client.services.connection, client.registry.settings)
    (record,) = caplog.records
    line = json.loads(record.getMessage())
    assert (line["IsComplete"], line["Failed"], line["Gone"]) == (True, 0, {})
