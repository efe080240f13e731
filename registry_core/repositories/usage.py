"""How much a repository holds: counted when it is asked for, if it has changed since the last time.

The row `u` keeps what was counted. It is a hint: nothing is decided by it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from registry_core.errors import NameUnknown
from registry_core.model.names import RepositoryName
from registry_core.model.threads import beside
from registry_core.repositories import rows
from registry_core.repositories.executor import Turns
from registry_core.repositories.rows import Held, State, StoredUsage
from registry_core.storage import tables
from registry_core.storage.budget import current
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowExists, RowMissing
from registry_core.storage.pacing import both, together
from registry_core.storage.tables import Page, Row, Table

LEAST_LIFE = timedelta(minutes=1)
"""So long a figure is told although the repository has changed meanwhile."""
LIFE_OF_A_CALL = timedelta(seconds=1)
"""Or so long for each storage call that it took: one call a second, however busy a repository."""
MAX_PARTS = 8
"""Into so many parts a large repository is cut at most. They are read at once."""
MOST_BLOBS = 100_000
"""So many blobs are kept in mind. Of more, a part is counted, and the rest inferred."""
_COUNTED_AT_ONCE = 4
"""How many repositories an instance counts at a time: each takes memory."""
_SECONDS_LEFT = 15.0
"""With less of its time left, a request begins no other count."""
_HASHED = 16
"""Bytes of a digest that are kept in mind: no two blobs have the same."""
_SAMPLED = 1 << 32


@dataclass(frozen=True)
class Usage:
    """What is told of a repository."""

    repository: RepositoryName
    updated: datetime
    counted: StoredUsage | None
    """None where it was never counted, and there is no time for it now."""
    is_current: bool
    """Whether nothing has changed since it was counted."""
    shared: Mapping[int, tuple[date, int]]
    """Bytes shared with other repositories, by part of all digests, as the nightly count has it."""


@dataclass(frozen=True)
class _Known:
    """What lies in rows already."""

    last_update: Row
    row: Row | None

    @property
    def counted(self) -> StoredUsage | None:
        return StoredUsage.from_row(self.row)

    @property
    def is_current(self) -> bool:
        return self.counted is not None and self.counted.of == self.last_update.etag


class Usages:
    """Counts what is in the repositories of one registry."""

    def __init__(
        self,
        table: Table,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        most_blobs: int = MOST_BLOBS,
    ) -> None:
        self._table = table
        self._now = now
        self._most_blobs = most_blobs
        self._turns = Turns()
        self._room = asyncio.Semaphore(_COUNTED_AT_ONCE)

    async def of(self, repository: RepositoryName) -> Usage:
        """The usage of a repository. Raises `NameUnknown`.

        Those who ask an instance for the same at once wait for one count. Two instances may count
        at once: what the first writes stays.
        """
        partition = rows.partition(repository)
        known = await self._known(repository)
        if self._is_good(known) or current().left < _SECONDS_LEFT:
            return self._told(repository, known)
        async with self._turns.take(partition):
            known = await self._known(repository)
            if not self._is_good(known):
                async with self._room:
                    counted = await self._count(partition, known.last_update.etag)
                await self._keep(partition, known.row, counted)
                return self._told(repository, known, counted)
        return self._told(repository, known)

    def _told(
        self, repository: RepositoryName, known: _Known, counted: StoredUsage | None = None
    ) -> Usage:
        return Usage(
            repository=repository,
            updated=known.last_update.time("Updated"),
            counted=counted or known.counted,
            is_current=counted is not None or known.is_current,
            shared=rows.shared(known.row),
        )

    async def _known(self, repository: RepositoryName) -> _Known:
        partition = rows.partition(repository)
        last_update, row = await both(
            self._table.get(partition, rows.LAST_UPDATE), self._table.get(partition, rows.USAGE)
        )
        if last_update is None:
            raise NameUnknown(detail={"name": str(repository)})
        return _Known(last_update, row)

    def _is_good(self, known: _Known) -> bool:
        """Whether what was counted may be told: nothing has changed, or it is young."""
        counted = known.counted
        if counted is None or known.is_current:
            return counted is not None
        life = max(LEAST_LIFE, LIFE_OF_A_CALL * counted.calls)
        return self._now() < counted.as_of + life

    async def _keep(self, partition: str, row: Row | None, counted: StoredUsage) -> None:
        """Writes what was counted on the version that was read: another count may have been faster.

        It is told either way.
        """
        if row is None:
            change = tables.insert(rows.USAGE, **counted.columns)
        else:
            change = tables.merge(rows.USAGE, row.etag, **counted.columns)
        try:
            await self._table.transact(partition, [change])
        except (ConditionFailed, RowExists, RowMissing, Ambiguous):
            return

    # Counting.

    async def _count(self, partition: str, of: str) -> StoredUsage:
        """Reads manifests and what names their tags, in order of their digests, in pages.

        Whatever changes from the time on that `of` was read changes that version as well.
        """
        as_of, tally = self._now(), _Tally(self._most_blobs)
        first, tagged = await both(
            self._page(partition, rows.MANIFESTS, rows.COUNTED_MANIFEST_FACTS),
            self._page(partition, rows.MANIFEST_TAGS, ()),
        )
        tally.calls += 2
        if first.is_last and tagged.is_last:
            await tally.add(first.rows, Counter(map(_digest_of, tagged.rows)))
        else:
            cuts = _cuts(max(_pages(first), _pages(tagged)))
            ends = [*cuts[1:], None]
            await together(
                self._count_part(partition, begin, end, tally)
                for begin, end in zip(cuts, ends, strict=True)
            )
        return tally.told(of, as_of)

    async def _page(self, partition: str, range_: rows.Range, columns: Sequence[str]) -> Page:
        first, end = range_.first, range_.end
        return await self._table.page(partition, first, end, columns, tables.MAX_PAGE)

    async def _count_part(self, partition: str, begin: str, end: str | None, tally: _Tally) -> None:
        columns = rows.COUNTED_MANIFEST_FACTS
        async with (
            aclosing(self._pages(partition, rows.MANIFEST_TAGS, begin, end, (), tally)) as named,
            aclosing(self._pages(partition, rows.MANIFESTS, begin, end, columns, tally)) as found,
        ):
            tags = _Tags(named)
            async for page in found:
                if page:
                    await tally.add(page, await tags.up_to(rows.MANIFESTS.rest(page[-1].key)))

    async def _pages(
        self,
        partition: str,
        range_: rows.Range,
        begin: str,
        end: str | None,
        columns: Sequence[str],
        tally: _Tally,
    ) -> AsyncGenerator[list[Row], None]:
        """The rows of one kind, of the digests from `begin` to before `end`."""
        first, last = f"{range_.first}{begin}", range_.end if end is None else range_.first + end
        async for page in self._table.pages(partition, first, last, columns, tables.MAX_PAGE):
            tally.calls += 1
            yield page


class _Tags:
    """How many tags manifests have, asked for in the order of their digests."""

    def __init__(self, pages: AsyncIterator[list[Row]]) -> None:
        self._pages = pages
        self._left: list[Row] = []
        self._is_over = False

    async def up_to(self, digest: str) -> Counter[str]:
        """Of each up to `digest` that was not asked for before."""
        found: Counter[str] = Counter()
        while not self._is_over:
            passed = 0
            for row in self._left:
                name = _digest_of(row)
                if name > digest:
                    break
                found[name] += 1
                passed += 1
            self._left = self._left[passed:]
            if self._left:
                break
            following = await anext(self._pages, None)
            self._is_over = following is None
            self._left = following or []
        return found


class _Tally:
    """What was counted so far. Of blobs it knows which it has met, and how large they are.

    If they are too many, it keeps only those whose digests are low, and halves what it calls low:
    so those that are kept are as good as drawn by lot, each with the same chance (P. Gibbons,
    "Distinct Sampling for Highly-Accurate Answers to Distinct Values Queries", VLDB 2001).
    """

    def __init__(self, most_blobs: int) -> None:
        self.calls = 0
        self._most_blobs = most_blobs
        self._counts: Counter[State] = Counter()
        self._in_rows: Counter[State] = Counter()
        self._tags = self._untagged = 0
        self._low = _SAMPLED
        self._blobs: dict[bytes, int] = {}
        """Twice the size of each, and one more if something live needs it."""

    async def add(self, page: Sequence[Row], tags: Counter[str]) -> None:
        """Counts manifests, with how many tags each has."""
        weight = sum(map(Held.weight, page))
        for held, blobs in await beside(weight, _read, page):
            self._counts[held.state] += 1
            self._in_rows[held.state] += held.in_row
            is_live = held.state is State.LIVE
            if is_live:
                self._tags += tags[held.digest]
                self._untagged += held.digest not in tags
            for key, size in blobs:
                self._meet(key, size, is_live=is_live)

    def _meet(self, key: bytes, size: int, *, is_live: bool) -> None:
        if int.from_bytes(key[:4]) >= self._low:
            return
        self._blobs[key] = self._blobs.get(key, 2 * size) | is_live
        while len(self._blobs) > self._most_blobs:
            self._low //= 2
            self._blobs = {
                each: known
                for each, known in self._blobs.items()
                if int.from_bytes(each[:4]) < self._low
            }

    def told(self, of: str, as_of: datetime) -> StoredUsage:
        """The result."""
        sizes: Counter[bool] = Counter()
        for known in self._blobs.values():
            sizes[bool(known % 2)] += known // 2
        factor = _SAMPLED // max(self._low, 1)
        return StoredUsage(
            manifests=self._counts[State.LIVE],
            tags=self._tags,
            untagged=self._untagged,
            size=self._in_rows[State.LIVE] + sizes[True] * factor,
            restorable=self._counts[State.RESTORABLE],
            restorable_size=self._in_rows[State.RESTORABLE] + sizes[False] * factor,
            is_exact=self._low == _SAMPLED,
            calls=self.calls,
            of=of,
            as_of=as_of,
        )


def _read(page: Sequence[Row]) -> list[tuple[Held, list[tuple[bytes, int]]]]:
    """What manifests hold that have not gone, and what their blobs are kept in mind by."""
    held = [Held.from_row(row) for row in page if rows.state_of(row) is not State.GONE]
    return [(each, [(_hash_of(digest), size) for digest, size in each.blobs]) for each in held]


def _hash_of(digest: str) -> bytes:
    return bytes.fromhex(digest.partition(":")[2][: 2 * _HASHED])


def _digest_of(row: Row) -> str:
    """The digest in a row `g:`."""
    return rows.MANIFEST_TAGS.rest(row.key).rpartition(":")[0]


def _pages(first: Page) -> int:
    """About how many pages there are, if digests lie as evenly as they do."""
    if first.is_last:
        return 1
    key = first.rows[-1].key
    _, algorithm, encoded = key.split(":")[:3]
    passed = (int(encoded[:4], 16) + 1) / 16**4 if algorithm == _COMMON else 1.0
    return round(1 / passed)


_COMMON = "sha256"


def _cuts(pages: int) -> list[str]:
    """Where the parts begin, each about a page at least. The first begins before all digests."""
    parts = max(1, min(pages, MAX_PARTS))
    return ["", *(f"{_COMMON}:{256 * part // parts:02x}" for part in range(1, parts))]
