"""Many repositories, manifests and tags, whose rows lie in storage as pushes write them.

The rows are those of the registry's own plans of pushes; only that many go in one transaction.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from registry_core.model.change import Push
from registry_core.model.manifest import Manifest, Platform
from registry_core.model.media_types import OCI_MANIFEST
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import catalog, plan, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.plan import MAX_TAGS, Found, Moment
from registry_core.repositories.rows import Described
from registry_core.storage import tables
from registry_core.storage.connection import Connection
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row, RowChange

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_APART = timedelta(seconds=7)
"""The time between two pushes."""
_DIGEST = "sha256:" + "0" * 64
_OF_THE_REPOSITORY = {rows.REPOSITORY, *rows.GUARDS, rows.LAST_UPDATE}
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


async def fill(connection: Connection, name: str, manifests: int, tags: int) -> Crowd:
    """Writes the rows of a repository; the tags are spread evenly over the manifests.

    No manifest may have more than a push can set.
    """
    crowd = Crowd(RepositoryName(name), [], [])
    if not manifests <= tags <= manifests * MAX_TAGS:
        raise ValueError(f"{tags} tags are not to be had by pushes of {manifests} manifests")
    await Catalog(connection.table(catalog.TABLE)).enter(crowd.name)
    changes = _pushes(crowd, manifests, tags)
    await _write(connection, crowd.name, changes)
    return crowd


async def enter(connection: Connection, names: Iterable[str]) -> None:
    """Makes repositories that hold one manifest with one tag each, and enters them."""
    entries = Catalog(connection.table(catalog.TABLE))

    async def make(name: str) -> None:
        crowd = Crowd(RepositoryName(name), [], [])
        await entries.enter(crowd.name)
        await _write(connection, crowd.name, _pushes(crowd, 1, 1))

    await together(make(name) for name in names)


async def _write(
    connection: Connection, name: RepositoryName, changes: Iterable[RowChange]
) -> None:
    table, partition = connection.table(rows.TABLE), rows.partition(name)
    await together(table.transact(partition, part) for part in _batches(changes))


def _batches(changes: Iterable[RowChange]) -> Iterator[Sequence[RowChange]]:
    part: list[RowChange] = []
    for change in changes:
        part.append(change)
        if len(part) == tables.MAX_TRANSACTION_ROWS:
            yield part
            part = []
    if part:
        yield part


def _pushes(crowd: Crowd, manifests: int, tags: int) -> Iterator[RowChange]:
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
