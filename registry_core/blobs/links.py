"""Table `blobs`: where content lies, which repositories may read it, which manifests need it.

Partition = digest, so that whether a blob exists, is linked and is needed changes in one
transaction. Rows: `blob`, `l:<repo>`, `r:<repo>:<manifest digest>`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from registry_core.blobs import rows as blob_rows
from registry_core.errors import BlobUnknown, Unavailable, Unsupported
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage import keys, tables
from registry_core.storage.cache import Cache
from registry_core.storage.faults import (
    Ambiguous,
    ConditionFailed,
    RowExists,
    RowMissing,
    StorageFault,
)
from registry_core.storage.objects import Location
from registry_core.storage.pacing import back_off, together
from registry_core.storage.tables import Row, Table

PUSH_DEADLINE = timedelta(minutes=10)
"""A manifest push that has run longer gives up. Garbage collection waits three times as long."""
_PUSH_OVER = PUSH_DEADLINE * 1.5
"""A push that protected a blob this long ago has ended, whatever clocks say."""
_ATTEMPTS = 5
_MOUNT_ATTEMPTS = 3
_MAX_HOLDERS = 100
_CHECKED_AT_ONCE = 32
_RELEASED = "Released"


@dataclass(frozen=True)
class Link:
    """A repository's permission to read a blob: where it lies, its size, the link's last touch."""

    location: Location
    size: int
    timestamp: datetime

    @classmethod
    def from_row(cls, row: Row) -> Link:
        """The link in a row `l:` or the content in a row `blob`."""
        return cls(Location.parse(row.text("Location")), row.number("Size"), row.timestamp)


class Blobs:
    """Reads and changes the rows of blobs."""

    def __init__(
        self,
        table: Table,
        cache: Cache[Link],
        grace: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table
        self._cache = cache
        self._grace = grace
        self._now = now

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
            link = await self._read_link(repository, digest)
            if relied_on and self._is_old(link):
                try:
                    await self._table.transact(
                        str(digest),
                        [tables.merge(blob_rows.link(repository), Touched=self._time())],
                    )
                except RowMissing as fault:
                    raise BlobUnknown(detail={"digest": str(digest)}) from fault
                link = Link(link.location, link.size, self._now())
            self._cache.put((repository, digest), link, ticket=ticket)
        return link

    async def find_link(self, repository: RepositoryName, digest: Digest) -> Link | None:
        """The link, from the table itself; None if there is none."""
        row = await self._table.get(str(digest), blob_rows.link(repository), ("Location", "Size"))
        return Link.from_row(row) if row else None

    async def size(self, repository: RepositoryName, digest: Digest) -> int | None:
        """The size of a blob; None if the repository does not have it, as far as is known here."""
        link = self._cache.get((repository, digest)) or await self.find_link(repository, digest)
        return link.size if link else None

    async def _read_link(self, repository: RepositoryName, digest: Digest) -> Link:
        link = await self.find_link(repository, digest)
        if link is None:
            raise BlobUnknown(detail={"digest": str(digest)})
        return link

    def _is_old(self, link: Link) -> bool:
        return self._now() - link.timestamp > self._grace / 2

    def _time(self) -> str:
        return tables.time_value(self._now())

    async def is_doomed(self, digest: Digest, location: Location) -> bool:
        """Whether the object is one that garbage collection will delete: no row names it."""
        return await self._table.get(str(digest), blob_rows.doomed(location), ()) is not None

    async def record(
        self, repository: RepositoryName, digest: Digest, location: Location, size: int
    ) -> Location:
        """Commits a blob: from here on it exists, and `repository` may read it.

        Answers where the blob lies: at `location`, or where it lay already; an object that lost
        is left to the sweeper. Safe to repeat.
        """
        partition, link_key = str(digest), blob_rows.link(repository)
        where = {"Location": str(location), "Size": tables.int64(size), "Created": self._time()}
        for attempt in range(_ATTEMPTS):
            try:
                await self._table.transact(
                    partition,
                    [tables.insert(blob_rows.BLOB, **where), tables.upsert(link_key, **where)],
                )
                return location
            except (RowExists, Ambiguous):
                blob = await self._table.get(partition, blob_rows.BLOB, ("Location", "Size"))
            if blob is not None:
                known = {name: blob.values[name] for name in ("Location", "Size")}
                try:
                    await self._table.transact(
                        partition,
                        [
                            tables.merge(blob_rows.BLOB, blob.etag, Touched=self._time()),
                            tables.upsert(link_key, Created=self._time(), **known),
                        ],
                    )
                    return Location.parse(blob.text("Location"))
                except (ConditionFailed, RowMissing, Ambiguous):
                    pass
            await back_off(attempt)
        raise Unavailable

    async def holders(self, digest: Digest) -> list[RepositoryName]:
        """Repositories that may read a blob: the first hundred, in order."""
        first, end = blob_rows.LINKS, keys.end_of(blob_rows.LINKS)
        rows = await self._table.query(str(digest), first, end, (), limit=_MAX_HOLDERS)
        return [RepositoryName(keys.decode(row.key.removeprefix(blob_rows.LINKS))) for row in rows]

    async def mount(
        self, source: RepositoryName, repository: RepositoryName, digest: Digest
    ) -> bool:
        """Links a blob of `source` to `repository` too; False if `source` does not have it."""
        partition, source_key = str(digest), blob_rows.link(source)
        for attempt in range(_MOUNT_ATTEMPTS):
            row = await self._table.get(partition, source_key, ("Location", "Size"))
            if row is None:
                return False
            known = {name: row.values[name] for name in ("Location", "Size")}
            changes = [tables.merge(blob_rows.BLOB, Touched=self._time())]
            if source != repository:
                changes.append(
                    tables.upsert(blob_rows.link(repository), Created=self._time(), **known)
                )
            changes.append(tables.merge(source_key, row.etag, Touched=self._time()))
            try:
                await self._table.transact(partition, changes)
                return True
            except RowMissing:
                return False
            except (ConditionFailed, Ambiguous):
                await back_off(attempt)
        return False

    async def protect(
        self,
        repository: RepositoryName,
        digest: Digest,
        manifest: Digest,
        *,
        required: bool,
    ) -> bool:
        """Checks that `repository` has the blob and records that `manifest` needs it, in one.

        False if the repository has it not, which is no fault unless `required`. Safe to repeat.
        """
        changes = [
            tables.merge(blob_rows.link(repository), Touched=self._time()),
            tables.upsert(blob_rows.requirement(repository, manifest)),
        ]
        for attempt in range(_ATTEMPTS):
            try:
                await self._table.transact(str(digest), changes)
                return True
            except RowMissing:
                if not required:
                    # A layer that need not be pushed may be pushed later: it is protected already.
                    await self._table.transact(str(digest), changes[1:])
                return False
            except Ambiguous:
                await back_off(attempt)
        raise Unavailable

    async def requirement_etags(
        self, repository: RepositoryName, digests: Iterable[Digest], manifest: Digest
    ) -> dict[Digest, str]:
        """The versions of the rows that say a manifest needs these blobs."""
        key = blob_rows.requirement(repository, manifest)
        wanted = tuple(dict.fromkeys(digests))
        rows = await together(self._table.get(str(digest), key, ()) for digest in wanted)
        return {digest: row.etag for digest, row in zip(wanted, rows, strict=True) if row}

    async def release(
        self, repository: RepositoryName, manifest: Digest, etags: dict[Digest, str]
    ) -> None:
        """Marks that a manifest, now deleted, no longer needs these blobs.

        `etags` were read before the deletion. A push that succeeds after it protects its blobs
        after it: it writes the rows anew, unmarked, and changes their versions. The rows go with
        garbage collection, when no push that saw them can be under way.
        """
        key = blob_rows.requirement(repository, manifest)
        await together(
            _ignoring_faults(
                self._table.transact(str(digest), [tables.merge(key, etag, Released=True)])
            )
            for digest, etag in etags.items()
        )

    async def unlink(
        self,
        repository: RepositoryName,
        digest: Digest,
        is_manifest_live: Callable[[Digest], Awaitable[bool]],
    ) -> None:
        """Takes a blob from `repository`. Raises `BlobUnknown`; `Unsupported` while needed.

        It is needed by a manifest that exists, and by one whose push has protected it and may
        still be under way; the condition on the link refuses it to a push that begins now.
        """
        partition, link_key = str(digest), blob_rows.link(repository)
        prefix = blob_rows.requirements(repository)
        lost_answer = False
        for attempt in range(_ATTEMPTS):
            # The link is read first: a push that protects the blob after this changes it.
            link = await self._table.get(partition, link_key, ())
            if link is None:
                if lost_answer:
                    break
                raise BlobUnknown(detail={"digest": str(digest)})
            end = keys.end_of(prefix)
            async for needs in self._table.pages(partition, prefix, end, (_RELEASED,)):
                await self._refuse_if_needed(needs, prefix, digest, is_manifest_live)
            try:
                await self._table.transact(partition, [tables.delete(link_key, link.etag)])
                break
            except (ConditionFailed, RowMissing):
                pass
            except Ambiguous:
                lost_answer = True
            await back_off(attempt)
        else:
            raise Unavailable
        self.forget(repository, digest)

    async def _refuse_if_needed(
        self,
        needs: list[Row],
        prefix: str,
        digest: Digest,
        is_manifest_live: Callable[[Digest], Awaitable[bool]],
    ) -> None:
        # A marked row is of a manifest that was deleted and not pushed since.
        rows = [row for row in needs if not row.values.get(_RELEASED)]
        for first in range(0, len(rows), _CHECKED_AT_ONCE):
            some = rows[first : first + _CHECKED_AT_ONCE]
            manifests = [Digest.parse(row.key.removeprefix(prefix)) for row in some]
            live = await together(is_manifest_live(manifest) for manifest in manifests)
            for row, manifest, is_live in zip(some, manifests, live, strict=True):
                if is_live or self._now() - row.timestamp < _PUSH_OVER:
                    state = "needs it" if is_live else "is being pushed with it, or just was"
                    raise Unsupported(
                        f"the blob cannot be deleted: manifest {manifest} {state}",
                        detail={"digest": str(digest), "manifest": str(manifest)},
                    )

    def forget(self, repository: RepositoryName, digest: Digest) -> None:
        """Drops a link from this instance's cache."""
        self._cache.discard((repository, digest))


async def _ignoring_faults(change: Awaitable[None]) -> None:
    try:
        await change
    except StorageFault:
        return
