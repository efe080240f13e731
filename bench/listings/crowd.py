"""Many repositories, manifests and tags, whose rows lie in storage as pushes write them.

The rows are those of the registry's own plans of pushes; only that many go in one transaction.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from registry_core.model.change import Push
from registry_core.model.manifest import Manifest, Platform
from registry_core.model.media_types import OCI_MANIFEST
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import catalog, plan, rows
from registry_core.repositories.plan import MAX_TAGS, Found, Moment
from registry_core.repositories.rows import Described
from registry_core.storage import tables
from registry_core.storage.budget import Budget, attempts, budgeted
from registry_core.storage.connection import Connection
from registry_core.storage.faults import Ambiguous, RowExists
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row, RowChange

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_APART = timedelta(seconds=7)
"""The time between two pushes."""
_PATIENCE = 600.0
_DIGEST = "sha256:" + "0" * 64
_KINDS = (rows.MANIFESTS, rows.MANIFEST_TIMES, rows.TAGS, rows.TAG_TIMES, rows.MANIFEST_TAGS)


@dataclass(frozen=True)
class Listed:
    """A manifest or a tag that a listing shows."""

    name: str
    updated: datetime


@dataclass(frozen=True)
class Crowd:
    """A repository that holds so many manifests and tags, in the order of time."""

    name: RepositoryName
    manifests: list[Listed]
    tags: list[Listed]


async def fill(
    connection: Connection,
    name: str,
    manifests: int,
    tags: int,
    is_wanted: Callable[[str], bool] = lambda _: True,
) -> Crowd:
    """Writes the rows of a repository; the tags are spread evenly over the manifests.

    No manifest may have more than a push can set. `is_wanted` says of a row's key whether anybody
    will look at it.
    """
    crowd = Crowd(RepositoryName(name), [], [])
    if tags > manifests * MAX_TAGS:
        raise ValueError(f"{tags} tags are not to be had by pushes of {manifests} manifests")
    await enter(connection, [crowd.name])
    changes = (each for each in pushes(crowd, manifests, tags) if is_wanted(each.key))
    await _write(connection, rows.TABLE, rows.partition(crowd.name), changes)
    return crowd


async def make(connection: Connection, names: Sequence[str]) -> None:
    """Writes the rows of repositories that hold one manifest each, without a tag."""
    crowds = [Crowd(RepositoryName(name), [], []) for name in names]
    await enter(connection, [crowd.name for crowd in crowds])
    await together(
        _write(connection, rows.TABLE, rows.partition(crowd.name), pushes(crowd, 1, 0))
        for crowd in crowds
    )


async def enter(connection: Connection, names: Iterable[RepositoryName]) -> None:
    """Writes the entries of repositories in the catalogue, and nothing that is in them."""
    entries = (catalog.entry(name, BEGIN) for name in names)
    await _write(connection, catalog.TABLE, catalog.PARTITION, entries)


async def _write(
    connection: Connection, table: str, partition: str, changes: Iterable[RowChange]
) -> None:
    """As many rows a transaction as it takes; an emulator may need minutes for the answer."""

    async def write(part: Sequence[RowChange]) -> None:
        # None of them is there. To insert them is what an emulator is quickest at.
        inserts = [tables.insert(each.key, **each.values) for each in part]
        async for _ in attempts():
            try:
                await connection.table(table).transact(partition, inserts)
            except Ambiguous:
                continue
            except RowExists:
                pass  # By the try before, whose answer was lost.
            return

    with budgeted(Budget(math.inf, call_seconds=_PATIENCE)):
        await together(write(part) for part in batches(changes))


def batches(changes: Iterable[RowChange]) -> Iterator[Sequence[RowChange]]:
    """Parts of as many rows as a transaction takes."""
    part: list[RowChange] = []
    for change in changes:
        part.append(change)
        if len(part) == tables.MAX_TRANSACTION_ROWS:
            yield part
            part = []
    if part:
        yield part


def pushes(crowd: Crowd, manifests: int, tags: int) -> Iterator[RowChange]:
    """The rows of all pushes; those of the repository itself once, from the first of them."""
    for number in range(manifests):
        moment = Moment(BEGIN + number * _APART, f"{number:012x}-0000-bench")
        names = range(number * tags // manifests, (number + 1) * tags // manifests)
        # By name they come in another order than by time.
        push = Push(_manifest(crowd, number), tuple(Tag(f"v{n * 7919 % tags:06}") for n in names))
        found = _found(push, is_first=number == 0)
        made = plan.push(crowd.name, found, push, Described(Platform("linux", "amd64"), ()), moment)
        crowd.manifests.append(Listed(str(push.manifest.digest), moment.now))
        for change in made.changes:
            if change.key in rows.TAG_TIMES:
                listed = Listed(rows.name_in(change.key), rows.time_in(change.key))
                crowd.tags.append(listed)
            if number == 0 or any(change.key in kind for kind in _KINDS):
                yield change


def _found(push: Push, *, is_first: bool) -> Found:
    """What a push finds that is the first, or another of what is new in its repository."""
    keys = [rows.manifest_key(push.manifest.digest), *map(rows.tag_key, push.tags)]
    repository = Row("", rows.REPOSITORY, {rows.LIVE: True}, "etag", BEGIN)
    return {rows.REPOSITORY: None if is_first else repository, **dict.fromkeys(keys)}


def _manifest(crowd: Crowd, number: int) -> Manifest:
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": _DIGEST, "size": 2}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": [],
        "annotations": {"crowd": f"{crowd.name} {number}"},
    }
    return Manifest.parse(json.dumps(document).encode(), OCI_MANIFEST)
