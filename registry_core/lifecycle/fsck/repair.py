"""Repair: what is wrong is read at one moment, and changed on the versions that were read then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum

from registry_core.blobs import rows as blob_rows
from registry_core.blobs.rows import Link
from registry_core.lifecycle.collection.stores import ATTEMPTS, Stores
from registry_core.lifecycle.fsck.blobs import Blob, Blobs
from registry_core.lifecycle.fsck.hashing import Hasher
from registry_core.lifecycle.fsck.mends import mend, needed_location
from registry_core.lifecycle.fsck.report import Place
from registry_core.lifecycle.fsck.repository import Few, Repositories, Suspect
from registry_core.lifecycle.fsck.settle import Unsettled
from registry_core.model.digest import Digest
from registry_core.model.invariants import Finding, Invariant
from registry_core.model.names import RepositoryName
from registry_core.storage import tables
from registry_core.storage.budget import attempts
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowExists, RowMissing
from registry_core.storage.objects import Location
from registry_core.storage.tables import MAX_TRANSACTION_ROWS, RowChange

_LOST = (ConditionFailed, RowMissing, RowExists, Ambiguous)
"""Another was faster, or nobody knows: it is looked at again."""
_BUSY = "others are changing what is to be repaired; try again"


class Ended(Enum):
    """How a repair ended."""

    MENDED = "mended"
    LEFT = "left"
    """Nothing can mend it."""
    LOOKED_FOR = "looked for"
    """Perhaps another object has the bytes: all have to be looked through."""


class Mender:
    """Repairs one registry. Any number may work at once, and repeat all they do."""

    def __init__(
        self,
        stores: Stores,
        repositories: Repositories,
        blobs: Blobs,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stores = stores
        self._repositories = repositories
        self._blobs = blobs
        self._hasher = Hasher(stores.content)
        self._now = now

    def _time(self) -> str:
        return tables.time_value(self._now())

    # What belongs to a repository.

    async def repository(self, name: RepositoryName, suspect: Suspect) -> Ended:
        """Mends what is wrong in a repository, if it still is. Raises `Unavailable`."""
        async for _ in attempts(_BUSY, most=ATTEMPTS):
            few = await self._repositories.settled(name, suspect)
            if isinstance(few, Unsettled):
                continue
            if (finding := few.still(suspect.finding)) is None:
                return Ended.MENDED
            made = mend(few, finding, self._now())
            if made is None and finding.invariant is Invariant.LINKS:
                return await self._remake(name, few)
            if made is None:
                return Ended.LEFT
            tables_ = {
                Place.REPOSITORIES: self._stores.repositories,
                Place.CATALOG: self._stores.catalog,
                Place.BLOBS: self._stores.blobs,
            }
            try:
                await tables_[made.place].transact(made.partition, made.changes)
            except _LOST:
                continue
            return Ended.MENDED
        raise AssertionError("unreachable")

    async def _remake(self, name: RepositoryName, few: Few) -> Ended:
        """Makes the rows of a blob again that has none, from where a manifest says that it lies."""
        if few.digest is None:
            return Ended.LEFT
        digest, key = str(few.digest), blob_rows.link(name)
        for location in needed_location(few):
            if (proven := await self._prove(digest, location)) is not None:
                changes = self._content_rows(proven)
                link = tables.insert(key, **proven.columns, Created=self._time())
                try:
                    await self._stores.blobs.transact(digest, [*changes, link])
                except _LOST:  # Somebody has pushed it: the next check sees what is left.
                    return Ended.LEFT
                return Ended.MENDED
        return Ended.LEFT

    def _content_rows(self, content: Link) -> list[RowChange]:
        now = self._time()
        return [
            tables.insert(blob_rows.BLOB, **content.columns, Created=now),
            tables.upsert(blob_rows.marker(content.location), Created=now),
        ]

    # What belongs to a digest.

    async def blob(
        self, digest: str, suspected: Finding, copies: Sequence[Location] | None = None
    ) -> Ended:
        """Mends what is wrong with the rows or the object of a digest. Raises `Unavailable`.

        `copies` are other objects that may have its bytes; None if nobody has looked for them.
        """
        async for _ in attempts(_BUSY, most=ATTEMPTS):
            blob = await self._blobs.settled(digest, suspected)
            if isinstance(blob, Unsettled):
                continue
            if not blob.still(suspected):
                return Ended.MENDED
            try:
                changes = await self._changes(blob, suspected, copies)
                if isinstance(changes, Ended):
                    return changes
                await self._stores.blobs.transact(digest, changes)
            except _LOST:
                continue
            return Ended.MENDED
        raise AssertionError("unreachable")

    async def _changes(
        self, blob: Blob, finding: Finding, copies: Sequence[Location] | None
    ) -> list[RowChange] | Ended:
        if finding.invariant is Invariant.OBJECTS:
            return await self._object(blob, copies)
        if finding.invariant is Invariant.CONTENT_ROW:
            links = {Link.from_row(row).location for row in blob.links}
            return await self._move(blob, [*links, *(copies or ())], copies)
        content = blob.readable.get(blob_rows.BLOB)
        if content is None:
            return Ended.LEFT
        touched = tables.merge(content.key, content.etag, Touched=self._time())
        row = blob.rows.get(finding.key)
        if finding.invariant is Invariant.LOCATIONS and row is not None:
            return [tables.merge(row.key, row.etag, **Link.from_row(content).columns), touched]
        if finding.invariant is Invariant.MARKERS:
            change = (
                tables.delete(row.key, row.etag)
                if row
                else tables.insert(finding.key, Created=self._time())
            )
            return [change, touched]
        return Ended.LEFT

    async def _object(
        self, blob: Blob, copies: Sequence[Location] | None
    ) -> list[RowChange] | Ended:
        """The object is not as the row says: the row is put right, or the mark, or the place."""
        content, found = blob.content, blob.found
        if content is None or found is None or not self._blobs.is_ours(content.location):
            return Ended.LEFT
        if found.state is None:
            return await self._move(blob, copies or (), copies)
        proven = await self._prove(blob.digest, content.location, is_marked=False)
        if proven is None:
            # Other bytes than those of the digest: what they are, nobody can tell.
            return await self._move(blob, copies or (), copies, is_kept=True)
        if found.state.metadata.get(blob_rows.COMMITTED_AS) != blob.digest:
            marked = {**found.state.metadata, blob_rows.COMMITTED_AS: blob.digest}
            await self._stores.content.set_metadata(content.location.name, marked, found.state.etag)
        return self._leading_to(blob, proven)

    async def _move(
        self,
        blob: Blob,
        places: Iterable[Location],
        copies: Sequence[Location] | None,
        *,
        is_kept: bool = False,
    ) -> list[RowChange] | Ended:
        """Has the rows lead to an object that has the bytes.

        Where there is none, the rows go which say that there is, so that the blob can be pushed
        again: they would have every push believe that it need not send it.
        """
        for location in places:
            if (proven := await self._prove(blob.digest, location)) is not None:
                return self._leading_to(blob, proven)
        if copies is None:
            return Ended.LOOKED_FOR
        if is_kept:
            return Ended.LEFT
        rows = [*blob.own, *blob.links][:MAX_TRANSACTION_ROWS]
        going = [tables.delete(row.key, row.etag) for row in rows]
        await self._stores.blobs.transact(blob.digest, going)
        return Ended.LEFT

    def _leading_to(self, blob: Blob, content: Link) -> list[RowChange]:
        """The rows of a blob, each on its version, as they are when it lies there."""
        known, marker = blob.rows.get(blob_rows.BLOB), blob_rows.marker(content.location)
        if known is None:
            changes = self._content_rows(content)
        else:
            changes = [tables.merge(known.key, known.etag, **content.columns)]
            if marker not in blob.rows:
                changes.append(tables.insert(marker, Created=self._time()))
        changes += [
            tables.delete(row.key, row.etag)
            for row in blob.own
            if row.key not in (blob_rows.BLOB, marker)
        ]
        # Those that find no room lead elsewhere then, and that is mended one by one.
        room = MAX_TRANSACTION_ROWS - len(changes)
        changes += [tables.merge(row.key, row.etag, **content.columns) for row in blob.links[:room]]
        return changes

    async def _prove(
        self, digest: str, location: Location, *, is_marked: bool = True
    ) -> Link | None:
        """The content at a place, if it is that of a digest and is not about to be deleted.

        A commit marks an object once its bytes were hashed, on their version: that is a proof. What
        has no mark, or is doubted, is read and hashed.
        """
        if not self._blobs.is_ours(location):
            return None
        if await self._stores.blobs.get(digest, blob_rows.doomed(location), ()) is not None:
            return None
        state = (await self._blobs.object_at(location)).state
        if state is None:
            return None
        if not (is_marked and state.metadata.get(blob_rows.COMMITTED_AS) == digest):
            algorithm = Digest.parse(digest).algorithm
            if await self._hasher.digest(location, state.size, state.etag, algorithm) != digest:
                return None
        return Link(location, state.size)

    async def copies(self, digests: Iterable[str]) -> dict[str, list[Location]]:
        """The objects that are marked with one of these digests; all objects are looked through."""
        found: dict[str, list[Location]] = {digest: [] for digest in digests}
        async for page in self._stores.content.contents(blob_rows.UPLOADS):
            for each in page.objects:
                if (digest := each.metadata.get(blob_rows.COMMITTED_AS, "")) in found:
                    found[digest].append(self._stores.content.location(each.name))
        return found
