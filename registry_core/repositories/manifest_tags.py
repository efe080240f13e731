"""The tags of one manifest in pages, from its rows `g:`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from registry_core.model.attributes import Target
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.listing import is_listed, read_page
from registry_core.repositories.rows import live
from registry_core.repositories.timeline import Timeline
from registry_core.storage import tables
from registry_core.storage.lookup import look_up
from registry_core.storage.tables import Row, Table

_HIDDEN = {"ListEnabled": False}
"""The columns of what is not there."""


class ManifestTags:
    """Lists the tags of manifests of one registry."""

    def __init__(self, table: Table, timeline: Timeline) -> None:
        self._table = table
        self._timeline = timeline

    async def by_name(
        self, repository: RepositoryName, digest: Digest, last: str, count: int
    ) -> tuple[list[Row], bool]:
        """Up to `count` rows `t:` after the tag `last`, and whether more follow."""
        range_, partition = rows.tags_of(digest), rows.partition(repository)

        async def read(first: str, limit: int) -> tables.Page:
            found = await self._table.page(partition, first, range_.end, (), limit)
            known = await self._tags(repository, map(range_.rest, [row.key for row in found.rows]))
            # Under the keys `g:`, by which the next page is asked for; nothing else is shown.
            merged = [
                replace(row, values=tag.values if tag and _points_at(tag, digest) else _HIDDEN)
                for row, tag in zip(found.rows, known, strict=True)
            ]
            return tables.Page(merged, found.is_last)

        first = f"{range_.prefix}{rows.TAGS.rest(rows.TAGS.after(last))}"
        found, is_more = await read_page(read, first, count, Target.TAG)
        return [replace(row, key=rows.tag_key(Tag(range_.rest(row.key)))) for row in found], is_more

    async def by_time(
        self, repository: RepositoryName, digest: Digest, last: str, count: int, *, latest: bool
    ) -> tuple[list[Row], bool]:
        """The same in the order of time."""
        place = await self._timeline.place(repository, Target.TAG, last)
        if place is None:
            return [], False
        range_ = rows.tags_of(digest)
        partition = rows.partition(repository)
        found = await self._table.query(partition, range_.first, range_.end, ("Updated",))
        keys = sorted(
            rows.tag_time(row.time("Updated"), Tag(range_.rest(row.key))) for row in found
        )
        if latest:
            left = [key for key in keys if key > place]
        else:
            left = [key for key in reversed(keys) if not place or key < place]
        shown: list[Row] = []
        while left and len(shown) <= count:
            size = count + 1 - len(shown)
            tags = await self._tags(repository, map(rows.name_in, left[:size]))
            here = [row for row in tags if row and _points_at(row, digest)]
            shown += [row for row in here if is_listed(row, Target.TAG)]
            left = left[size:]
        return shown[:count], len(shown) > count

    async def _tags(self, repository: RepositoryName, names: Iterable[str]) -> list[Row | None]:
        """The rows `t:` of those tags that are there."""
        keys = [rows.tag_key(Tag(name)) for name in names]
        columns = (*rows.TAG_FACTS, rows.GONE)
        found = await look_up(self._table, rows.partition(repository), keys, columns)
        return [live(found[key]) for key in keys]


def _points_at(tag: Row, digest: Digest) -> bool:
    return tag.text("Digest") == str(digest)
