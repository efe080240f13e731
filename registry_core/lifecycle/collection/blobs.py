"""A visit of the rows of a blob: every stage that is due."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from registry_core.blobs import rows
from registry_core.lifecycle.backup.holds import Hold
from registry_core.lifecycle.collection.ages import Ages
from registry_core.lifecycle.collection.partition import (
    COLUMNS,
    Decision,
    Doomed,
    Partition,
    decide,
)
from registry_core.lifecycle.collection.report import Kind, Report, Tell, Thing, Visit
from registry_core.lifecycle.collection.stores import ATTEMPTS, Stores
from registry_core.storage import tables
from registry_core.storage.budget import attempts, repeated
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowExists, RowMissing
from registry_core.storage.pacing import together


class BlobVisits:
    """Visits the partitions of table `blobs`."""

    def __init__(self, stores: Stores, ages: Ages) -> None:
        self._stores = stores
        self._ages = ages

    async def visit(
        self, digest: str, as_of: datetime, tell: Tell, hold: Hold | None, *, dry_run: bool
    ) -> Visit:
        """Takes what may go. Raises `Unavailable` if others keep changing it, or storage fails."""
        async for _ in attempts("others are changing this blob; try again", most=ATTEMPTS):
            made = await self._decide(digest, as_of, hold)
            try:
                if not dry_run:
                    for changes in made.transactions():
                        await self._stores.blobs.transact(digest, changes)
            except (ConditionFailed, RowMissing, RowExists, Ambiguous):
                continue
            objects = await together(
                self._sweep(digest, each, dry_run=dry_run) for each in made.doomed
            )
            things = [*made.things, *filter(None, objects)]
            for thing in things:
                tell(thing)
            return Visit(Report.of(things, made.kept), made.due)
        raise AssertionError("unreachable")

    async def _decide(self, digest: str, as_of: datetime, hold: Hold | None) -> Decision:
        """Reads the rows, and after them the manifests."""
        read = await self._stores.blobs.query(digest, rows.FIRST, rows.END, COLUMNS)
        found = Partition(digest, read)
        gone = await self._stores.gone(found.questions(as_of, self._ages))
        return decide(found, gone, as_of, self._ages, hold)

    async def _sweep(self, digest: str, doomed: Doomed, *, dry_run: bool) -> Thing | None:
        """Deletes an object, and then the row that says that it goes.

        A commit that is repeated reads the row before the object: it never finds the object
        without the row. One that sends the object anew does not find it, and may have done so
        since: its object has changed after the row was written.
        """
        is_gone = not doomed.is_named
        if not dry_run:
            is_gone = is_gone and await self._remove(doomed)
            await self._forget(digest, doomed)
        if not is_gone:
            return None
        return Thing(Kind.OBJECT, digest, doomed.row.key, doomed.size)

    async def _remove(self, doomed: Doomed) -> bool:
        """Deletes an object; False if that was done before, or it is another by now."""
        try:
            return await self._stores.content.remove(
                doomed.location.name, unmodified_since=doomed.row.timestamp
            )
        except ConditionFailed:
            return False

    async def _forget(self, digest: str, doomed: Doomed) -> None:
        """Deletes a row `x:`, unless another visit did."""
        row = tables.delete(doomed.row.key, doomed.row.etag)
        with suppress(ConditionFailed, RowMissing):
            await repeated(lambda: self._stores.blobs.transact(digest, [row]), most=ATTEMPTS)
