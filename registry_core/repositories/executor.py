"""How every change of a repository is made: read, plan, transact, and on a conflict read again.

A conflict is another writer's, an index row's that is missing or surplus, or an answer that got
lost. Every step can be repeated. Those of one process that change the same repository take turns,
so only other processes' changes can be in the way.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from registry_core.errors import ManifestUnknown, NameUnknown, Unavailable
from registry_core.model.attributes import COLUMNS as ATTRIBUTES
from registry_core.model.change import Event
from registry_core.model.clock import HybridClock
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import plan, rows
from registry_core.repositories.plan import Found, Moment, Plan
from registry_core.repositories.rows import StoredTag
from registry_core.storage.budget import attempts, current
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowExists, RowMissing
from registry_core.storage.lookup import FEW, look_up
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row, RowChange, Table

CHANGE_DEADLINE = timedelta(minutes=10)
"""A change that has run longer gives up. Tombstones stay for three times as long."""
_MAX_LOST_ANSWERS = 6
"""Storage that gives no answer so often is failing."""
_SECONDS_LEFT = 3.0
"""What is done in parts begins no other with less of its time left."""
_SURVEYED = 7
"""The repository's own five rows, and two manifests."""
_BUSY = "other clients are changing this repository; try again"


class Read(Protocol):
    """What was read for a change."""

    @property
    def rows(self) -> Found:
        """The rows, by key."""

    @property
    def stamps(self) -> Iterable[str]:
        """The stamps of what was read beside them, which the change has to be later than."""


R = TypeVar("R", bound=Read)


@dataclass(frozen=True)
class Rows:
    """Rows that were read, and nothing else."""

    rows: Found
    stamps: Iterable[str] = ()


@dataclass(frozen=True)
class Survey:
    """A repository at a glance: one call, because its own rows stand before the manifests.

    The manifests are looked at after the rows: a push in between has changed its guard.
    """

    rows: Found
    """The repository's row and its guards."""
    manifests: frozenset[str]
    """The keys of live manifests among the first two: none where those are tombstones."""
    stamps: Iterable[str] = ()


@dataclass(frozen=True)
class Made(Generic[R]):
    """A change that was made."""

    read: R
    """What it was planned from."""
    plan: Plan
    versions: Mapping[str, str]
    """The new versions of the rows written, by key; none where the answer was lost."""
    lost: Sequence[Event] = ()
    """What the tries before it would have done, whose answers were lost too."""

    def events(self, is_left: Callable[[Event], bool]) -> list[Event]:
        """What has happened: of the tries before it, all that concerns nothing that is left.

        They were applied, or another has done the same meanwhile: rather told twice than never.
        """
        before = {(each.digest, each.tag): each for each in self.lost if not is_left(each)}
        return [*before.values(), *self.plan.events]


class Turns:
    """Has those who want the same thing at once take it one after the other."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def take(self, key: str) -> AsyncIterator[None]:
        """Waits for the turn, as long as the request's budget lasts. Raises `Unavailable`."""
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, waiting + 1
        try:
            await self._acquire(lock)
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, waiting = self._locks.pop(key)
            if waiting > 1:
                self._locks[key] = lock, waiting - 1

    async def _acquire(self, lock: asyncio.Lock) -> None:
        if not lock.locked():
            await lock.acquire()
            return
        left = current().left
        try:
            async with asyncio.timeout(None if math.isinf(left) else max(left, 0)):
                await lock.acquire()
        except TimeoutError as error:
            raise Unavailable(_BUSY) from error


class Executor:
    """Changes the repositories of one registry."""

    def __init__(
        self,
        table: Table,
        clock: HybridClock,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table
        self._clock = clock
        self._now = now
        self._turns = Turns()

    async def change(
        self,
        name: RepositoryName,
        read: Callable[[frozenset[str]], Awaitable[R]],
        make: Callable[[R, Moment], Plan],
        found: R | None = None,
        begun: float | None = None,
        *,
        takes_away: bool = True,
    ) -> Made[R]:
        """Makes a change; answers what it was made of, and the plan that was applied.

        `read` reads what `make` plans from, and beside that the rows of the keys it is given: those
        that stood in the way. `found` is what was read already, from the time `begun` on (of
        `time.monotonic`). A change that `takes_away` is done once nothing is there any more: by a
        try whose answer was lost, or by another. Raises what `read` and `make` raise, and
        `Unavailable` if others keep winning.
        """
        begun = time.monotonic() if begun is None else begun
        deadline = begun + CHANGE_DEADLINE.total_seconds()
        partition, also = rows.partition(name), frozenset[str]()
        lost: Made[R] | None = None
        lost_answers, told = 0, list[Event]()
        found = found or await read(also)
        async with self._turns.take(partition):
            async for attempt in attempts(_BUSY):
                try:
                    if attempt:
                        found = await read(also)
                    made = make(found, self._moment(found))
                except (ManifestUnknown, NameUnknown):
                    if lost and takes_away:
                        return lost
                    raise
                if lost and not (made.changes or made.before):
                    return lost  # The same: nothing of it is left to be done.
                _check_deadline(deadline)
                try:
                    return Made(found, made, await self._apply(partition, made), told)
                except RowMissing:
                    also |= made.keys
                except (ConditionFailed, RowExists):
                    continue
                except Ambiguous as fault:
                    lost, lost_answers = Made(found, made, {}, told), lost_answers + 1
                    told = [*told, *made.events]
                    if lost_answers == _MAX_LOST_ANSWERS:
                        raise Unavailable from fault
        raise AssertionError("unreachable")

    async def _apply(self, partition: str, made: Plan) -> Mapping[str, str]:
        versions: Mapping[str, str] = {}
        for changes in (*made.before, made.changes):
            if changes:
                versions = await self._table.transact(partition, changes)
        return versions

    def _moment(self, found: Read) -> Moment:
        """Now, later than every change of the rows that were found."""
        return Moment(self._now(), self._clock.stamp(*plan.stamps(found.rows), *found.stamps))

    async def read(
        self,
        name: RepositoryName,
        keys: Mapping[str, tuple[str, ...] | None],
        also: Iterable[str] = (),
    ) -> Found:
        """The rows of `keys`, each with the columns named there, or all; and those of `also`.

        A guard that is not there is looked for again where `h`, read beside it, says that it should
        be: it may have been made between the two. Whoever makes or takes one changes `h` as well.
        """
        columns = {key: _columns(key) for key in also} | dict(keys)
        found = await self._get(name, columns)
        if plan.has_guards(found.get(rows.REPOSITORY)):
            missing = [guard for guard in rows.GUARDS if guard in found and found[guard] is None]
            found |= await self._get(name, {guard: columns[guard] for guard in missing})
        return found

    async def _get(
        self, name: RepositoryName, columns: Mapping[str, tuple[str, ...] | None]
    ) -> dict[str, Row | None]:
        partition = rows.partition(name)
        if len(columns) <= FEW:
            few = await together(
                self._table.get(partition, key, wanted) for key, wanted in columns.items()
            )
            return dict(zip(columns, few, strict=True))
        kinds: dict[tuple[str, tuple[str, ...] | None], list[str]] = {}
        for key, wanted in columns.items():
            kinds.setdefault((rows.kind(key), wanted), []).append(key)
        found = await together(
            look_up(self._table, partition, keys, wanted) for (_, wanted), keys in kinds.items()
        )
        return {key: row for each in found for key, row in each.items()}

    async def transact(self, name: RepositoryName, changes: Sequence[RowChange]) -> None:
        """Makes changes that no plan depends on, of rows that are only hints."""
        await self._table.transact(rows.partition(name), changes)

    async def query(
        self,
        name: RepositoryName,
        range_: rows.Range,
        columns: tuple[str, ...] | None = (),
        limit: int | None = None,
    ) -> list[Row]:
        """The rows of one kind, or of what is live of it: all, or the first `limit`."""
        having = rows.LIVE if range_ in (rows.MANIFESTS, rows.TAGS) else ""
        return await self._table.query(
            rows.partition(name), range_.first, range_.end, columns, limit, having
        )

    async def between(
        self, name: RepositoryName, first: str, end: str, limit: int | None
    ) -> list[Row]:
        """The rows from key `first` to before key `end`, without their columns."""
        return await self._table.query(rows.partition(name), first, end, (), limit)

    async def tags_of(
        self, name: RepositoryName, digest: Digest, named: Sequence[Row]
    ) -> tuple[list[StoredTag], list[Row]]:
        """The tags that point at a manifest, and the rows `g:` of those that do not."""
        range_ = rows.tags_of(digest)
        by_key = {rows.tag_key(Tag(range_.rest(row.key))): row for row in named}
        found = await self.read(name, dict.fromkeys(by_key, rows.TAG_FACTS))
        pointing = {
            row.key: tag
            for row in map(rows.live, found.values())
            if row and (tag := StoredTag.from_row(row)).digest == digest
        }
        surplus = [row for key, row in by_key.items() if key not in pointing]
        return list(pointing.values()), surplus

    async def survey(self, name: RepositoryName, also: Iterable[str] = ()) -> Survey:
        """The repository's row and its guards, and after them the first of its manifests.

        Of its own rows also those of `also`, which stood in the way.
        """
        page = await self._table.query(
            rows.partition(name),
            rows.REPOSITORY,
            rows.MANIFESTS.end,
            (rows.LIVE, rows.GONE, rows.DELETING, "Stamp", "Created", *ATTRIBUTES),
            limit=_SURVEYED,
        )
        by_key = {row.key: row for row in page}
        wanted = {rows.REPOSITORY, *rows.GUARDS, *({rows.LAST_UPDATE} & set(also))}
        found = {key: by_key.get(key) for key in wanted}
        live = [row.key for row in page if row.key >= rows.MANIFESTS.first and rows.is_live(row)]
        return Survey(found, frozenset(live))

    async def holds_another(
        self, name: RepositoryName, survey: Survey, than: Iterable[str] = ()
    ) -> bool:
        """Whether the repository has a live manifest in another row than those of `than`."""
        without = set(than)
        if survey.manifests - without:
            return True
        found = await self._table.query(
            rows.partition(name),
            rows.MANIFESTS.first,
            rows.MANIFESTS.end,
            (),
            limit=len(without) + 1,
            having=rows.LIVE,
        )
        return any(row.key not in without for row in found)


def reading(
    executor: Executor, name: RepositoryName, keys: Iterable[str]
) -> Callable[[frozenset[str]], Awaitable[Rows]]:
    """For a change that is planned from a few rows: reads them whole."""
    wanted: dict[str, tuple[str, ...] | None] = dict.fromkeys(keys)

    async def read(also: frozenset[str]) -> Rows:
        return Rows(await executor.read(name, wanted, also))

    return read


def batches(changes: Sequence[RowChange], size: int) -> Iterator[Sequence[RowChange]]:
    """Cuts changes into parts of at most `size`."""
    for first in range(0, len(changes), size):
        yield changes[first : first + size]


def _check_deadline(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise Unavailable("the change took too long; try again")


def check_time() -> None:
    """For what is done in parts: raises `Unavailable` where no time is left for another."""
    if current().left < _SECONDS_LEFT:
        raise Unavailable("a part is done, and the time is over; the same request goes on with it")


def _columns(key: str) -> tuple[str, ...]:
    """What a change decides by, of a row that stood in its way."""
    return rows.MANIFEST_FACTS if key in rows.MANIFESTS else ()
