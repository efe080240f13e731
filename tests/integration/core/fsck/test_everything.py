"""A check of a whole registry: its bytes, what it costs, and storage that fails."""

from __future__ import annotations

import asyncio
import secrets
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import pytest

from bench.listings.crowd import fill
from devhost.processes.azurite import Azurite
from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.fsck import hashing
from registry_core.lifecycle.fsck.checker import Checker
from registry_core.lifecycle.fsck.report import Fault, Outcome, Report
from registry_core.model.invariants import Invariant
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.settings import AdminSettings, Settings, StorageSettings
from registry_core.storage import tables
from registry_core.storage.calls import traced
from registry_core.storage.objects import READ_BLOCK
from tests.integration.core.fsck.breakages import Shelf
from tests.integration.core.support import Client, connect
from tests.interference.kinds import Hold, Refuse, SeenCall


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A registry that no other test knows."""
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
async def alone(own: Azurite) -> AsyncIterator[Client]:
    settings = Settings(
        storage=StorageSettings(own.connection_string),
        admin=AdminSettings("admin", (secrets.token_urlsafe(32),)),
    )
    async with connect(settings) as connected:
        yield connected


async def check_all(
    client: Client, *, repair: bool = False, verify_content: bool = False
) -> tuple[Report, list[Fault]]:
    found = list[Fault]()
    checker = Checker(
        Stores.over(client.services.connection),
        found.append,
        repair=repair,
        verify_content=verify_content,
    )
    return await checker.run(), found


async def test_everything_is_looked_at_and_bytes_are_compared_with_their_digest(
    alone: Client,
) -> None:
    shelf = await Shelf.fill(alone, "team/web")
    await alone.push_blob("team/web", secrets.token_bytes(3 * READ_BLOCK + 17))
    report, found = await check_all(alone, verify_content=True)
    assert (found, report.failed, report.unsettled) == ([], 0, 0)
    assert (report.repositories, report.manifests, report.tags) == (1, 5, 3)
    # Eight of images, the large manifest, and the one that is large.
    assert report.blobs == 10
    assert report.verified == report.size > 3 * READ_BLOCK

    # One byte is another, size and mark are as they were: only the bytes tell.
    location = await shelf.location()
    state = await shelf.stores.content.state(location.name)
    assert state is not None
    await shelf.stores.content.remove(location.name)
    garbled = bytes([shelf.other.layer[0] ^ 1]) + shelf.other.layer[1:]
    await shelf.stores.content.put(location.name, garbled, state.metadata)
    assert (await check_all(alone))[1] == []
    report, (fault,) = await check_all(alone, verify_content=True)
    assert (fault.invariant, fault.partition) == (Invariant.CONTENT, shelf.layer)
    assert str(location) in fault.text
    assert fault.advice
    assert not report.is_sound

    # What the advice says: without the object, the blob can be pushed again.
    await shelf.stores.content.remove(location.name)
    await check_all(alone, repair=True)
    alone.forget()
    await alone.push_blob("team/web", shelf.other.layer)
    await check_all(alone, repair=True)
    assert (await check_all(alone, verify_content=True))[1] == []


async def test_one_repair_of_everything_is_enough_where_a_blob_moves(alone: Client) -> None:
    shelf = await Shelf.fill(alone, "team/web")
    other = await alone.begin("team/copy")
    answer = await alone.patch(other, shelf.other.layer)
    await alone.commit(answer.headers["location"], shelf.layer)
    await shelf.stores.content.remove((await shelf.location()).name)
    report, found = await check_all(alone, repair=True)
    assert {fault.outcome for fault in found} == {Outcome.MENDED}
    assert {fault.invariant for fault in found} >= {Invariant.OBJECTS, Invariant.LOCATIONS}
    assert report.is_sound
    assert report.repositories == 1
    assert (await check_all(alone))[1] == []


async def test_what_is_read_while_it_changes_is_read_again(
    client: Client, other: Client, repository: str
) -> None:
    """A change comes after each of the first reads: those that confirm a suspicion as well."""
    shelf = await Shelf.fill(client, repository)
    previous, turns, changes = shelf.other.digest, asyncio.Lock(), 0

    async def move() -> None:
        nonlocal previous, changes
        async with turns:
            image = await client.push_image(repository, "v2")
            url = f"/v2/{repository}/manifests/{previous}"
            assert (await client.send("DELETE", url)).status_code == 202
            previous, changes = image.digest, changes + 1

    def plan(call: SeenCall) -> Hold | None:
        return Hold(after_gate=move) if call.number <= 60 else None

    with traced():
        other.hook.plan = plan
        found = list[Fault]()
        checker = Checker(Stores.over(other.services.connection), found.append)
        await checker.check_repository(RepositoryName(repository))
    assert (found, checker.report.failed) == ([], 0)
    assert changes > 20


@pytest.mark.long
async def test_a_repository_of_3000_tags_takes_few_calls_and_little_memory(
    client: Client, repository: str
) -> None:
    """Each manifest is in a row of its own, whose bytes are read and not kept."""
    crowd = await fill(client.services.connection, repository, 3_000, 3_000)
    found = list[Fault]()
    checker = Checker(Stores.over(client.services.connection), found.append)
    tracemalloc.start()
    with traced() as trace:
        glance = await checker.repositories.glance(crowd.name)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (glance.count(rows.MANIFESTS), glance.count(rows.TAGS)) == (3_000, 3_000)
    # M:, T: and g: before the manifests, these in pages of 100, t: after them; both entries.
    assert trace.count <= 10 + 31 + 4 + 2
    assert most < 48 * 1024 * 1024
    assert [each for each in glance.suspects if each.finding.invariant != Invariant.MANIFEST] == []


async def test_what_storage_does_not_answer_is_counted_and_the_rest_looked_at(
    client: Client, other: Client, repository: str
) -> None:
    shelf = await Shelf.fill(client, repository)
    lost = tables.delete(blob_rows.marker(await shelf.location()))
    await shelf.change_blob(lost)
    failing = (await shelf.location(shelf.large.digest)).name

    def plan(call: SeenCall) -> Refuse | None:
        return Refuse() if call.path.endswith(failing) and call.method == "HEAD" else None

    other.hook.plan = plan
    found = list[Fault]()
    checker = Checker(Stores.over(other.services.connection), found.append)
    await checker._each(checker.blobs.pages(), checker.check_blobs)
    assert checker.report.failed == 1
    assert lost.key in {fault.key for fault in found}


async def test_hashing_holds_few_blocks_however_many_objects_there_are(
    client: Client, other: Client, repository: str
) -> None:
    content = secrets.token_bytes(2 * READ_BLOCK)
    digests = [await client.push_blob(repository, content + bytes([n])) for n in range(10)]
    stores, under_way, most = Stores.over(other.services.connection), 0, 0

    async def begin() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)

    async def end() -> None:
        nonlocal under_way
        under_way -= 1

    other.hook.plan = lambda call: Hold(begin, end) if call.method == "GET" else None
    hasher = hashing.Hasher(stores.content)
    links = [blob_rows.Link.from_row(await _blob(stores, digest)) for digest in digests]
    states = [await stores.content.state(link.location.name) for link in links]
    hashed = await asyncio.gather(
        *(
            hasher.digest(link.location, link.size, state.etag, "sha256")
            for link, state in zip(links, states, strict=True)
            if state
        )
    )
    assert hashed == digests
    assert 1 < most <= hashing.BLOCKS


async def _blob(stores: Stores, digest: str) -> tables.Row:
    found = await stores.blobs.get(digest, blob_rows.BLOB)
    assert found is not None
    return found
