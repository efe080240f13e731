"""Tags and manifests by the time of their last update, from the rows `T:` and `M:`.

A client names the place where a page begins by the last entry that it has. In the `Link` of a page
this has the entry's time as well, as in `v1@2026-11-28T12:00:00.123456Z`: so it stays where it was,
even if the entry has gone or was updated since. A name alone stands where its row says, or its
tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
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
            return await self._oldest(repository, target, place, count)

        async def read(first: str, limit: int) -> tables.Page:
            return await self._table.page(partition, first, range_.end, None, limit)

        return await read_page(read, f"{place}\x20" if place else range_.first, count, target)

    async def _oldest(
        self, repository: RepositoryName, target: Target, place: str, count: int
    ) -> tuple[list[Row], bool]:
        """Storage reads forwards only, the latest first: so the page is looked for from its end.

        Where a read has to begin is guessed from how close together the rows lie that were read so
        far. One that began too early has passed over what is later than the page, and the next
        begins between that and the end. One that began too late is part of the page.
        """
        partition, range_ = rows.partition(repository), _RANGES[target]
        limit, end = max(tables.MAX_PAGE, 2 * (count + 1)), place or range_.end
        page = await self._table.page(partition, range_.first, end, None, limit)
        if page.is_last:
            return _last(page.rows, target, count)
        passed, found, span, is_first = page.rows, list[Row](), _half_a_page(page.rows), True
        age = _age(place) if place else await self._age_of(repository)
        while not _last(found, target, count)[1]:
            after, between = f"{passed[-1].key}\x20", age - _age(passed[-1].key)
            start = max(f"{range_.prefix}{max(age - span, 0):019d}", after)
            page = await self._table.page(partition, start, end, None, limit)
            if not page.is_last:
                passed, is_first = page.rows, False
                span = min(between // 2, _half_a_page(passed))
                continue
            found = [*page.rows, *found]
            if start == after:
                # Nothing was left between the two; with what was passed there is enough, unless
                # most of it is not listed.
                found = [*passed, *found]
                if not (is_first or _last(found, target, count)[1]):
                    found = await self._table.query(partition, range_.first, place or range_.end)
                break
            end, age, span = start, age - span, max(between // 2, span)
        return _last(found, target, count)

    async def _age_of(self, repository: RepositoryName) -> int:
        """The age of a repository: nothing in it is older."""
        row = await self._table.get(rows.partition(repository), rows.REPOSITORY, ("Created",))
        created = row.text("Created") if row else ""
        return int(rows.inverted(tables.parse_time(created))) if created else rows.LATEST

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


def _age(key: str) -> int:
    """The time in a key as keys have it: the greater, the older."""
    return int(rows.inverted(rows.time_in(key)))


def _half_a_page(found: Sequence[Row]) -> int:
    """The time in which half of these rows would lie, if they lie evenly."""
    return (_age(found[-1].key) - _age(found[0].key)) // 2 + 1


def _last(found: Sequence[Row], target: Target, count: int) -> tuple[list[Row], bool]:
    """The last `count` of the rows that are listed, the oldest first, and whether others are."""
    listed = [row for row in reversed(found) if is_listed(row, target)]
    return listed[:count], len(listed) > count
