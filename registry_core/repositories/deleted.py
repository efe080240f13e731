"""Listing what was deleted softly and can be restored, in pages, the earliest deletion first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.facts import ManifestFacts
from registry_core.repositories.listing import Page, check_there
from registry_core.repositories.rows import DeletedTag
from registry_core.storage.pacing import together
from registry_core.storage.tables import MAX_PAGE, Row, Table


@dataclass(frozen=True)
class DeletedManifest:
    """What is told of a manifest that can be restored."""

    manifest: ManifestFacts
    """With the tags that went in the transaction of the manifest."""
    deleted: datetime

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """From a row `DM:`."""
        return cls(ManifestFacts.from_row(row), rows.deletion_time(row.key))


class DeletedListings:
    """Lists what can be restored in one registry."""

    def __init__(self, table: Table, repositories: Catalog) -> None:
        self._table = table
        self._repositories = repositories

    async def repositories(self, last: str, count: int) -> Page:
        """The names of up to `count` repositories after `last` in which something can be restored.

        An entry of another may be left, until the next purge: so each is looked into, in one call.
        """
        names: list[str] = []
        first = Catalog.after(last)
        while True:
            found = await self._repositories.entries(first, (), min(count + 1, MAX_PAGE))
            held = await together(self._holds(row.key) for row in found.rows)
            names += [
                Catalog.name(row.key).text
                for row, holds in zip(found.rows, held, strict=True)
                if holds
            ]
            if len(names) > count or found.is_last:
                more = len(names) > count
                return Page(names[:count], names[count - 1] if more else "")
            first = f"{found.rows[-1].key}\x20"

    async def _holds(self, partition: str) -> bool:
        range_ = rows.DELETED_TIMES
        return bool(await self._table.query(partition, range_.first, range_.end, (), limit=1))

    async def manifests(self, repository: RepositoryName, last: str, count: int) -> Page:
        """Up to `count` manifests after the place `last`. Raises `NameUnknown`."""
        range_ = rows.DELETED_MANIFEST_TIMES
        return await self._page(repository, range_, last, count, DeletedManifest.from_row)

    async def tags(self, repository: RepositoryName, last: str, count: int) -> Page:
        """Up to `count` tags after the place `last`: taken away, or gone with their manifests.

        One that was deleted more than once is there for each time. Raises `NameUnknown`.
        """

        def shown(row: Row) -> DeletedTag:
            return DeletedTag.parse(row.key)

        return await self._page(repository, rows.DELETED_TAG_TIMES, last, count, shown)

    async def _page(
        self,
        repository: RepositoryName,
        range_: rows.Range,
        last: str,
        count: int,
        shown: Callable[[Row], Any],
    ) -> Page:
        first = f"{range_.prefix}{last}\x20" if last else range_.first
        found = await self._table.page(
            rows.partition(repository), first, range_.end, None, min(count + 1, MAX_PAGE)
        )
        if not (found.rows or last):
            await self._check_there(repository)
        entries = found.rows[:count]
        is_more = len(found.rows) > count or not found.is_last
        following = range_.rest(entries[-1].key) if entries and is_more else ""
        return Page([shown(row) for row in entries], following)

    async def _check_there(self, repository: RepositoryName) -> None:
        """Raises `NameUnknown` if there is no repository, nor anything that was in one."""
        if not await self._holds(rows.partition(repository)):
            await check_there(self._table, repository)
