"""What Azure Monitor is told of requests, by the registry itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from registry_core.lifecycle import nightly
from registry_core.lifecycle.usage import tonight
from registry_core.lifecycle.usage.count import Count
from registry_core.lifecycle.usage.total import PARTS
from registry_core.settings import Settings
from tests.integration.core.auth.test_sign_in import Guest, basic
from tests.integration.core.support import Image, connect, digest_of, push_blobs
from tests.integration.monitor import Monitor, listening
from tests.interference.kinds import Refuse


@pytest.fixture
async def monitor() -> AsyncIterator[Monitor]:
    async with listening() as found:
        yield found


async def test_pulls_pushes_deletions_errors_and_bytes_are_counted(
    settings: Settings, repository: str, monitor: Monitor
) -> None:
    image = Image.make()
    told = replace(settings, metrics_url=monitor.url, region="westeurope")
    async with connect(told) as client:
        await push_blobs(client, repository, image)
        manifest = f"/v2/{repository}/manifests"
        for tag in ("v1", "v2"):
            await client.put_manifest(repository, tag, image.manifest)
        await client.put_manifest(repository, "v3", b"no manifest")
        for reference in ("v1", image.digest, "none"):
            await client.send("GET", f"{manifest}/{reference}")
        await client.send("HEAD", f"{manifest}/v1")
        await client.send("HEAD", f"{manifest}/none")
        await client.send("GET", f"/v2/{repository}/blobs/{digest_of(image.layer)}")
        # Docker asks without signing in first; somebody guesses.
        guest = Guest(client)
        await guest.ask("GET", f"{manifest}/v1")
        await Guest(client, basic("mallory", "a guess")).ask("GET", f"{manifest}/v1")
        await client.send("DELETE", f"{manifest}/v2")
        client.hook.plan = lambda _: Refuse()
        await client.send("GET", f"/v2/{repository}/tags/list")
        client.hook.plan = None
        await client.send("DELETE", f"{manifest}/{image.digest}")
        assert monitor.taken == []  # Not within the request.
    (taken,) = monitor.taken
    assert b"westeurope" in taken[2]
    sums = monitor.sums()
    sent = len(image.config) + len(image.layer) + 2 * len(image.manifest)
    assert {name: value for name, value in sums.items() if name[0] != "RequestLatency"} == {
        ("TotalPullCount",): 3,
        ("SuccessfulPullCount",): 2,
        ("TotalPushCount",): 3,
        ("SuccessfulPushCount",): 2,
        ("DeletionCount",): 2,
        ("StoredBytes",): sent,
        # What is no manifest, and the guess. What is not there is everybody's question.
        ("ErrorCount", "4xx"): 2,
        ("ErrorCount", "5xx"): 1,
    }
    assert sums["RequestLatency", "blob"] == 1
    assert sums["RequestLatency", "manifest"] == 3 + 3 + 2 + 2 + 2


async def test_a_night_tells_what_storage_has_and_what_was_freed(
    settings: Settings, repository: str, monitor: Monitor
) -> None:
    told = replace(settings, metrics_url=monitor.url)
    async with connect(settings) as client:
        image = await client.push_image(repository, "v1")
        connection = client.services.connection
        for part in range(PARTS):
            await Count.of(connection, told).run(part, datetime.now(UTC))
        await tonight.count_tonight(connection, told)
        await nightly.collect_tonight(connection, told)
    (taken,) = monitor.taken  # Nothing was old enough to be freed, and so there is nothing to tell.
    assert monitor.sums()["StorageUsed",] >= sum(map(len, image.blobs))
    assert b"Authorization" not in taken[2]


async def test_without_the_setting_nothing_is_gathered(settings: Settings, repository: str) -> None:
    async with connect(settings) as client:
        await client.push_image(repository, "v1")
        assert client.registry.metrics is None
