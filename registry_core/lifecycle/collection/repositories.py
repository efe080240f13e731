"""A visit of the rows of a repository, or of its entry in the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from registry_core.lifecycle.collection.ages import Ages, is_old
from registry_core.lifecycle.collection.report import Kept, Kind, Report, Tell, Thing, Visit
from registry_core.lifecycle.collection.stores import Stores, delete_each, is_gone
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.storage import tables
from registry_core.storage.tables import Row

COLUMNS = (rows.LIVE, rows.GONE)


class RepositoryVisits:
    """Visits the partitions of table `repositories`, and the entries of the catalog."""

    def __init__(self, stores: Stores, ages: Ages) -> None:
        self._stores = stores
        self._ages = ages

    async def visit(
        self, repository: RepositoryName, as_of: datetime, tell: Tell, *, dry_run: bool
    ) -> Visit:
        """Takes tombstones (G6), and the rows of children whose index has gone (G7).

        These are read before the manifests. Of a repository that has gone, also its usage (G13).
        Raises `Unavailable` if storage fails.
        """
        partition = rows.partition(repository)
        children = await self._children(partition)
        doomed: dict[str, tuple[Kind, Row]] = {}
        holding: set[str] = set()
        is_there, end = False, f"{rows.USAGE}\x20"
        pages = self._stores.repositories.pages(partition, rows.REPOSITORY, end, COLUMNS)
        async for page in pages:
            is_there |= any(row.key == rows.REPOSITORY and not is_gone(row) for row in page)
            holding |= {row.key for row in page if row.key in children and not is_gone(row)}
            for row in filter(is_tombstone, page):
                doomed[row.key] = Kind.TOMBSTONE, row
            for row in page:
                if row.key == rows.USAGE and not is_there:
                    doomed[row.key] = Kind.USAGE, row
        for parent in children.keys() - holding:
            for row in children[parent]:
                doomed[row.key] = Kind.CHILD, row
        return await self._take(partition, doomed, as_of, tell, dry_run=dry_run)

    async def visit_tombstones(
        self, repository: RepositoryName, as_of: datetime, tell: Tell, *, dry_run: bool
    ) -> Visit:
        """Takes tombstones (G6), and reads nothing else. Raises `Unavailable` if storage fails."""
        partition, found = rows.partition(repository), list[Row]()
        pages = self._stores.repositories.pages(
            partition, rows.REPOSITORY, rows.TAGS.end, COLUMNS, naming=rows.GONE
        )
        async for page in pages:
            found += page
        doomed = {row.key: (Kind.TOMBSTONE, row) for row in found}
        return await self._take(partition, doomed, as_of, tell, dry_run=dry_run)

    async def _take(
        self,
        partition: str,
        doomed: Mapping[str, tuple[Kind, Row]],
        as_of: datetime,
        tell: Tell,
        *,
        dry_run: bool,
    ) -> Visit:
        """Deletes those that are old enough and as they were read."""
        due = [row.timestamp + self._ages.change for _, row in doomed.values()]
        old = {
            key: Thing(kind, partition, key)
            for key, (kind, row) in doomed.items()
            if is_old(row.timestamp, self._ages.change, as_of)
        }
        if not dry_run:
            deletions = [tables.delete(key, doomed[key][1].etag) for key in old]
            gone = await delete_each(self._stores.repositories, partition, deletions)
            old = {key: thing for key, thing in old.items() if key in gone}
        young = [each for each in due if each > as_of]
        return _told(old.values(), [Kept.YOUNG] * len(young), tell, min(young, default=None))

    async def _children(self, partition: str) -> dict[str, list[Row]]:
        """The rows of children, by the row of the index that holds them."""
        found: dict[str, list[Row]] = {}
        first, end = rows.CHILDREN.first, rows.CHILDREN.end
        async for page in self._stores.repositories.pages(partition, first, end, ()):
            for row in page:
                found.setdefault(parent_of(row), []).append(row)
        return found

    async def visit_entry(
        self, repository: RepositoryName, as_of: datetime, tell: Tell, *, dry_run: bool
    ) -> Visit:
        """Takes the entry of a repository that is not there (G8), which is read after it.

        Raises `Unavailable` if storage fails.
        """
        key = catalog.entry_key(repository)
        entry = await self._stores.catalog.get(catalog.PARTITION, key, ())
        if entry is None:
            return Visit(Report.of(()))
        row = await self._stores.repositories.get(
            rows.partition(repository), rows.REPOSITORY, COLUMNS
        )
        if not is_gone(row):
            return Visit(Report.of((), [Kept.NEEDED]))
        if not is_old(entry.timestamp, self._ages.change, as_of):
            return Visit(Report.of((), [Kept.YOUNG]), entry.timestamp + self._ages.change)
        if not dry_run and not await delete_each(
            self._stores.catalog, catalog.PARTITION, [tables.delete(key, entry.etag)]
        ):
            return Visit(Report.of((), [Kept.NEEDED]))
        return _told([Thing(Kind.ENTRY, catalog.PARTITION, key)], [], tell, None)


def is_tombstone(row: Row) -> bool:
    """Whether a row is what a deletion left."""
    return bool(row.values.get(rows.GONE))


def parent_of(row: Row) -> str:
    """The key of the index that a row `c:` says holds a manifest."""
    return rows.manifest_key(rows.last_digest(row.key))


def _told(things: Iterable[Thing], kept: list[Kept], tell: Tell, due: datetime | None) -> Visit:
    every = list(things)
    for thing in every:
        tell(thing)
    return Visit(Report.of(every, kept), due)
