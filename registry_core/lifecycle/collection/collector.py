"""Garbage collection: of one thing, and of a part of everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

from registry_core.lifecycle.backup.holds import Hold, Holds
from registry_core.lifecycle.collection import share
from registry_core.lifecycle.collection.ages import Ages
from registry_core.lifecycle.collection.blobs import BlobVisits
from registry_core.lifecycle.collection.report import Report, Tell, Thing, Visit
from registry_core.lifecycle.collection.repositories import RepositoryVisits
from registry_core.lifecycle.collection.share import Place, Stretch
from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.collection.uploads import UploadVisits
from registry_core.lifecycle.collection.walk import Visits, Walker
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog
from registry_core.settings import Settings
from registry_core.storage import keys
from registry_core.storage.connection import Connection

_HELD_FOR = timedelta(minutes=1)
"""How long the answer whether backups are under way is kept."""


@dataclass(frozen=True)
class Walk:
    """How a walk ended."""

    report: Report
    left: Sequence[Stretch] = ()
    """What it did not come to: for a walk that goes on. None if it is complete."""


def _nobody(_: Thing) -> None:
    """Is told what goes."""


class Collector:
    """Collects the garbage of one registry. Any number may work at once, and repeat all they do."""

    def __init__(
        self,
        stores: Stores,
        ages: Ages,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        holds: Holds | None = None,
    ) -> None:
        """Without `holds` it does not ask for any: of a registry of which nobody makes backups."""
        self._stores = stores
        self._ages = ages
        self._now = now
        self._holds = holds
        self._hold: tuple[datetime, Hold | None] | None = None
        self._asking = asyncio.Lock()
        self._visits = Visits(
            BlobVisits(stores, ages), RepositoryVisits(stores, ages), UploadVisits(stores, ages)
        )

    @classmethod
    def of(
        cls,
        connection: Connection,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Self:
        """That of the registry which a connection leads to."""
        return cls(Stores.over(connection), Ages.of(settings), now, Holds(connection))

    async def _held(self, as_of: datetime) -> Hold | None:
        """The hold of the backups that are under way (G11), read when `as_of` had come.

        One that was read up to a minute ago will do if whatever may go was doomed before that: a
        backup that began since has not named it.
        """
        if self._holds is None:
            return None
        async with self._asking:
            known, now = self._hold, self._now()
            is_recent = known is not None and now - _HELD_FOR < known[0]
            if known is None or not is_recent or known[0] < as_of - self._ages.doomed:
                known = self._hold = (now, await self._holds.active(max(now, as_of)))
            return known[1]

    # One thing.

    async def visit_blob(
        self, digest: Digest, as_of: datetime, *, dry_run: bool = False, tell: Tell = _nobody
    ) -> Visit:
        """Does every stage that is due of a blob, and says when the next will be.

        Raises `Unavailable` if storage fails, or others keep changing the blob.
        """
        self._check(as_of, dry_run=dry_run)
        hold = await self._held(as_of)
        return await self._visits.blobs.visit(str(digest), as_of, tell, hold, dry_run=dry_run)

    async def visit_repository(
        self, name: RepositoryName, as_of: datetime, *, dry_run: bool = False, tell: Tell = _nobody
    ) -> Visit:
        """Takes what deletions and failed pushes left of a repository, and its entry if it is gone.

        Raises `Unavailable` if storage fails.
        """
        self._check(as_of, dry_run=dry_run)
        own = await self._visits.repositories.visit(name, as_of, tell, dry_run=dry_run)
        entry = await self._visits.repositories.visit_entry(name, as_of, tell, dry_run=dry_run)
        due = min(filter(None, (own.due, entry.due)), default=None)
        return Visit(own.report + entry.report, due)

    async def visit_remains(
        self, name: RepositoryName, as_of: datetime, *, dry_run: bool = False, tell: Tell = _nobody
    ) -> Visit:
        """Takes the tombstones of a repository, and its entry if it is gone: a few calls.

        Raises `Unavailable` if storage fails.
        """
        self._check(as_of, dry_run=dry_run)
        visits = self._visits.repositories
        own = await visits.visit_tombstones(name, as_of, tell, dry_run=dry_run)
        entry = await visits.visit_entry(name, as_of, tell, dry_run=dry_run)
        due = min(filter(None, (own.due, entry.due)), default=None)
        return Visit(own.report + entry.report, due)

    async def visit_day(
        self, day: date, as_of: datetime, *, dry_run: bool = False, tell: Tell = _nobody
    ) -> Report:
        """Takes the objects that no row names, of the uploads that were begun on a day.

        No storage call where none can be old enough. Raises `Unavailable` if storage fails.
        """
        self._check(as_of, dry_run=dry_run)
        if not self._visits.uploads.is_due(day, as_of):
            return Report()
        hold = await self._held(as_of)
        return await self._visits.uploads.visit(day, as_of, tell, hold, dry_run=dry_run)

    def _check(self, as_of: datetime, *, dry_run: bool) -> None:
        """Nothing is deleted that is not old enough by now."""
        if as_of > self._now() and not dry_run:
            raise ValueError("what will be garbage at a later time cannot be deleted now")

    # Everything.

    async def run(
        self,
        shard: int,
        of: int,
        as_of: datetime,
        *,
        dry_run: bool = False,
        seconds: float = float("inf"),
        left: Sequence[Stretch] = (),
        recent: bool = False,
        tell: Tell = _nobody,
    ) -> Walk:
        """Visits whatever may go of a part of everything: of the `shard`th, from 0, of `of` parts.

        With `recent`, it first goes over the uploads of which something has become old enough
        lately, whichever part they are in.

        It ends after `seconds`, and where storage fails, with what is left, which another walk may
        be given to go on with. What it finds it visits by itself: a walk only looks for it.
        """
        self._check(as_of, dry_run=dry_run)
        hold = await self._held(as_of)
        walker = Walker(self._stores, self._ages, self._visits, as_of, tell, hold, dry_run=dry_run)
        over = time.monotonic() + seconds
        stretches = list(left) or await self._share(shard, of, as_of, recent=recent)
        while stretches:
            rest = await walker.take(stretches[0], over)
            stretches = [*([rest] if rest else []), *stretches[1:]]
            if rest or walker.is_over(over):
                break
        return Walk(walker.report, stretches)

    async def _share(self, shard: int, of: int, as_of: datetime, *, recent: bool) -> list[Stretch]:
        entries = []
        if of > 1:
            first, end = share.FIRST, keys.AFTER_ALL
            pages = self._stores.catalog.pages(catalog.PARTITION, first, end, ())
            entries = [row.key async for page in pages for row in page]
        names = (Place.REPOSITORIES, Place.CATALOG)
        days = [
            day
            for day in await self._visits.uploads.days()
            if self._visits.uploads.is_due(day, as_of)
        ]
        lately = [day for day in days if recent and self._visits.uploads.is_recent(day, as_of)]
        return [
            *(Stretch(Place.RECENT, str(day), str(day)) for day in lately),
            *share.of_digests(shard, of),
            *(share.of_names(place, shard, of, entries) for place in names),
            *(Stretch(Place.UPLOADS, str(day), str(day)) for day in days[shard::of]),
        ]
