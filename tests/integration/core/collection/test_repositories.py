"""Visits of repositories: what deletions, failed pushes and indexes that have gone leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from registry_core.lifecycle.collection.report import Kind
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.storage import tables
from registry_core.storage.calls import traced
from tests.integration.core.collection.support import NO_AGE, Collecting, moment, stores_of
from tests.integration.core.support import OCI_INDEX, Client, all_rows, index_of, is_pullable
from tests.interference.kinds import Hold, SeenCall

HOUR = timedelta(hours=1)
OLDER_THAN_NOW = replace(NO_AGE, change=-timedelta(days=1))
"""All is taken for old, what is written during a visit as well."""


async def repository_rows(client: Client, repository: str) -> list[str]:
    return list(await all_rows(client, rows.TABLE, rows.partition(RepositoryName(repository))))


async def is_listed(client: Client, repository: str) -> bool:
    key = catalog.entry_key(RepositoryName(repository))
    return await stores_of(client).catalog.get(catalog.PARTITION, key) is not None


async def enter(client: Client, repository: str) -> None:
    """What a push leaves that entered its repository and went no further."""
    key = catalog.entry_key(RepositoryName(repository))
    await stores_of(client).catalog.transact(catalog.PARTITION, [tables.insert(key)])


def between(
    first_call: int, act: Callable[[], Awaitable[None]]
) -> Callable[[SeenCall], Hold | None]:
    """Has something happen once, after that call of a visit has been answered."""
    holds = [Hold(after_gate=act)]
    return lambda call: holds.pop() if call.number >= first_call and holds else None


@pytest.mark.rule("G6", "G8")
async def test_nothing_is_left_of_a_repository_that_was_deleted(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    visit = await Collecting(client).repository(repository)
    assert visit.report.gone == Counter({Kind.TOMBSTONE: 3})
    assert await repository_rows(client, repository) == []


@pytest.mark.rule("G6")
async def test_young_tombstones_stay_and_the_visit_says_when_they_go(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    visit = await Collecting(client, replace(NO_AGE, change=HOUR)).repository(repository)
    partition = rows.partition(RepositoryName(repository))
    found = await all_rows(client, rows.TABLE, partition)
    assert len(found) == 3
    assert visit.due == min(row.timestamp for row in found.values()) + HOUR


@pytest.mark.rule("G6", "G7", "G8")
async def test_a_repository_without_garbage_stays_as_it_is(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "v1")
    index = index_of([image.descriptor])
    await client.put_manifest(repository, "all", index, OCI_INDEX)
    before = await repository_rows(client, repository)
    as_of = await moment(client)
    with traced() as trace:
        visit = await Collecting(client).repository(repository, as_of)
    assert not visit.report.gone
    assert await repository_rows(client, repository) == before
    assert await is_listed(client, repository)
    # The rows of children; the others; the entry, and the repository's row after it.
    assert trace.count == 4


@pytest.mark.rule("G7")
async def test_the_row_of_a_child_goes_when_its_index_has_gone(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    child = Digest.parse(image.digest)
    key = rows.child(child, Digest.of(b"an index that has gone"))
    partition = rows.partition(RepositoryName(repository))
    await stores_of(client).repositories.transact(partition, [tables.insert(key)])
    young = await Collecting(client, replace(NO_AGE, change=HOUR)).repository(repository)
    assert not young.report.gone
    visit = await Collecting(client).repository(repository)
    assert visit.report.gone == Counter({Kind.CHILD: 1})
    assert key not in await repository_rows(client, repository)
    assert await is_pullable(client, repository, image)


@pytest.mark.rule("G7")
async def test_the_index_is_read_after_the_row_of_its_child(
    client: Client, other: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    index = index_of([image.descriptor])
    key = rows.child(Digest.parse(image.digest), Digest.of(index))
    partition = rows.partition(RepositoryName(repository))
    await stores_of(client).repositories.transact(partition, [tables.insert(key)])

    async def push() -> None:
        answer = await client.put_manifest(repository, "all", index, OCI_INDEX)
        assert answer.status_code == 201

    as_of = await moment(client)
    with traced():
        other.hook.plan = between(1, push)
        await Collecting(other, OLDER_THAN_NOW).repository(repository, as_of)
    assert key in await repository_rows(client, repository)


@pytest.mark.rule("G8")
async def test_the_entry_of_a_push_that_failed_goes_when_it_is_old(
    client: Client, repository: str
) -> None:
    await enter(client, repository)
    visit = await Collecting(client, replace(NO_AGE, change=HOUR)).repository(repository)
    assert await is_listed(client, repository)
    assert visit.due is not None
    visit = await Collecting(client).repository(repository)
    assert visit.report.gone == Counter({Kind.ENTRY: 1})
    assert not await is_listed(client, repository)


@pytest.mark.rule("G8")
async def test_the_repository_is_read_after_its_entry(
    client: Client, other: Client, repository: str
) -> None:
    await enter(client, repository)

    async def push() -> None:
        await client.push_image(repository, "v1")

    as_of = await moment(client)
    with traced():
        # After the rows of children, the others, and the entry.
        other.hook.plan = between(3, push)
        await Collecting(other, OLDER_THAN_NOW).repository(repository, as_of)
    assert await is_listed(client, repository)


@pytest.mark.rule("G6")
async def test_tombstones_that_are_written_to_meanwhile_stay_and_the_others_go(
    client: Client, other: Client, repository: str
) -> None:
    """More than a transaction takes, and one of them changes under it."""
    kept = await client.push_image(repository, "kept")
    image = await client.push_image(repository, "t0")
    for n in range(1, 120):
        await client.put_manifest(repository, f"t{n}", image.manifest)
    while True:
        answer = await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
        if answer.status_code == 202:
            break

    async def push() -> None:
        answer = await client.put_manifest(repository, "t77", kept.manifest)
        assert answer.status_code == 201

    as_of = await moment(client)
    with traced():
        other.hook.plan = between(2, push)
        visit = await Collecting(other).repository(repository, as_of)
    assert visit.report.gone == Counter({Kind.TOMBSTONE: 120})
    left = await repository_rows(client, repository)
    assert sum(key in rows.TAGS for key in left) == 2
    answer = await client.send("GET", f"/v2/{repository}/manifests/t77")
    assert answer.headers["docker-content-digest"] == kept.digest


@pytest.mark.rule("G13")
async def test_the_usage_of_a_repository_goes_when_the_repository_has_gone(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await client.services.usages.of(RepositoryName(repository))
    collecting = Collecting(client)
    await collecting.repository(repository)
    assert rows.USAGE in await repository_rows(client, repository)
    await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    young = Collecting(client, replace(NO_AGE, change=HOUR))
    await young.repository(repository)
    assert rows.USAGE in await repository_rows(client, repository)
    # A walk finds it, also where nothing else is left.
    table = stores_of(client).repositories
    for row in (
        await all_rows(client, rows.TABLE, rows.partition(RepositoryName(repository)))
    ).values():
        if row.key != rows.USAGE:
            await table.transact(row.partition, [tables.delete(row.key, row.etag)])
    await collecting.everything()
    assert Kind.USAGE in {thing.kind for thing in collecting.things}
    assert await repository_rows(client, repository) == []
