"""Tags and manifests by the time of their last update, from the rows `T:` and `M:`.

A client names the place where a page begins by the last entry that it has. In the `Link` of a page
this has the entry's time as well, as in `v1@2026-11-28T12:00:00.123456Z`: so it stays where it was,
even if the entry has gone or was updated since. A name alone stands where its row says, or its
tombstone.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from registry_core.errors import DigestInvalid, TagInvalid
from registry_core.model.attributes import Target
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.listing import is_listed, read_page
from registry_core.storage import tables
from registry_core.storage.tables import Row, Table

_RANGES = {Target.TAG: rows.TAG_TIMES, Target.MANIFEST: rows.MANIFEST_TIMES}


class Timeline:
    """Reads what is in the repositories of one registry in the order of time."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def page(
        self, repository: RepositoryName, target: Target, last: str, count: int, *, latest: bool
    ) -> tuple[list[Row], bool]:
        """Up to `count` rows `T:` or `M:` after `last`, and whether more follow.

        The latest first, or the oldest. Those in which `listEnabled` is false are left out. A
        `last` that nobody knows has nothing after it.
        """
        partition, range_ = rows.partition(repository), _RANGES[target]
        place = await self.place(repository, target, last)
        if place is None:
            return [], False
        if not latest:
            return await self._oldest(partition, target, place or range_.end, count)

        async def read(first: str, limit: int) -> tables.Page:
            return await self._table.page(partition, first, range_.end, None, limit)

        return await read_page(read, f"{place}\x20" if place else range_.first, count, target)

    async def _oldest(
        self, partition: str, target: Target, end: str, count: int
    ) -> tuple[list[Row], bool]:
        """Storage reads forwards only: whatever is later than the page is read before it."""
        kept: deque[Row] = deque(maxlen=count + 1)
        async for page in self._table.pages(partition, _RANGES[target].first, end):
            kept.extend(row for row in page if is_listed(row, target))
        found = list(reversed(kept))
        return found[:count], len(found) > count

    async def place(self, repository: RepositoryName, target: Target, last: str) -> str | None:
        """The key at which `last` stands or has stood; None if nobody knows, empty of nothing."""
        if not last:
            return ""
        text, at, told = last.partition("@")
        try:
            name = Tag.parse(text) if target is Target.TAG else Digest.parse(text)
            time = tables.parse_time(told) if at else await self._updated(repository, name)
        except (TagInvalid, DigestInvalid, ValueError):
            return None
        return _key(time, name) if time else None

    async def _updated(self, repository: RepositoryName, name: Tag | Digest) -> datetime | None:
        key = rows.tag_key(name) if isinstance(name, Tag) else rows.manifest_key(name)
        row = await self._table.get(rows.partition(repository), key, ("Updated",))
        # A tombstone tells it as well, unless a release before this one has written it.
        return row.time("Updated") if row and row.text("Updated") else None


def place_of(name: str, updated: datetime) -> str:
    """What a `Link` calls the place of an entry."""
    return f"{name}@{tables.time_value(updated)}"


def _key(time: datetime, name: Tag | Digest) -> str:
    return rows.tag_time(time, name) if isinstance(name, Tag) else rows.manifest_time(time, name)
