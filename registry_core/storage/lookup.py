"""Reading many rows of one partition: by ranges where they lie close together, else one by one.

Tables have no call that reads several rows by their keys. A query that names the keys of many rows
reads the whole partition, and one may name 15 at most. A range is read in order, 1,000 rows a call.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from registry_core.storage import tables
from registry_core.storage.pacing import together
from registry_core.storage.tables import Page, Row, Table

FEW = 20
"""Up to so many rows are read one by one: all at once, and only they."""
_WORTH = 16
"""A page has to spare so many reads: it takes about as much time of the processor."""


async def look_up(
    table: Table, partition: str, keys: Iterable[str], columns: Sequence[str] | None
) -> dict[str, Row | None]:
    """The rows of `keys`, by key; None for those that are not there.

    In calls: one for each row at most, and one more. Where a page has shown how close together the
    rows lie, the rest of its range is cut so that a page each will do, and these are read at once.
    """
    found: dict[str, Row | None] = dict.fromkeys(sorted(keys))
    ranges, single = [list(found)], list[str]()
    while ranges:
        single += [key for part in ranges if len(part) <= FEW for key in part]
        ranges = [part for part in ranges if len(part) > FEW]
        pages = await together(_page(table, partition, part, columns) for part in ranges)
        following: list[list[str]] = []
        for part, page in zip(ranges, pages, strict=True):
            found |= {row.key: row for row in page.rows if row.key in found}
            passed = len(part) if page.is_last else bisect_right(part, page.rows[-1].key)
            rest = part[passed:]
            if passed < _WORTH:
                single += rest
            else:
                # A little less than went by in this page: keys do not lie at equal distances.
                size = passed * 3 // 4
                following += [rest[first : first + size] for first in range(0, len(rest), size)]
        ranges = following
    rows = await together(table.get(partition, key, columns) for key in single)
    return found | dict(zip(single, rows, strict=True))


async def _page(
    table: Table, partition: str, keys: Sequence[str], columns: Sequence[str] | None
) -> Page:
    """The first rows of the range from the first of `keys` to the last."""
    end = f"{keys[-1]}\x20"
    return await table.page(partition, keys[0], end, columns, tables.MAX_PAGE)
