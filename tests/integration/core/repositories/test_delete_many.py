"""Deleting many manifests, or a whole repository, in batches of whole transactions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from registry_core.errors import DisallowedOperation, NameUnknown, Unavailable
from registry_core.model.change import (
    DeleteManifests,
    DeleteRepository,
    Event,
    Operation,
    Origin,
    Push,
    SetAttributes,
)
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import catalog
from registry_core.repositories import rows as repository_rows
from registry_core.storage import budget, tables
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.calls import traced
from tests.integration.conftest import TALLY
from tests.integration.core.support import (
    OCI_INDEX,
    Client,
    Image,
    all_rows,
    digest_of,
    index_of,
    push_blobs,
    rows,
)
from tests.interference.gate import Gate
from tests.interference.kinds import Drop, Interference, Refuse, SeenCall
from tests.unit.core.repositories.memory import Repository, image

COUNTS = [100, pytest.param(1000, marks=pytest.mark.long)]
LAYERS = 8
ORIGIN = Origin("somebody", "request-1")
CALLS_A_MANIFEST = 2
"""The most storage calls until the client has its answer."""


@dataclass
class Filled:
    """A repository with many manifests, each of which has a tag."""

    name: RepositoryName
    digests: list[Digest]

    @classmethod
    async def make(cls, client: Client, repository: str, count: int) -> Filled:
        """Writes the rows that as many pushes would have written, and no blobs."""
        name, memory = RepositoryName(repository), Repository(layers=LAYERS)
        images = [image(number) for number in range(count)]
        for number, each in enumerate(images):
            memory.push(each, f"v{number}")
        table = client.services.connection.table(repository_rows.TABLE)
        await client.services.pushes.catalog.enter(name)
        changes = [tables.insert(key, **row.values) for key, row in memory.table.rows.items()]
        for first in range(0, len(changes), tables.MAX_TRANSACTION_ROWS):
            part = changes[first : first + tables.MAX_TRANSACTION_ROWS]
            await table.transact(repository_rows.partition(name), part)
        return cls(name, [each.digest for each in images])

    async def lock(self, client: Client, target: Digest | Tag | None, column: str) -> None:
        change = SetAttributes({column: False}, target)
        await client.services.locks.set(self.name, change, ignore)

    async def delete(self, client: Client) -> list[Event]:
        return await delete_repository(client, self.name)


async def delete_repository(client: Client, repository: RepositoryName) -> list[Event]:
    """Answers what was told of it."""
    events: list[Event] = []
    deletions, change = client.services.bulk_deletions, DeleteRepository(ORIGIN)
    await deletions.delete_repository(repository, change, events.extend)
    return events


async def delete_manifests(
    client: Client, repository: RepositoryName, digests: Iterable[Digest], events: list[Event]
) -> Mapping[Digest, DisallowedOperation]:
    """Adds to `events` what is told of it."""
    deletions, change = client.services.bulk_deletions, DeleteManifests(tuple(digests), ORIGIN)
    return await deletions.delete_manifests(repository, change, events.extend)


def ignore(_: Iterable[Event]) -> None:
    """Is told what a test does not look at."""


async def is_gone(client: Client, repository: str) -> bool:
    entries = await all_rows(client, catalog.TABLE, catalog.PARTITION)
    is_listed = repository_rows.partition(RepositoryName(repository)) in entries
    return not is_listed and await rows(client, repository) == {}


def is_change(call: SeenCall) -> bool:
    """Whether it changes rows of a repository."""
    return any(
        each.resource == repository_rows.TABLE and not each.is_read for each in call.operations
    )


def reads(call: SeenCall, table: str, prefix: str) -> bool:
    """Whether it reads rows of a table whose keys begin so."""
    return any(
        each.resource == table and each.is_read and prefix in str(each) for each in call.operations
    )


def stop_after(client: Client, changes: int) -> None:
    """Has the time of a deletion over once it has made so many transactions."""
    seen = 0

    def plan(call: SeenCall) -> Interference | None:
        nonlocal seen
        seen += is_change(call)
        return OutOfTime() if is_change(call) and seen == changes else None

    client.hook.plan = plan


class OutOfTime(Interference):
    """Most of the request's time has gone by when the call is answered."""

    async def after(self, _: SeenCall) -> None:
        budget.current()._begun -= budget.current().seconds - 1


def tally(record: Callable[[str, object], None], what: str, calls: int, count: int) -> None:
    record(TALLY, f"{what}: {calls} calls for {count} manifests of {LAYERS} layers")


@pytest.mark.rule("D1", "D7")
@pytest.mark.parametrize("count", COUNTS)
async def test_many_manifests_are_deleted_in_whole_transactions_and_the_locked_ones_stay(
    client: Client, repository: str, record_property: Callable[[str, object], None], count: int
) -> None:
    filled = await Filled.make(client, repository, count)
    locked, of_locked_tag = filled.digests[17], filled.digests[50]
    await filled.lock(client, locked, "WriteEnabled")
    await filled.lock(client, Tag("v50"), "DeleteEnabled")
    events: list[Event] = []
    wanted = (*filled.digests, Digest.of(b"absent"))
    with traced() as trace:
        stay = await delete_manifests(client, filled.name, wanted, events)
    tally(record_property, "delete_manifests", trace.count, count)
    assert trace.count <= CALLS_A_MANIFEST * count
    assert set(stay) == {locked, of_locked_tag}
    told = {event.digest for event in events}
    assert told == {str(d) for d in filled.digests if d not in stay}
    assert {event.operation for event in events} == {Operation.DELETE}
    assert {event.origin for event in events} == {ORIGIN}
    listed = await client.send("GET", f"/v2/{repository}/tags/list")
    assert sorted(listed.json()["tags"]) == ["v17", "v50"]
    kinds = sorted(key.partition(":")[0] for key in await rows(client, repository))
    assert kinds == sorted([*("M", "T", "g", "m", "t") * 2, "h", "hd", "hu", "hw"])


@pytest.mark.rule("D1", "D8")
@pytest.mark.parametrize("count", COUNTS)
async def test_a_repository_of_many_manifests_is_deleted_with_all_that_is_in_it(
    client: Client, repository: str, record_property: Callable[[str, object], None], count: int
) -> None:
    filled = await Filled.make(client, repository, count)
    with traced() as trace:
        events = await filled.delete(client)
    tally(record_property, "delete_repository", trace.count, count)
    assert trace.count <= CALLS_A_MANIFEST * count
    assert {event.digest for event in events} == set(map(str, filled.digests))
    assert await is_gone(client, repository)
    with pytest.raises(NameUnknown):
        await filled.delete(client)


@pytest.mark.rule("D8")
@pytest.mark.parametrize(
    ("number", "column"), [(3, "WriteEnabled"), (3, "DeleteEnabled"), (None, "WriteEnabled")]
)
@pytest.mark.parametrize("is_tag", [True, False])
async def test_a_repository_with_anything_locked_is_not_deleted_and_stays_as_it_is(
    client: Client, repository: str, number: int | None, column: str, is_tag: bool
) -> None:
    filled = await Filled.make(client, repository, 40)
    if number is None:
        await filled.lock(client, None, column)
    else:
        target = Tag(f"v{number}") if is_tag else filled.digests[number]
        await filled.lock(client, target, column)
    before = await rows(client, repository)
    with pytest.raises(DisallowedOperation):
        await filled.delete(client)
    assert await rows(client, repository) == before


@pytest.mark.rule("D8")
async def test_what_is_locked_while_a_deletion_begins_keeps_the_repository(
    client: Client, other: Client, repository: str
) -> None:
    """It was read as free; the repository is open again after that."""
    filled = await Filled.make(client, repository, 40)
    gate = Gate(client.hook, is_change)
    deletion = asyncio.create_task(filled.delete(client))
    await gate.reached.wait()
    await filled.lock(other, Tag("v3"), "DeleteEnabled")
    gate.open()
    with pytest.raises(DisallowedOperation):
        await deletion
    tags = (await other.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    assert len(tags) == 40
    await other.push_image(repository, "new")


@pytest.mark.rule("D8")
async def test_a_deletion_whose_time_is_over_is_gone_on_with_by_a_repeat(
    client: Client, other: Client, repository: str
) -> None:
    filled = await Filled.make(client, repository, 100)
    stop_after(client, 3)
    with budgeted(Budget(60)), pytest.raises(Unavailable):
        await filled.delete(client)
    client.hook.plan = None
    left = (await other.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    assert 0 < len(left) < 100
    # It is half deleted, and nobody makes it whole again.
    new = Image.make()
    await push_blobs(other, repository, new)
    for attempt in (
        other.put_manifest(repository, "new", new.manifest),
        other.send("DELETE", f"/v2/{repository}/manifests/{left[0]}"),
    ):
        answer = await attempt
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    with pytest.raises(Unavailable):
        await filled.lock(other, None, "DeleteEnabled")
    # Any instance can go on with it.
    events = await filled.delete(other)
    assert len(events) == len(left)
    assert await is_gone(client, repository)
    assert (await client.put_manifest(repository, "new", new.manifest)).status_code == 201


@pytest.mark.rule("D8")
async def test_a_push_goes_on_with_a_deletion_that_has_stopped(
    client: Client, other: Client, repository: str
) -> None:
    filled = await Filled.make(client, repository, 60)
    stop_after(client, 2)
    with budgeted(Budget(60)), pytest.raises(Unavailable):
        await filled.delete(client)
    new = Image.make()
    await push_blobs(other, repository, new)
    later = datetime.now(UTC) + timedelta(minutes=3)
    other.services.pushes.now = lambda: later
    answer = await other.put_manifest(repository, "new", new.manifest)
    assert answer.status_code == 201, answer.text
    assert (await other.send("GET", f"/v2/{repository}/tags/list")).json()["tags"] == ["new"]
    manifests = [key for key in await rows(other, repository) if key in repository_rows.MANIFESTS]
    assert manifests == [f"m:{new.digest}"]


@pytest.mark.rule("D7")
async def test_a_deletion_of_many_whose_time_is_over_leaves_a_repository_in_order(
    client: Client, repository: str
) -> None:
    """What it has done by then is told, and what is done by the repeat is told by that."""
    filled = await Filled.make(client, repository, 100)
    wanted = filled.digests[1:]
    first: list[Event] = []
    stop_after(client, 2)
    with budgeted(Budget(60)), pytest.raises(Unavailable):
        await delete_manifests(client, filled.name, wanted, first)
    client.hook.plan = None
    left = (await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    assert 1 < len(left) < 100
    gone = {filled.digests[n] for n in range(100) if f"v{n}" not in left}
    assert {event.digest for event in first} == set(map(str, gone))
    await client.push_image(repository, "new")
    second: list[Event] = []
    await delete_manifests(client, filled.name, wanted, second)
    assert {event.digest for event in second} == {str(d) for d in wanted if d not in gone}
    listed = (await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    assert sorted(listed) == ["new", "v0"]


@pytest.mark.rule("D8")
@pytest.mark.parametrize("part", [1, 2, 4])
async def test_a_push_while_a_repository_is_deleted_is_503_and_works_afterwards(
    client: Client, other: Client, repository: str, part: int
) -> None:
    filled = await Filled.make(client, repository, 40)
    new = Image.make()
    await push_blobs(other, repository, new)
    seen = 0

    def is_part(call: SeenCall) -> bool:
        nonlocal seen
        seen += is_change(call)
        return is_change(call) and seen == part + 1

    gate = Gate(client.hook, is_part)
    deletion = asyncio.create_task(filled.delete(client))
    await gate.reached.wait()
    answer = await other.put_manifest(repository, "new", new.manifest)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    gate.open()
    assert len(await deletion) == 40
    assert await is_gone(other, repository)
    assert (await other.put_manifest(repository, "new", new.manifest)).status_code == 201
    pulled = await client.send("GET", f"/v2/{repository}/manifests/new")
    assert pulled.content == new.manifest


@pytest.mark.rule("D8")
async def test_a_push_that_began_before_a_repository_is_deleted_makes_it_anew(
    client: Client, other: Client, repository: str
) -> None:
    """It is about to write when the repository is marked."""
    filled = await Filled.make(client, repository, 40)
    new = Image.make()
    await push_blobs(other, repository, new)
    gate = Gate(other.hook, is_change)
    push = asyncio.create_task(other.put_manifest(repository, "new", new.manifest))
    await gate.reached.wait()
    assert len(await filled.delete(client)) == 40
    gate.open()
    assert (await push).status_code == 201  # Into a repository that it makes anew.
    assert (await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"] == ["new"]
    listed = (await client.send("GET", "/v2/_catalog?n=1000")).json()["repositories"]
    assert repository in listed


@pytest.mark.rule("D5", "F5")
async def test_a_repository_that_is_pushed_to_while_it_seems_empty_stays_listed(
    client: Client, other: Client, repository: str
) -> None:
    """The answer is lost of the transaction that was to bury it, and that storage has refused."""
    image = await client.push_image(repository, "only")
    new = Image.make()
    await push_blobs(other, repository, new)
    seen = 0

    def buries(call: SeenCall) -> bool:
        nonlocal seen
        seen += is_change(call)
        return is_change(call) and seen == 2

    gate = Gate(client.hook, buries, loses_answer=True)
    change = DeleteManifests((Digest.parse(image.digest),), ORIGIN)
    name = RepositoryName(repository)
    deletion = asyncio.create_task(
        client.services.bulk_deletions.delete_manifests(name, change, lambda _: None)
    )
    await gate.reached.wait()
    assert (await other.put_manifest(repository, "new", new.manifest)).status_code == 201
    gate.open()
    await deletion
    listed = (await other.send("GET", "/v2/_catalog?n=1000")).json()["repositories"]
    assert repository in listed


@pytest.mark.rule("D8")
async def test_two_that_delete_a_repository_at_once_delete_it(
    client: Client, other: Client, repository: str
) -> None:
    filled = await Filled.make(client, repository, 100)
    outcomes = await asyncio.gather(
        filled.delete(client), filled.delete(other), return_exceptions=True
    )
    assert all(isinstance(each, list | NameUnknown) for each in outcomes), outcomes
    assert await is_gone(client, repository)


@pytest.mark.rule("D8")
@pytest.mark.parametrize(
    "is_next",
    [
        pytest.param(is_change, id="before-a-batch"),
        pytest.param(lambda call: reads(call, catalog.TABLE, ""), id="before-the-entry"),
        pytest.param(
            lambda call: reads(call, repository_rows.TABLE, repository_rows.TAG_TIMES.prefix),
            id="before-the-index-rows",
        ),
    ],
)
async def test_a_slow_deletion_takes_nothing_from_a_repository_that_was_made_anew(
    client: Client, other: Client, repository: str, is_next: Callable[[SeenCall], bool]
) -> None:
    """Two go on with a deletion that stopped. One ends it, and the same images are pushed again."""
    filled = await Filled.make(client, repository, 40)
    stop_after(client, 1)
    with budgeted(Budget(60)), pytest.raises(Unavailable):
        await filled.delete(client)
    gate = Gate(client.hook, is_next)
    slow = asyncio.create_task(filled.delete(client))
    await gate.reached.wait()
    await filled.delete(other)
    for number in (3, 30):
        tags = (Tag(f"new{number}"),)
        await other.services.pushes.push(filled.name, Push(image(number), tags), ignore)
    pushed = await rows(other, repository)
    gate.open()
    await slow
    assert await rows(other, repository) == pushed
    entries = await all_rows(other, catalog.TABLE, catalog.PARTITION)
    assert repository_rows.partition(filled.name) in entries


@pytest.mark.rule("D7", "F5")
@pytest.mark.parametrize("is_locked_meanwhile", [False, True])
async def test_a_batch_whose_answer_was_lost_is_told_as_it_was_deleted(
    client: Client, other: Client, repository: str, is_locked_meanwhile: bool
) -> None:
    """Where it was not applied, and a manifest has been locked since, that one is not told."""
    filled = await Filled.make(client, repository, 3)
    calls: list[SeenCall] = []

    class Lost(Refuse if is_locked_meanwhile else Drop):  # type: ignore[misc]
        async def before(self, call: SeenCall) -> None:
            if is_locked_meanwhile:
                await filled.lock(other, filled.digests[1], "DeleteEnabled")
            await super().before(call)

    def plan(call: SeenCall) -> Interference | None:
        if is_change(call) and not calls:
            calls.append(call)
            return Lost()
        return None

    client.hook.plan = plan
    events: list[Event] = []
    stay = await delete_manifests(client, filled.name, filled.digests[1:2], events)
    assert calls
    told = [event.digest for event in events]
    assert told == ([] if is_locked_meanwhile else [str(filled.digests[1])])
    assert list(stay) == ([filled.digests[1]] if is_locked_meanwhile else [])


@pytest.mark.rule("D7")
async def test_a_manifest_of_many_tags_among_others_is_deleted_in_parts(
    client: Client, repository: str
) -> None:
    """More tags than one transaction holds."""
    await client.push_image(repository, "keep")
    large = await client.push_image(repository, "")
    small = await client.push_image(repository, "small")
    for first in range(0, 60, 15):
        query = "&".join(f"tag=t{number}" for number in range(first, first + 15))
        reference = f"{large.digest}?{query}"
        assert (await client.put_manifest(repository, reference, large.manifest)).is_success
    wanted = [Digest.parse(each.digest) for each in (large, small)]
    events: list[Event] = []
    await delete_manifests(client, RepositoryName(repository), wanted, events)
    deleted = [event.digest for event in events if event.operation is Operation.DELETE]
    assert sorted(deleted) == sorted([large.digest, small.digest])
    # Those that went before it had their own transactions.
    untagged = [event.tag for event in events if event.operation is Operation.UNTAG]
    assert untagged
    assert set(untagged) < {f"t{number}" for number in range(60)}
    assert (await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"] == ["keep"]


@pytest.mark.rule("D7")
async def test_manifests_that_get_many_tags_while_they_are_deleted_are_deleted_in_more_parts(
    client: Client, other: Client, repository: str
) -> None:
    """What was listed fitted one transaction; what is there by then does not."""
    filled = await Filled.make(client, repository, 12)
    gate = Gate(client.hook, is_change)
    events: list[Event] = []
    deletion = asyncio.create_task(
        delete_manifests(client, filled.name, filled.digests[1:], events)
    )
    await gate.reached.wait()
    for number in range(1, 10):
        # One gets more tags than a transaction can take away.
        for part in range(3 if number == 1 else 1):
            tags = tuple(Tag(f"new{number}-{part}-{n}") for n in range(15))
            await other.services.pushes.push(filled.name, Push(image(number), tags), ignore)
    gate.open()
    await deletion
    deleted = [event.digest for event in events if event.operation is Operation.DELETE]
    assert sorted(deleted) == sorted(map(str, filled.digests[1:]))
    assert (await other.send("GET", f"/v2/{repository}/tags/list")).json()["tags"] == ["v0"]


async def test_an_index_its_children_and_its_referrers_go_with_their_repository(
    client: Client, repository: str
) -> None:
    children = [await client.push_image(repository, "") for _ in range(3)]
    index = index_of(child.descriptor for child in children)
    assert (await client.put_manifest(repository, "all", index, OCI_INDEX)).status_code == 201
    await client.push_image(repository, "signature", subject=children[0].descriptor)
    await delete_repository(client, RepositoryName(repository))
    assert await is_gone(client, repository)
    for reference in ("all", digest_of(index), children[0].digest):
        answer = await client.send("GET", f"/v2/{repository}/manifests/{reference}")
        assert answer.status_code == 404
    again = await client.push_image(repository, secrets.token_hex(4))
    assert again.manifest
