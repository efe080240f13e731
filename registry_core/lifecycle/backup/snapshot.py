"""The rows of a repository as they all were at one moment, read beside whatever changes them.

Every change of a repository writes `hu` or `h` in its transaction. So rows that were read between
two reads of these, which found both unchanged, are those of one moment. The first time all rows are
read, in pages. Where something has changed meanwhile, only what changed is read again, of all
ranges at once: two rounds, however large the repository is. A repository is settled as soon as no
change comes within two such rounds; it does not matter how many came before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from registry_core.errors import Unavailable
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row, Table

_LAG = timedelta(minutes=1)
"""A change cannot have a time of storage that is so much earlier than that of one before it."""
_SWEPT_SECONDS = 20 * 60.0
"""What was deleted is a tombstone for 30 minutes: so long it may take from one read to the next."""
_MOST_SWEEPS = 1000
_RESTARTS = 3

Bounds = tuple[str, str]
Rows = dict[str, Row]

_LARGE = (rows.MANIFESTS, rows.TAGS)
"""The kinds of which there are many, and of which a deletion leaves a tombstone."""


class Unsettled(Unavailable):
    """A repository was changed all the time."""

    def __init__(self, name: RepositoryName) -> None:
        super().__init__(f"the repository {name} was changed all the time; try again")


class Snapshots:
    """Reads the repositories of one registry."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def read(self, name: RepositoryName) -> list[Row]:
        """The sources of all that is live or can be restored, in the order of their keys.

        None, where there is no such repository. Raises `Unsettled`, and what storage raises.
        """
        for _ in range(_RESTARTS):
            found = await _Reading(self._table, rows.partition(name)).settled()
            if found is not None:
                kept = filter(rows.is_source, found.values())
                return sorted(kept, key=lambda row: row.key)
        raise Unsettled(name)


@dataclass(frozen=True)
class _Version:
    """The rows that every change writes, as they were read."""

    etags: tuple[str, ...]
    time: datetime | None
    """Storage's own time of the last change; None of a repository that never was."""

    @classmethod
    def of(cls, found: Rows) -> _Version:
        known = [found[key] for key in (rows.REPOSITORY, rows.LAST_UPDATE) if key in found]
        etags = tuple(f"{row.key} {row.etag}" for row in known)
        return cls(etags, max((row.timestamp for row in known), default=None))


@dataclass
class _Reading:
    """One repository, on the way."""

    table: Table
    partition: str
    large: Rows = field(default_factory=dict)
    """The rows of the large kinds, as read last."""
    cuts: list[Bounds] = field(default_factory=list)
    """The ranges of the large kinds, each about a page."""

    async def settled(self) -> Rows | None:
        """The rows at one moment; None if it took too long between two reads."""
        version = _Version.of(await self._own())
        swept, since = time.monotonic(), None
        for _ in range(_MOST_SWEEPS):
            small = await self._sweep(since)
            own = await self._own()
            now, begun = time.monotonic(), swept
            swept = now
            before, version = version, _Version.of(own)
            if before == version:
                return self.large | small | own
            if now - begun > _SWEPT_SECONDS:
                return None
            since = before.time - _LAG if before.time else None
        return None

    async def _own(self) -> Rows:
        """`h`, the guards and `hu`: they stand together."""
        found = await self.table.query(self.partition, *_OWN)
        return {row.key: row for row in found}

    async def _sweep(self, since: datetime | None) -> Rows:
        """Brings the large kinds up to date; answers the rows of the others."""
        small = [self.table.query(self.partition, *each) for each in _SMALL]
        if since is None:
            self.large, self.cuts = {}, []
            large = [self._whole(each) for each in _LARGE]
        else:
            large = [self.table.changed(self.partition, *each, since) for each in self.cuts]
        found = await together([*small, *large])
        self.large |= {row.key: row for some in found[len(small) :] for row in some}
        return {row.key: row for some in found[: len(small)] for row in some}

    async def _whole(self, range_: rows.Range) -> list[Row]:
        """A large kind, which is cut where a page begins."""
        first, found = range_.first, list[Row]()
        async for page in self.table.pages(self.partition, range_.first, range_.end):
            if found and page:
                self.cuts.append((first, page[0].key))
                first = page[0].key
            found += page
        self.cuts.append((first, range_.end))
        return found


def _small() -> Iterator[Bounds]:
    """The ranges of all other rows, but for those of `_OWN` and those that follow from others."""
    for first, end in rows.beside(*rows.INDEX_ROWS, *_LARGE):
        if first <= rows.REPOSITORY < end:
            yield first, rows.REPOSITORY
            yield _OWN[1], end
        else:
            yield first, end


_OWN: Bounds = (rows.REPOSITORY, f"{rows.PUSH_GUARD} ")
_SMALL = [each for each in _small() if each[0] < each[1]]
