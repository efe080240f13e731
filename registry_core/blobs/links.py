"""Which repositories may read a blob, and which manifests need it: every change of table `blobs`.

Many write to one blob at once: no write here is on a version that they share. A location is read,
and written on the condition that its marker is still there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from registry_core.blobs import rows
from registry_core.blobs.rows import Link
from registry_core.errors import BlobUnknown, Unsupported
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage import keys, tables
from registry_core.storage.budget import attempts, repeated
from registry_core.storage.cache import Cache, Ticket
from registry_core.storage.faults import (
    Ambiguous,
    ConditionFailed,
    RowExists,
    RowMissing,
    StorageFault,
)
from registry_core.storage.objects import Location
from registry_core.storage.pacing import both, together
from registry_core.storage.tables import Row, RowChange, Table

_PUSH_OVER = timedelta(minutes=15)
"""A push that protected a blob this long ago has ended, whatever clocks say: it may take ten."""
_GOING_FOR = timedelta(minutes=2)
"""Longer than a deletion may take: a link that says so for as long belongs to one that has died."""
_ATTEMPTS = 8
"""Storage that gives no answer so often is failing; nothing else here is tried again for long."""
_MAX_HOLDERS = 100
_CHECKED_AT_ONCE = 32


class Links:
    """Reads and changes the rows of blobs."""

    def __init__(
        self,
        table: Table,
        cache: Cache[Link],
        hints: Cache[Link],
        grace: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table
        self._cache = cache
        # Of a push, whose conditions prove them: so they may be older than what is told to anybody.
        self._hints = hints
        self._grace = grace
        self._now = now

    # Reading.

    async def link(
        self, repository: RepositoryName, digest: Digest, *, relied_on: bool = False
    ) -> Link:
        """The link of `repository` to a blob; one read, none from the cache.

        With `relied_on` the caller may push, and will not send again what it is told exists: a
        link older than half the grace period is read anew and touched, so that garbage collection
        does not take it in the meantime. Raises `BlobUnknown`.
        """
        link = self._cache.get((repository, digest))
        ticket = self._cache.ticket()
        if link is None or (relied_on and self._is_old(link)):
            link = await self._read(repository, digest)
            if link is None or self._is_going(link):
                raise BlobUnknown(detail={"digest": str(digest)})
            if relied_on and self._is_old(link):
                await self._touch(repository, digest)
                link = Link(link.location, link.size, self._now())
            self._keep(repository, digest, link, ticket)
        return link

    async def _touch(self, repository: RepositoryName, digest: Digest) -> None:
        touched = tables.merge(rows.link(repository), Touched=self._time())
        try:
            await repeated(lambda: self._table.transact(str(digest), [touched]), most=_ATTEMPTS)
        except RowMissing as fault:
            raise BlobUnknown(detail={"digest": str(digest)}) from fault

    async def known(self, repository: RepositoryName, digest: Digest) -> Link | None:
        """The link, from memory or the table; None if there is none. It may be out of date."""
        return self._hints.get((repository, digest)) or await self._read(repository, digest)

    async def _read(self, repository: RepositoryName, digest: Digest) -> Link | None:
        row = await self._table.get(str(digest), rows.link(repository), rows.LINK_COLUMNS)
        return Link.from_row(row) if row else None

    def _is_old(self, link: Link) -> bool:
        return link.timestamp is None or self._now() - link.timestamp > self._grace / 2

    def _is_going(self, link: Link) -> bool:
        return link.going is not None and self._now() - link.going < _GOING_FOR

    def _time(self) -> str:
        return tables.time_value(self._now())

    # What is in memory.

    def ticket(self) -> Ticket:
        """To be taken before a manifest is read whose blobs are told to `learn`."""
        return self._cache.ticket()

    def learn(
        self, repository: RepositoryName, blobs: Mapping[Digest, Link], ticket: Ticket
    ) -> None:
        """Keeps the links of a live manifest's blobs, from when its row began to be read.

        While a manifest is there, no blob that it needs can be deleted (D3). So its row proves
        these links as much as their own rows would. It does not tell when they were touched last:
        who relies on that has them read.
        """
        for digest, link in blobs.items():
            known = self._cache.get((repository, digest))
            if known is None or known.location != link.location:
                self._keep(repository, digest, link, ticket)

    def _keep(self, repository: RepositoryName, digest: Digest, link: Link, ticket: Ticket) -> None:
        self._cache.put((repository, digest), link, ticket=ticket)
        if self._cache.is_current(ticket):
            self._hints.put((repository, digest), link)

    def forget(self, repository: RepositoryName, digest: Digest) -> None:
        """Drops a link from this instance's cache."""
        self._cache.discard((repository, digest))
        self._hints.discard((repository, digest))

    async def holders(self, digest: Digest) -> list[RepositoryName]:
        """Repositories that may read a blob: the first hundred, in order."""
        first, end = rows.LINKS, keys.end_of(rows.LINKS)
        found = await self._table.query(str(digest), first, end, (), limit=_MAX_HOLDERS)
        return [rows.linked(row.key) for row in found]

    async def is_doomed(self, digest: Digest, location: Location) -> bool:
        """Whether the object is one that garbage collection will delete: no row names it."""
        return await self._table.get(str(digest), rows.doomed(location), ()) is not None

    # Committing and mounting.

    async def record(
        self, repository: RepositoryName, digest: Digest, location: Location, size: int
    ) -> Location:
        """Commits a blob: from here on it exists, and `repository` may read it.

        Answers where the blob lies: at `location`, or where it lay already; an object that lost
        is left to the sweeper. Safe to repeat.
        """
        own, created = Link(location, size), self._time()
        first = [
            tables.insert(rows.BLOB, **own.columns, Created=created),
            tables.upsert(rows.marker(location), Created=created),
        ]
        async for _ in attempts(most=_ATTEMPTS):
            try:
                await self._write(repository, digest, own, first)
                return location
            except (RowExists, Ambiguous):
                blob = await self._table.get(str(digest), rows.BLOB, ("Location", "Size"))
            if blob is None:
                continue
            found = Link.from_row(blob)
            try:
                await self._join(repository, digest, found)
                return found.location
            except RowMissing:  # Collected since it was read.
                await self._mark(digest, found.location)
            except Ambiguous:
                continue
        raise AssertionError("unreachable")

    async def _join(self, repository: RepositoryName, digest: Digest, found: Link) -> None:
        """Links a blob that lies where it was found. Raises `RowMissing` if it does no more."""
        marker = tables.merge(rows.marker(found.location), Touched=self._time())
        await self._write(repository, digest, found, [marker])

    async def _write(
        self,
        repository: RepositoryName,
        digest: Digest,
        link: Link,
        conditions: Sequence[RowChange],
    ) -> None:
        """Writes a link beside what makes it true, and keeps it in memory."""
        ticket, begun = self._cache.ticket(), self._now()
        created = tables.time_value(begun)
        row = tables.upsert(rows.link(repository), **link.columns, Created=created)
        await self._table.transact(str(digest), [*conditions, row])
        written = Link(link.location, link.size, begun)
        self._keep(repository, digest, written, ticket)

    async def _mark(self, digest: Digest, location: Location) -> None:
        """Makes a marker that is missing again, on the version of the row that names its location.

        Where there is no such row, the blob was collected, and its marker with it.
        """
        blob = await self._table.get(str(digest), rows.BLOB, ("Location", "Size"))
        if blob is None or Link.from_row(blob).location != location:
            return
        made = [
            tables.merge(rows.BLOB, blob.etag, Touched=self._time()),
            tables.upsert(rows.marker(location), Created=self._time()),
        ]
        await _ignoring_faults(self._table.transact(str(digest), made))

    async def mount(
        self,
        source: RepositoryName,
        repository: RepositoryName,
        digest: Digest,
        allow: Callable[[], Coroutine[Any, Any, None]],
    ) -> bool:
        """Links a blob of `source` to `repository` too; False if `source` does not have it.

        `allow` is asked while the link is read, and raises what forbids it.
        """
        found, _ = await both(self._read(source, digest), allow())
        async for attempt in attempts(most=_ATTEMPTS):
            if attempt:
                found = await self._read(source, digest)
            if found is None:
                return False
            try:
                await self._join(repository, digest, found)
                return True
            except RowMissing:  # Collected since it was read.
                await self._mark(digest, found.location)
            except Ambiguous:
                continue
        raise AssertionError("unreachable")

    # What manifests need.

    async def protect(
        self,
        repository: RepositoryName,
        digest: Digest,
        manifest: Digest,
        known: Link | None,
        *,
        required: bool,
    ) -> Link | None:
        """Records that `manifest` needs a blob, on the condition that it lies where `known` says.

        Answers where it lies at that moment; None if the repository does not have it. Then a need
        is recorded if it is not `required`: what need not be pushed may be pushed later. Safe to
        repeat.
        """
        partition, needed = str(digest), rows.requirement(repository, manifest)
        async for _ in attempts(most=_ATTEMPTS):
            if known is None and required:
                return None
            changes = [tables.upsert(needed)]
            if known is not None:
                changes += [
                    tables.merge(rows.link(repository), Touched=self._time(), **{rows.GOING: ""}),
                    tables.merge(rows.marker(known.location), Touched=self._time()),
                ]
            try:
                await self._table.transact(partition, changes)
                return known
            except RowMissing:
                self.forget(repository, digest)
                again = await self._read(repository, digest)
                if again and known and again.location == known.location:
                    await self._mark(digest, known.location)
                known = again
            except Ambiguous:
                continue
        raise AssertionError("unreachable")

    async def protect_if_there(
        self, repository: RepositoryName, digest: Digest, manifest: Digest
    ) -> bool:
        """Records that `manifest` needs a blob if the repository has it. Safe to repeat."""
        changes = [
            tables.merge(rows.link(repository), Touched=self._time(), **{rows.GOING: ""}),
            tables.upsert(rows.requirement(repository, manifest)),
        ]
        try:
            await repeated(lambda: self._table.transact(str(digest), changes), most=_ATTEMPTS)
        except RowMissing:
            return False
        return True

    async def requirement_etags(
        self, repository: RepositoryName, digests: Iterable[Digest], manifest: Digest
    ) -> dict[Digest, str]:
        """The versions of the rows that say a manifest needs these blobs."""
        key = rows.requirement(repository, manifest)
        wanted = tuple(dict.fromkeys(digests))
        found = await together(self._table.get(str(digest), key, ()) for digest in wanted)
        return {digest: row.etag for digest, row in zip(wanted, found, strict=True) if row}

    async def release(
        self, repository: RepositoryName, manifest: Digest, etags: dict[Digest, str]
    ) -> None:
        """Marks that a manifest, now deleted, no longer needs these blobs.

        `etags` were read before the deletion. A push that succeeds after it protects its blobs
        after it: it writes the rows anew, unmarked, and changes their versions. The rows go with
        garbage collection, when no push that saw them can be under way.
        """
        key = rows.requirement(repository, manifest)
        await together(
            _ignoring_faults(
                self._table.transact(
                    str(digest), [tables.merge(key, etag, **{rows.RELEASED: True})]
                )
            )
            for digest, etag in etags.items()
        )

    # Deleting.

    async def unlink(
        self,
        repository: RepositoryName,
        digest: Digest,
        is_manifest_gone: Callable[[Digest], Awaitable[bool]],
        allow: Callable[[], Awaitable[None]],
    ) -> None:
        """Takes a blob from `repository`. Raises `BlobUnknown`; `Unsupported` while needed.

        It is needed by a manifest that exists or can be brought back, and by one whose push has
        protected it and may still be under way; the condition on the link refuses it to a push
        that begins now.

        `allow` is asked once the link is told to nobody, and raises what forbids the deletion:
        from then on it does not matter when the link goes. Where it is forbidden, the link is
        told of again.
        """
        partition, key = str(digest), rows.link(repository)
        lost_answer = False
        async for _ in attempts(most=_ATTEMPTS):
            # The link is read first: a push that protects the blob after this changes it.
            row = await self._table.get(partition, key, rows.LINK_COLUMNS)
            if row is None:
                if lost_answer:
                    break
                raise BlobUnknown(detail={"digest": str(digest)})
            await self._refuse_if_needed(repository, digest, is_manifest_gone)
            try:
                version = await self._hide(partition, row)
                self.forget(repository, digest)
                await self._allowed(partition, key, version, allow)
                await self._table.transact(partition, [tables.delete(key, version)])
                break
            except (ConditionFailed, RowMissing):
                continue
            except Ambiguous:
                lost_answer = True
        self.forget(repository, digest)

    async def _hide(self, partition: str, row: Row) -> str:
        """Has a link told to nobody who pulls; answers its version.

        One that another deletion hides is left as it is: two that hid it by turns would not end.
        """
        if self._is_going(Link.from_row(row)):
            return row.etag
        going = tables.merge(row.key, row.etag, **{rows.GOING: self._time()})
        return (await self._table.transact(partition, [going]))[row.key]

    async def _allowed(
        self, partition: str, key: str, version: str, allow: Callable[[], Awaitable[None]]
    ) -> None:
        is_allowed = False
        try:
            await allow()
            is_allowed = True
        finally:
            if not is_allowed:
                told = tables.merge(key, version, **{rows.GOING: ""})
                await _ignoring_faults(self._table.transact(partition, [told]))

    async def _refuse_if_needed(
        self,
        repository: RepositoryName,
        digest: Digest,
        is_manifest_gone: Callable[[Digest], Awaitable[bool]],
    ) -> None:
        prefix = rows.requirements(repository)
        end = keys.end_of(prefix)
        async for page in self._table.pages(str(digest), prefix, end, (rows.RELEASED,)):
            # A marked row is of a manifest that was deleted and not pushed since.
            needs = [row for row in page if not row.values.get(rows.RELEASED)]
            for first in range(0, len(needs), _CHECKED_AT_ONCE):
                some = needs[first : first + _CHECKED_AT_ONCE]
                await self._refuse_if_any(some, prefix, digest, is_manifest_gone)

    async def _refuse_if_any(
        self,
        needs: list[Row],
        prefix: str,
        digest: Digest,
        is_manifest_gone: Callable[[Digest], Awaitable[bool]],
    ) -> None:
        manifests = [Digest.parse(row.key.removeprefix(prefix)) for row in needs]
        gone = await together(is_manifest_gone(manifest) for manifest in manifests)
        for row, manifest, is_gone in zip(needs, manifests, gone, strict=True):
            if not is_gone or self._now() - row.timestamp < _PUSH_OVER:
                state = (
                    "uses it"
                    if not is_gone
                    else "is being pushed with it, or was until a moment ago"
                )
                raise Unsupported(
                    f"the blob cannot be deleted: manifest {manifest} {state}",
                    detail={"digest": str(digest), "manifest": str(manifest)},
                )


async def _ignoring_faults(change: Awaitable[object]) -> None:
    try:
        await change
    except StorageFault:
        return
