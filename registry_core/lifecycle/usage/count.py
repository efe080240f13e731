"""Counts what the registry takes of storage: all digests, or a part of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.collection import share
from registry_core.lifecycle.collection.ages import Ages
from registry_core.lifecycle.collection.partition import ManifestOf
from registry_core.lifecycle.collection.share import Stretch
from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.usage.total import CONTAINER, PARTS, Figures, Part, Total, Totals
from registry_core.repositories import catalog, rows
from registry_core.settings import Settings
from registry_core.storage import keys, tables
from registry_core.storage.budget import attempts
from registry_core.storage.cache import Cache
from registry_core.storage.connection import Connection
from registry_core.storage.documents import Documents
from registry_core.storage.faults import Ambiguous, RowExists, RowMissing
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row

_COLUMNS = ("Size", blob_rows.RELEASED)
_ATTEMPTS = 8
_THERE_FOR, _THERE = timedelta(minutes=10), 20_000
"""For so long, so many manifests are kept in mind that are there: most blobs of a repository are of
the same few."""

Tell = Callable[[int], None]
"""Is told now and then how many blobs were counted."""


def _nobody(_: int) -> None:
    """Is told how far it is."""


@dataclass
class _Blob:
    """The rows of a digest as they go by: the markers, the content, the links, the needs."""

    digest: str
    size: int | None = None
    needing: set[str] = field(default_factory=set)
    """The repositories of which a manifest needs it."""
    doomed: list[int] = field(default_factory=list)

    def add(self, row: Row, gone: Collection[ManifestOf]) -> None:
        """Takes a look at a row. `gone` has the manifests that need nothing any more."""
        if row.key == blob_rows.BLOB:
            self.size = row.number("Size")
        elif row.key.startswith(blob_rows.DOOMED):
            self.doomed.append(row.number("Size"))
        elif _is_need(row):
            repository, manifest = blob_rows.needed_by(row.key)
            if (repository, manifest) not in gone:
                self.needing.add(rows.partition(repository))

    @property
    def figures(self) -> Figures:
        """What it counts for."""
        gone = sum(self.doomed)
        if self.size is None:
            return Figures(waiting=len(self.doomed), waiting_size=gone, doomed_size=gone)
        is_shared, is_needed = len(self.needing) > 1, bool(self.needing)
        return Figures(
            blobs=1,
            size=self.size,
            shared=int(is_shared),
            shared_size=self.size if is_shared else 0,
            waiting=len(self.doomed) + (not is_needed),
            waiting_size=gone + (0 if is_needed else self.size),
            doomed_size=gone,
        )


class Count:
    """Counts the storage of one registry. It changes nothing but its own figures."""

    def __init__(self, stores: Stores, totals: Totals, ages: Ages) -> None:
        self._stores = stores
        self._totals = totals
        self._ages = ages
        self._there: Cache[bool] = Cache(_THERE_FOR, _THERE)

    @classmethod
    def of(cls, connection: Connection, settings: Settings) -> Self:
        """Of the registry that a connection leads to."""
        totals = Totals(Documents(connection, CONTAINER), Cache(settings.cache_ttl))
        return cls(Stores.over(connection), totals, Ages.of(settings))

    async def run(
        self, part: int, as_of: datetime, *, seconds: float = float("inf"), tell: Tell = _nobody
    ) -> Total | None:
        """Counts a part of all digests, and the repositories and uploads whole.

        Answers the total as it is now; None if the time is over: then all figures stay as they
        are. Raises `Unavailable` if storage fails. It may run twice, and at once.
        """
        over = time.monotonic() + seconds
        figures, shared = Figures(), Counter[str]()
        for stretch in share.of_digests(part, PARTS):
            found = await self._along(stretch, over, shared, tell)
            if found is None:
                return None
            figures += found
        repositories = await self._repositories()
        uploads, uploads_size = await self._uploads(as_of)
        await self._tell_repositories(part, shared, as_of)
        return await self._totals.change(
            lambda total: replace(
                total,
                parts={**total.parts, part: Part(as_of, figures)},
                repositories=repositories,
                uploads=uploads,
                uploads_size=uploads_size,
                as_of=as_of,
            )
        )

    async def _along(
        self, stretch: Stretch, over: float, shared: Counter[str], tell: Tell
    ) -> Figures | None:
        """The figures of a stretch; None if the time was over."""
        figures, blob = Figures(), _Blob("")
        async for page in self._stores.blobs.scan(stretch.first, stretch.end, _COLUMNS):
            gone = await self._gone(page)
            for row in page:
                if row.partition != blob.digest:
                    figures += _closed(blob, shared)
                    blob = _Blob(row.partition)
                blob.add(row, gone)
            tell(figures.blobs)
            if time.monotonic() >= over:
                return None
        return figures + _closed(blob, shared)

    async def _gone(self, page: Sequence[Row]) -> set[ManifestOf]:
        """Those manifests that have gone, of which rows of the page say that they need a blob.

        A deletion of many leaves that to collection, and so the rows say it for days.
        """
        asked = {blob_rows.needed_by(row.key) for row in page if _is_need(row)}
        unknown = {each for each in asked if self._there.get(each) is None}
        gone = await self._stores.gone(unknown)
        for each in unknown - gone:
            self._there.put(each, True)
        return gone

    async def _repositories(self) -> int:
        pages = self._stores.catalog.pages(catalog.PARTITION, share.FIRST, keys.AFTER_ALL, ())
        return sum([len(page) async for page in pages])

    async def _uploads(self, as_of: datetime) -> tuple[int, int]:
        """Objects that are not committed, of the days that collection does not look at yet."""
        first = (as_of - self._ages.upload).date()
        folders = [
            folder
            async for page in self._stores.content.contents(blob_rows.UPLOADS, delimiter="/")
            for folder in page.folders
            if blob_rows.day_of(folder) >= first
        ]
        sizes = [
            each.size
            for folder in folders
            async for page in self._stores.content.contents(folder)
            for each in page.objects
            if not each.metadata.get(blob_rows.COMMITTED_AS)
        ]
        return len(sizes), sum(sizes)

    async def _tell_repositories(
        self, part: int, shared: Mapping[str, int], as_of: datetime
    ) -> None:
        await together(
            self._tell_repository(partition, rows.shared_columns(part, size, as_of.date()))
            for partition, size in shared.items()
        )

    async def _tell_repository(self, partition: str, columns: Mapping[str, str]) -> None:
        """Writes into the row `u` of a repository that is there. What is counted of it stays."""
        async for _ in attempts(most=_ATTEMPTS):
            try:
                await self._stores.repositories.transact(
                    partition, [tables.merge(rows.USAGE, **columns)]
                )
                return
            except (RowMissing, Ambiguous):
                pass
            if await self._stores.repositories.get(partition, rows.LAST_UPDATE, ()) is None:
                return
            try:
                await self._stores.repositories.transact(
                    partition, [tables.insert(rows.USAGE, **columns)]
                )
                return
            except (RowExists, Ambiguous):
                continue


def _is_need(row: Row) -> bool:
    """Whether it says that a manifest needs the blob, as far as the row knows."""
    return row.key.startswith(blob_rows.NEEDS) and not row.values.get(blob_rows.RELEASED)


def _closed(blob: _Blob, shared: Counter[str]) -> Figures:
    """What a blob counts for, whose rows have all gone by."""
    if blob.size is not None and len(blob.needing) > 1:
        for partition in blob.needing:
            shared[partition] += blob.size
    return blob.figures
