"""A visit of the objects of a day: those that no row names go (G5), if none holds them (G11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from registry_core.blobs import rows
from registry_core.lifecycle.backup.holds import Hold
from registry_core.lifecycle.collection.ages import Ages, is_old
from registry_core.lifecycle.collection.report import Kept, Kind, Report, Tell, Thing
from registry_core.lifecycle.collection.stores import Stores
from registry_core.storage.contents import Listed
from registry_core.storage.faults import ConditionFailed
from registry_core.storage.objects import Location
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row

_LATELY = timedelta(hours=36)
"""A night looks at what has become old enough since the last, and at some of it once more."""
_LOOKED_AT = 10
"""Rows of a digest that tell whether there is such a blob: the marker, `blob`, and some links."""


class UploadVisits:
    """Visits the objects of container `content`."""

    def __init__(self, stores: Stores, ages: Ages) -> None:
        self._stores = stores
        self._ages = ages

    async def days(self) -> Sequence[date]:
        """The days of which there are objects."""
        folders = [
            folder
            async for page in self._stores.content.contents(rows.UPLOADS, delimiter="/")
            for folder in page.folders
        ]
        return [rows.day_of(folder) for folder in folders]

    def is_due(self, day: date, as_of: datetime) -> bool:
        """Whether an object of that day can be old enough."""
        return day <= (as_of - self._ages.upload).date()

    def is_recent(self, day: date, as_of: datetime) -> bool:
        """Whether an object of that day is likely to have become old enough lately.

        Most uploads end on the day on which they were begun. One whose bytes came so seldom that it
        nearly expired again and again is left to the walk over everything.
        """
        return self.is_due(day, as_of) and day >= (as_of - 2 * self._ages.upload).date()

    async def visit(
        self,
        day: date,
        as_of: datetime,
        tell: Tell,
        hold: Hold | None,
        *,
        dry_run: bool,
        lately: bool = False,
    ) -> Report:
        """Takes the objects of uploads that were begun that day and never became a blob.

        With `lately`, it asks of no object that was committed whether a row names it, unless it has
        become old enough lately: so each is asked of in one night or two, and not in every night.
        Raises `Unavailable` if storage fails.
        """
        report = Report()
        async for page in self._stores.content.contents(rows.uploads_of(day)):
            outcomes = await together(
                self._visit(each, as_of, hold, dry_run=dry_run)
                for each in page.objects
                if not (lately and self._was_asked_of(each, as_of))
            )
            for outcome in outcomes:
                if isinstance(outcome, Thing):
                    tell(outcome)
                    report += Report.of([outcome])
                else:
                    report += Report.of((), [outcome])
        return report

    def _was_asked_of(self, found: Listed, as_of: datetime) -> bool:
        is_committed = bool(found.metadata.get(rows.COMMITTED_AS))
        return is_committed and is_old(found.modified, self._ages.upload + _LATELY, as_of)

    async def _visit(
        self, found: Listed, as_of: datetime, hold: Hold | None, *, dry_run: bool
    ) -> Thing | Kept:
        if not is_old(found.modified, self._ages.upload, as_of):
            return Kept.YOUNG
        if hold and rows.COMMITTED_AS in found.metadata:
            return Kept.HELD  # Nothing tells whether it was named when the hold began.
        if await self._is_named(found):
            return Kept.NEEDED
        if not dry_run:
            try:
                await self._stores.content.remove(found.name, etag=found.etag)
            except ConditionFailed:
                return Kept.YOUNG
        return Thing(Kind.UPLOAD, "", found.name, found.size)

    async def _is_named(self, found: Listed) -> bool:
        """Whether a row names an object, read after the object.

        Without a row of its content, a digest that repositories link is not as it must be: what
        may be its only bytes stays.
        """
        digest = found.metadata.get(rows.COMMITTED_AS)
        if not digest:
            return False
        location = self._stores.content.location(found.name)
        read = await self._stores.blobs.query(
            digest, rows.FIRST, rows.NEEDS, ("Location",), limit=_LOOKED_AT
        )
        content = next((row for row in read if row.key == rows.BLOB), None)
        if content is None and read:
            return True
        return self._names(content, location) or await self._is_doomed(digest, location)

    @staticmethod
    def _names(content: Row | None, location: Location) -> bool:
        return content is not None and content.text("Location") == str(location)

    async def _is_doomed(self, digest: str, location: Location) -> bool:
        return await self._stores.blobs.get(digest, rows.doomed(location), ()) is not None
