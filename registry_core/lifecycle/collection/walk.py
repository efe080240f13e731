"""The walk over everything there is, a part at a time: what no message names is found by it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from registry_core.errors import Unavailable
from registry_core.lifecycle.backup.holds import Hold
from registry_core.lifecycle.collection import repositories
from registry_core.lifecycle.collection.ages import Ages, is_old
from registry_core.lifecycle.collection.blobs import BlobVisits
from registry_core.lifecycle.collection.partition import (
    COLUMNS,
    Partition,
    decide,
    partitions,
)
from registry_core.lifecycle.collection.report import Report, Tell, Visit
from registry_core.lifecycle.collection.repositories import RepositoryVisits
from registry_core.lifecycle.collection.share import Place, Stretch
from registry_core.lifecycle.collection.stores import Stores, repository_of
from registry_core.lifecycle.collection.uploads import UploadVisits
from registry_core.repositories import catalog, rows
from registry_core.storage.cache import Cache
from registry_core.storage.faults import StorageFault
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row

_KNOWN_FOR = timedelta(minutes=10)
_KNOWN = 20_000
"""How many manifests a walk keeps in mind: most blobs of a repository are of the same few."""
_MOST_FAILED = 20
"""A walk that could not finish so many visits has met storage that fails."""


@dataclass(frozen=True)
class Visits:
    """Those who look at one thing each."""

    blobs: BlobVisits
    repositories: RepositoryVisits
    uploads: UploadVisits


class Walker:
    """One walk on its way."""

    def __init__(
        self,
        stores: Stores,
        ages: Ages,
        visits: Visits,
        as_of: datetime,
        tell: Tell,
        hold: Hold | None,
        *,
        dry_run: bool,
    ) -> None:
        self._hold = hold
        self._stores = stores
        self._ages = ages
        self._as_of = as_of
        self._tell = tell
        self._dry_run = dry_run
        self._visits = visits
        self._known: Cache[bool] = Cache(_KNOWN_FOR, _KNOWN)
        self._there: set[str] = set()
        """The partitions of the repositories that were found to be there."""
        self.report = Report()

    async def take(self, stretch: Stretch, over: float) -> Stretch | None:
        """Goes along a stretch; answers what is left of it when the time is over, or storage fails.

        What was visited twice was visited once too often, and no harm is done.
        """
        try:
            if stretch.place in (Place.UPLOADS, Place.RECENT):
                day, lately = date.fromisoformat(stretch.first), stretch.place is Place.RECENT
                await self._take_day(day, lately=lately)
                return None
            steps = {
                Place.BLOBS: self._along_blobs,
                Place.REPOSITORIES: self._along_repositories,
                Place.CATALOG: self._along_catalog,
            }
            async with aclosing(steps[stretch.place](stretch)) as passed:
                async for last in passed:
                    stretch = stretch.after(last)
                    if self.is_over(over):
                        return stretch
        except (StorageFault, Unavailable):
            self.report += Report(failed=1)
            return stretch
        return None

    def is_over(self, over: float) -> bool:
        """Whether the time is over, or storage fails."""
        return time.monotonic() >= over or self.report.failed >= _MOST_FAILED

    async def _take_day(self, day: date, *, lately: bool) -> None:
        self.report += await self._visits.uploads.visit(
            day, self._as_of, self._tell, self._hold, dry_run=self._dry_run, lately=lately
        )

    async def _visit_all(self, visits: Iterable[Awaitable[Visit]]) -> None:
        for report in await together(map(_reported, visits)):
            self.report += report

    # Each goes along a stretch, and tells the last key that it has passed.

    async def _along_blobs(self, stretch: Stretch) -> AsyncGenerator[str, None]:
        rest: list[Row] = []
        async for page in self._stores.blobs.scan(stretch.first, stretch.end, COLUMNS):
            found = list(partitions([*rest, *page]))
            # The last may go on in the next page.
            rest = list(found.pop().rows) if found else []
            if found:
                await self._look_at(found)
                yield found[-1].digest
        if rest:
            await self._look_at(list(partitions(rest)))

    async def _look_at(self, found: Sequence[Partition]) -> None:
        """Visits those of which something may go, as far as can be seen from here."""
        asked = {each for one in found for each in one.questions(self._as_of, self._ages)}
        unknown = {each for each in asked if self._known.get(each) is None}
        gone = await self._stores.gone(unknown)
        for each in unknown - gone:
            self._known.put(each, True)
        due = list[str]()
        for one in found:
            made = decide(one, gone, self._as_of, self._ages, self._hold)
            if made.is_empty:
                self.report += Report(kept=Counter(made.kept))
            else:
                due.append(one.digest)
        await self._visit_all(
            self._visits.blobs.visit(
                digest, self._as_of, self._tell, self._hold, dry_run=self._dry_run
            )
            for digest in due
        )

    async def _along_repositories(self, stretch: Stretch) -> AsyncGenerator[str, None]:
        glance = _Glance("")
        scan = self._stores.repositories.scan(stretch.first, stretch.end, repositories.COLUMNS)
        async for page in scan:
            passed, due = "", list[str]()
            for row in page:
                if row.partition != glance.partition:
                    passed = glance.partition
                    due += self._seen(glance)
                    glance = _Glance(row.partition)
                glance.add(row, is_old=is_old(row.timestamp, self._ages.change, self._as_of))
            await self._visit_repositories(due)
            if passed:
                yield passed
        await self._visit_repositories(self._seen(glance))

    def _seen(self, glance: _Glance) -> list[str]:
        if glance.is_there:
            self._there.add(glance.partition)
        return [glance.partition] if glance.may_go else []

    async def _visit_repositories(self, due: Iterable[str]) -> None:
        await self._visit_all(
            self._visits.repositories.visit(
                repository_of(each), self._as_of, self._tell, dry_run=self._dry_run
            )
            for each in due
        )

    async def _along_catalog(self, stretch: Stretch) -> AsyncGenerator[str, None]:
        pages = self._stores.catalog.pages(catalog.PARTITION, stretch.first, stretch.end, ())
        async for page in pages:
            # Keys of the catalog are partitions of the other table.
            due = [
                row.key
                for row in page
                if row.key not in self._there
                and is_old(row.timestamp, self._ages.change, self._as_of)
            ]
            await self._visit_all(
                self._visits.repositories.visit_entry(
                    repository_of(key), self._as_of, self._tell, dry_run=self._dry_run
                )
                for key in due
            )
            if page:
                yield page[-1].key


@dataclass
class _Glance:
    """What was seen of a repository whose rows go by in the order of their keys."""

    partition: str
    is_there: bool = False
    has_tombstone: bool = False
    has_old_usage: bool = False
    """Whether it has gone, and its usage has not."""
    parents: set[str] = field(default_factory=set)
    """The indexes that rows of children name, and that have not gone by: they come after them."""

    def add(self, row: Row, *, is_old: bool) -> None:
        """Takes a look at a row."""
        if row.key in rows.CHILDREN and is_old:
            self.parents.add(repositories.parent_of(row))
        elif repositories.is_tombstone(row):
            self.has_tombstone = self.has_tombstone or is_old
        elif row.key == rows.REPOSITORY:
            self.is_there = True
        elif row.key == rows.USAGE:
            self.has_old_usage = is_old and not self.is_there
        else:
            self.parents.discard(row.key)

    @property
    def may_go(self) -> bool:
        """Whether anything of it may go."""
        return self.has_tombstone or self.has_old_usage or bool(self.parents)


async def _reported(visit: Awaitable[Visit]) -> Report:
    try:
        return (await visit).report
    except (StorageFault, Unavailable):
        return Report(visits=1, failed=1)
