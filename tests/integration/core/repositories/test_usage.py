"""What a repository holds: counted once, kept, and counted again when it has changed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.errors import NameUnknown
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows, usage
from registry_core.repositories.rows import StoredUsage
from registry_core.repositories.usage import Usages
from registry_core.storage import tables
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.calls import traced
from tests.integration.core.http.acr.test_calls import fill
from tests.integration.core.support import (
    OCI_INDEX,
    OCI_LAYER,
    Client,
    Image,
    descriptor,
    digest_of,
    index_of,
    push_blobs,
)
from tests.integration.core.support import rows as rows_of
from tests.interference.kinds import Hold, SeenCall

NOW = datetime(2027, 1, 1, tzinfo=UTC)


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


def usages_of(client: Client, now: Callable[[], datetime], **options: Any) -> Usages:
    return Usages(client.services.connection.table(rows.TABLE), now, **options)


async def counted(client: Client, repository: str, **options: Any) -> StoredUsage:
    """As somebody counts it who knows of no earlier count."""
    later = datetime.now(UTC) + timedelta(days=1)
    found = await usages_of(client, lambda: later, **options).of(RepositoryName(repository))
    assert found.is_current
    assert found.counted
    return found.counted


async def test_a_layer_that_manifests_share_counts_once(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "v1")
    second = image.with_manifest(annotations={"number": "2"})
    await client.put_manifest(repository, "v2", second.manifest)
    await client.put_manifest(repository, "v2-again", second.manifest)
    index = index_of([image.descriptor, second.descriptor])
    await client.put_manifest(repository, digest_of(index), index, OCI_INDEX)
    found = await counted(client, repository)
    whole = sum(map(len, (image.config, image.layer, image.manifest, second.manifest, index)))
    assert (found.manifests, found.tags, found.untagged, found.size) == (3, 3, 1, whole)
    assert (found.restorable, found.restorable_size, found.is_exact) == (0, 0, True)


async def test_a_manifest_too_large_for_its_row_and_a_layer_kept_elsewhere(
    client: Client, repository: str
) -> None:
    """The first counts once, as the blob that it is. The second takes nothing here."""
    image = Image.make()
    await push_blobs(client, repository, image)
    foreign = {
        **descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"elsewhere"),
        "urls": ["https://example.com/layer"],
    }
    layers = [descriptor(OCI_LAYER, image.layer), foreign]
    large = image.with_manifest(layers=layers, annotations={"a": "x" * rows.INLINE_BYTES})
    answer = await client.put_manifest(repository, "large", large.manifest)
    assert answer.status_code == 201, answer.text
    found = await counted(client, repository)
    assert found.size == len(image.config) + len(image.layer) + len(large.manifest)


async def test_what_can_be_restored_counts_apart_with_the_bytes_that_only_it_needs(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    layer = secrets.token_bytes(700)
    await client.push_blob(repository, layer)
    second = image.with_manifest(
        layers=[descriptor(OCI_LAYER, image.layer), descriptor(OCI_LAYER, layer)]
    )
    await client.put_manifest(repository, second.digest, second.manifest)
    table, key = client.services.connection.table(rows.TABLE), Digest.parse(second.digest)
    partition = rows.partition(RepositoryName(repository))
    row = await table.get(partition, rows.manifest_key(key))
    assert row
    kept = {name: value for name, value in row.values.items() if name != rows.LIVE}
    deleted = {rows.DELETED: tables.time_value(NOW)}
    await table.transact(partition, [tables.replace(row.key, row.etag, **kept, **deleted)])
    found = await counted(client, repository)
    assert (found.manifests, found.restorable) == (1, 1)
    assert found.size == len(image.config) + len(image.layer) + len(image.manifest)
    assert found.restorable_size == len(layer) + len(second.manifest)


async def test_nothing_of_what_was_deleted_counts(client: Client, repository: str) -> None:
    kept, gone = await client.push_image(repository), await client.push_image(repository, "v2")
    await client.send("DELETE", f"/v2/{repository}/manifests/{gone.digest}")
    found = await counted(client, repository)
    whole = sum(map(len, (kept.config, kept.layer, kept.manifest)))
    assert (found.manifests, found.tags, found.size) == (1, 1, whole)


async def test_it_is_counted_once_and_after_a_change_not_before_a_minute(
    client: Client, repository: str
) -> None:
    name, clock = RepositoryName(repository), Clock()
    usages = usages_of(client, clock)
    await client.push_image(repository, "v1")
    first = await usages.of(name)
    assert first.counted
    with traced() as trace:
        assert await usages.of(name) == first
    assert (trace.count, trace.rounds) == (2, 1)
    await client.push_image(repository, "v2")
    clock.time = NOW + usage.LEAST_LIFE - timedelta(seconds=1)
    young = await usages.of(name)
    assert (young.counted, young.is_current) == (first.counted, False)
    assert young.updated > first.updated
    clock.time = NOW + usage.LEAST_LIFE
    second = await usages.of(name)
    assert second.counted
    assert (second.counted.tags, second.counted.as_of) == (2, clock.time)
    assert second.is_current
    # It is as good in a year.
    clock.time += timedelta(days=365)
    assert await usages.of(name) == second


async def test_what_took_many_calls_is_told_for_as_many_seconds(
    client: Client, repository: str
) -> None:
    name, clock = RepositoryName(repository), Clock()
    usages = usages_of(client, clock)
    await client.push_image(repository, "v1")
    first = await usages.of(name)
    assert first.counted
    large = replace(first.counted, calls=200, of="an earlier state")
    table = client.services.connection.table(rows.TABLE)
    await table.transact(rows.partition(name), [tables.merge(rows.USAGE, **large.columns)])
    clock.time = NOW + timedelta(seconds=199)
    assert (await usages.of(name)).counted == large
    clock.time = NOW + timedelta(seconds=200)
    assert (await usages.of(name)).is_current


async def test_a_repository_that_is_not_there_has_none(client: Client, repository: str) -> None:
    with pytest.raises(NameUnknown):
        await client.services.usages.of(RepositoryName(repository))
    image = await client.push_image(repository)
    await client.services.usages.of(RepositoryName(repository))
    await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    with pytest.raises(NameUnknown):
        await client.services.usages.of(RepositoryName(repository))


async def test_without_time_it_tells_what_it_knows(client: Client, repository: str) -> None:
    name = RepositoryName(repository)
    await client.push_image(repository)
    with budgeted(Budget(1)):
        found = await client.services.usages.of(name)
    assert (found.counted, found.is_current) == (None, False)


async def test_those_who_ask_an_instance_at_once_wait_for_one_count(
    client: Client, repository: str
) -> None:
    name = RepositoryName(repository)
    await client.push_image(repository)
    with traced() as trace:
        found = await asyncio.gather(*(client.services.usages.of(name) for _ in range(9)))
    assert len({each.counted for each in found}) == 1
    assert sum(call.method == "POST" for call in trace.calls) == 1


@pytest.mark.rule("C1")
async def test_a_change_while_it_is_counted_has_it_counted_again(
    client: Client, other: Client, repository: str
) -> None:
    """Whether the count has seen the change or not: its version is the one from before."""
    name = RepositoryName(repository)
    await client.push_image(repository, "v1")

    async def push() -> None:
        await other.push_image(repository, "v2")

    holds = [Hold(before_gate=push)]

    def between(call: SeenCall) -> Hold | None:
        is_count = any(each.first == rows.MANIFESTS.first for each in call.operations)
        return holds.pop() if is_count and holds else None

    client.hook.plan = between
    await client.services.usages.of(name)
    client.hook.plan = None
    assert not holds, "the push did not come between"
    found = await counted(other, repository)
    assert found.tags == 2


@pytest.mark.rule("C1")
async def test_of_two_counts_at_once_the_first_that_is_written_stays(
    client: Client, other: Client, repository: str
) -> None:
    name = RepositoryName(repository)
    await client.push_image(repository, "v1")

    async def count() -> None:
        await other.services.usages.of(name)

    holds = [Hold(before_gate=count)]
    client.hook.plan = lambda call: holds.pop() if call.method == "POST" and holds else None
    found = await client.services.usages.of(name)
    client.hook.plan = None
    assert not holds
    assert found.is_current
    row = (await rows_of(client, repository))[rows.USAGE]
    kept = StoredUsage.from_row(row)
    assert kept
    assert found.counted
    assert replace(kept, as_of=found.counted.as_of) == found.counted
    assert kept.as_of != found.counted.as_of


async def test_a_count_leaves_what_the_nightly_count_wrote(client: Client, repository: str) -> None:
    name = RepositoryName(repository)
    await client.push_image(repository, "v1")
    table = client.services.connection.table(rows.TABLE)
    shared = rows.shared_columns(3, 77, NOW.date())
    await table.transact(rows.partition(name), [tables.insert(rows.USAGE, **shared)])
    found = await client.services.usages.of(name)
    assert found.counted
    again = await client.services.usages.of(name)
    assert again.shared == found.shared == {3: (NOW.date(), 77)}


SIZES = (10, 100, 300)
PAGE = 20


@pytest.mark.parametrize("count", SIZES)
async def test_the_calls_are_one_a_page_and_a_few_for_each_part(
    client: Client, repository: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(client, repository, count)
    monkeypatch.setattr(tables, "MAX_PAGE", PAGE)
    with traced() as trace:
        found = await counted(client, repository)
    assert (found.manifests, found.tags, found.untagged) == (count, count, 0)
    pages = 2 * -(-count // PAGE)
    if count <= PAGE:
        assert found.calls == 2
    else:
        assert pages <= found.calls <= 2 + pages + 2 * usage.MAX_PARTS
    # Twice what is known already, and what is written.
    assert trace.count == found.calls + 5
    # Parts are read at once.
    assert trace.rounds <= 5 + pages


async def test_of_more_blobs_than_are_kept_in_mind_the_bytes_are_inferred(
    client: Client, repository: str
) -> None:
    """Of many of the same size that is as good as exact, and the memory stays what it was."""
    count, size, most = 3_000, 1_000, 500
    image = await client.push_image(repository, "v1")
    table, name = client.services.connection.table(rows.TABLE), RepositoryName(repository)
    pushed = await table.get(rows.partition(name), rows.manifest_key(Digest.parse(image.digest)))
    assert pushed
    location = client.services.content.location(blob_rows.UPLOADS)
    changes = []
    for _ in range(count // 30):
        blobs = [
            rows.StoredBlob(Digest.of(secrets.token_bytes(8)), size, location) for _ in range(30)
        ]
        packed = {"Blobs0": rows.packed(blobs)}
        key = rows.manifest_key(Digest.of(secrets.token_bytes(8)))
        changes.append(tables.insert(key, **{**pushed.values, **packed}))
    await table.transact(rows.partition(name), changes)
    exact = await counted(client, repository)
    await table.transact(rows.partition(name), [tables.delete(rows.USAGE)])
    inferred = await counted(client, repository, most_blobs=most)
    assert (exact.is_exact, inferred.is_exact) == (True, False)
    blobs_size = count * size + len(image.config) + len(image.layer)
    in_rows = exact.size - blobs_size
    assert in_rows == len(image.manifest) * exact.manifests
    # Drawn by lot, 250 at least of 3,000: ten standard deviations are far less than this.
    assert abs(inferred.size - in_rows - blobs_size) < blobs_size * 0.6
