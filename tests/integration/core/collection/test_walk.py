"""Walks over everything there is, on a storage account of their own."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from devhost.processes.azurite import Azurite
from registry_core.blobs import rows as blob_rows
from registry_core.errors import Unavailable
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Kind, Report, Thing
from registry_core.lifecycle.collection.share import Stretch
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.settings import Settings
from registry_core.storage import tables, wire
from registry_core.storage.calls import traced
from registry_core.storage.faults import StorageFault
from tests.integration.core.collection.support import NO_AGE, Collecting, moment, stores_of
from tests.integration.core.support import Client, Image, connect, digest_of, is_pullable
from tests.interference.kinds import Drop, Interference, Refuse

OF = 7
MOST_CALLS = 6
"""For each blob that is collected."""
ALGORITHM_RANGES = 5
"""The two algorithms' digests, and what stands before, between and after them."""


@pytest.fixture
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One for each test: what is in it is known to the last object."""
    with Azurite(tmp_path_factory.mktemp("walk")) as running:
        yield running


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    async with connect(settings) as connected:
        yield connected


@dataclass(frozen=True)
class Filled:
    """What stays of what was put into the registry."""

    images: dict[str, list[Image]]

    async def check(self, client: Client) -> None:
        """Storage holds this, and nothing else."""
        needed = {digest_of(b) for images in self.images.values() for i in images for b in i.blobs}
        stores = stores_of(client)
        found = [row async for page in stores.blobs.scan(" ", "~") for row in page]
        assert {row.partition for row in found} == needed
        named = {row.text("Location") for row in found if row.key == blob_rows.BLOB}
        listed = [each async for page in stores.content.contents("") for each in page.objects]
        assert {str(stores.content.location(each.name)) for each in listed} == named
        scanned = [row async for page in stores.repositories.scan(" ", "~") for row in page]
        assert {row.partition.replace(".", "/") for row in scanned} == set(self.images)
        assert not [row for row in scanned if row.values.get(rows.GONE)]
        entries = await stores.catalog.query(catalog.PARTITION, " ", "~", ())
        assert {row.key.replace(".", "/") for row in entries} == set(self.images)
        for repository, images in self.images.items():
            for image in images:
                assert await is_pullable(client, repository, image)


async def fill(client: Client) -> Filled:
    """Repositories with an image that stays, and every kind of garbage."""
    images: dict[str, list[Image]] = {}
    for number in range(2):
        name = f"team{number}/app"
        images[name] = [await client.push_image(name, "v1")]
        gone = await client.push_image(name, "v2")
        answer = await client.send("DELETE", f"/v2/{name}/manifests/{gone.digest}")
        assert answer.status_code == 202
        await client.push_blob(name, secrets.token_bytes(20))
    emptied = await client.push_image("gone/app")
    await client.services.usages.of(RepositoryName("gone/app"))
    await client.send("DELETE", f"/v2/gone/app/manifests/{emptied.digest}")
    await client.patch(await client.begin("team0/app"), b"abandoned")
    blob = images["team0/app"][0].layer
    await client.commit(await client.begin("team1/app"), digest_of(blob), blob)
    stores = stores_of(client)
    orphan = catalog.entry_key(RepositoryName("orphan/app"))
    await stores.catalog.transact(catalog.PARTITION, [tables.insert(orphan)])
    child = rows.child(Digest.of(b"child"), Digest.of(b"parent"))
    partition = rows.partition(RepositoryName("team0/app"))
    await stores.repositories.transact(partition, [tables.insert(child)])
    shared = images["team0/app"][0]
    await client.push_blob("team1/app", shared.config)
    answer = await client.put_manifest("team1/app", "v3", shared.manifest)
    assert answer.status_code == 201
    images["team1/app"].append(shared)
    return Filled(images)


@pytest.mark.rule("G10", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G13")
async def test_two_walks_leave_what_live_manifests_need_and_nothing_else(client: Client) -> None:
    filled = await fill(client)
    collecting = Collecting(client)
    first = await collecting.everything()
    assert set(first.gone) == set(Kind) - {Kind.OBJECT}
    second = await collecting.everything()
    assert set(second.gone) == {Kind.OBJECT}
    await filled.check(client)
    third = await collecting.everything()
    assert (third.gone, third.size) == (Counter(), 0)


@pytest.mark.rule("G10")
async def test_the_parts_of_a_walk_find_what_one_walk_finds_each_once(client: Client) -> None:
    await fill(client)
    as_of = await moment(client)
    whole, parts = list[Thing](), list[Thing]()
    collector = Collecting(client).collector
    report = (await collector.run(0, 1, as_of, dry_run=True, tell=whole.append)).report
    told = Report()
    for shard in range(OF):
        walk = await collector.run(shard, OF, as_of, dry_run=True, tell=parts.append)
        assert not walk.left
        told += walk.report
    assert Counter(parts) == Counter(whole)
    assert (told.gone, told.kept, told.size) == (report.gone, report.kept, report.size)
    assert len(set(whole)) == len(whole) == report.gone.total() > len(Kind)


@pytest.mark.rule("G10")
async def test_a_walk_that_has_no_time_says_what_is_left_and_is_gone_on_with(
    client: Client,
) -> None:
    filled = await fill(client)
    collector = Collecting(client).collector
    for _ in range(2):
        as_of = await moment(client)
        left, walks = list[Stretch](), 0
        while left or not walks:
            walk = await collector.run(0, 1, as_of, seconds=0, left=left)
            left, walks = [Stretch.parse(str(each)) for each in walk.left], walks + 1
        assert walks > ALGORITHM_RANGES
    await filled.check(client)


@pytest.mark.rule("G10")
async def test_walks_at_once_end_as_one(client: Client, other: Client) -> None:
    filled = await fill(client)
    for _ in range(2):
        as_of = await moment(client)
        collectors = [Collecting(each).collector for each in (client, other, client)]
        await asyncio.gather(*(each.run(0, 1, as_of) for each in collectors))
    await filled.check(client)


@pytest.mark.rule("G10")
@pytest.mark.parametrize("kind", [Refuse, Drop])
@pytest.mark.parametrize("every", [1, 2, 3, 7])
async def test_a_walk_that_storage_fails_leaves_the_rest_to_the_next(
    client: Client,
    other: Client,
    every: int,
    kind: type[Interference],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "READ_BACK_OFF_SECONDS", 0)
    filled = await fill(client)
    failed = 0
    for _ in range(3):
        as_of = await moment(client)
        other.hook.plan = lambda call: kind() if call.number % every == 0 else None
        with traced():
            failed += await failures(Collecting(other).collector, as_of)
    assert failed or every > 1
    for _ in range(2):
        await Collecting(client).everything()
    await filled.check(client)


async def failures(collector: Collector, as_of: datetime) -> int:
    """How often storage kept a walk from something."""
    try:
        return (await collector.run(0, 1, as_of)).report.failed
    except (StorageFault, Unavailable):
        return 1


@pytest.mark.rule("G10")
async def test_a_walk_that_finds_nothing_costs_a_call_for_a_thousand_rows(client: Client) -> None:
    for _ in range(25):
        await client.push_image("team/app", secrets.token_hex(4))
    as_of = await moment(client)
    ages = replace(NO_AGE, upload=timedelta(days=2))
    with traced() as trace:
        walk = await Collecting(client, ages).collector.run(0, 1, as_of)
    assert not walk.report.gone
    # The folders of uploads; the digests; the manifests of one repository, which are looked up in
    # ranges; the repositories; the catalog.
    assert trace.count <= 1 + ALGORITHM_RANGES + 2 + 1 + 1
    assert walk.report.kept.total() > 50


@pytest.mark.rule("G9", "G10")
async def test_walks_collect_a_blob_for_six_calls_at_most_their_own_included(
    client: Client,
) -> None:
    images = [await client.push_image("team/app", f"v{number}") for number in range(20)]
    for image in images:
        answer = await client.send("DELETE", f"/v2/team/app/manifests/{image.digest}")
        assert answer.status_code == 202
    # Uploads of today are no garbage, and are not looked at.
    ages = replace(NO_AGE, upload=timedelta(days=2))
    collector, gone, calls = Collecting(client, ages).collector, Counter[Kind](), 0
    for _ in range(2):
        as_of = await moment(client)
        with traced() as trace:
            walk = await collector.run(0, 1, as_of)
        gone, calls = gone + walk.report.gone, calls + trace.count
    assert gone[Kind.OBJECT] == 2 * len(images)
    assert calls <= MOST_CALLS * gone[Kind.OBJECT]
