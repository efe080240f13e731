"""Upload sessions: bytes flow from the client into one append blob, and are hashed on the way.

The object's length and ETag are the truth; the state in the URL is what its holder knows of it.
Receiving and hashing block n+1 overlaps appending block n, where there is memory for both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from registry_core.blobs import hashing
from registry_core.blobs.blocks import Buffers, Spare
from registry_core.blobs.hashing import RunningHash
from registry_core.blobs.links import Links
from registry_core.blobs.rows import COMMITTED_AS
from registry_core.blobs.upload_state import StateSealer, UploadState
from registry_core.errors import BlobUploadUnknown, DigestInvalid, Unavailable
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage.budget import attempts, budgeted, current
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowExists, RowMissing
from registry_core.storage.objects import (
    APPEND_BLOCK,
    AppendRefused,
    Location,
    Objects,
    ObjectState,
)

CATCH_UP_BYTES = 256 * 1024 * 1024
"""The most content that a request other than the commit reads back to hash it."""
_CANCELLATIONS = 3
"""How often a cancellation is sent to an upload that goes on meanwhile."""
_NONCE, _CANCELLED = "nonce", "cancelled"


class UploadMoved(Exception):
    """The state is not the upload's last: `state` is."""

    def __init__(self, state: UploadState) -> None:
        super().__init__(f"the upload is at {state.offset}")
        self.state = state


class Uploads:
    """Begins, continues, commits and cancels uploads."""

    def __init__(self, content: Objects, links: Links, sealer: StateSealer) -> None:
        self._content = content
        self._links = links
        self.sealer = sealer
        self._spare = Spare()

    def begin(self, algorithm: str = "sha256") -> UploadState:
        """A new upload, to be committed under a digest by `algorithm`. No storage call."""
        names = dict.fromkeys(("sha256", algorithm))
        return self.sealer.begin(tuple(filter(None, (hashing.start(n).save() for n in names))))

    async def status(self, state: UploadState) -> UploadState:
        """The upload as it truly stands; it can go on from there. Raises `BlobUploadUnknown`."""
        found = await self._content.state(state.object_name)
        if found is None:
            if state.offset:
                raise BlobUploadUnknown
            return state
        return self._current(state, found)

    def _current(self, state: UploadState, found: ObjectState) -> UploadState:
        """The state that fits the object. Only the upload's own holder learns it."""
        metadata = found.metadata
        if metadata.get(_NONCE) != state.nonce.hex() or _CANCELLED in metadata:
            raise BlobUploadUnknown
        if COMMITTED_AS in metadata:
            raise BlobUploadUnknown("the upload is already committed")
        return state.at(found.size, found.etag, state.hashes)

    async def append(self, state: UploadState, body: AsyncIterator[bytes]) -> UploadState:
        """Appends all of `body`; answers the state after it.

        Raises `UploadMoved` if the state was not the upload's last. What was appended before the
        body broke off stays, and `status` tells how much that is.
        """
        buffers = Buffers(self._spare)
        async with aclosing(buffers.cut(body)) as blocks:
            # First of all: where nothing comes, no hash has to catch up either.
            if first := await anext(blocks, memoryview(b"")):
                return await self._append(state, _chain(first, blocks), buffers)
        # Nothing came, so that no write has held the state against the object.
        now = await self.status(state)
        if now.offset != state.offset:
            raise UploadMoved(now)
        return now

    async def _append(
        self, state: UploadState, blocks: AsyncIterator[memoryview], buffers: Buffers
    ) -> UploadState:
        flow = _Flow(self._content, buffers, state, *await self._hashes(state, CATCH_UP_BYTES))
        try:
            return await flow.append(blocks)
        except AppendRefused as refusal:
            raise UploadMoved(await self.status(state)) from refusal

    async def commit(
        self,
        state: UploadState,
        body: AsyncIterator[bytes],
        digest: Digest,
        repository: RepositoryName,
    ) -> Location:
        """Appends the rest and makes the upload the blob `digest` of `repository`.

        Answers where the blob lies, which is elsewhere if the registry had it already.

        Raises `DigestInvalid`, whereupon nothing of it can be read, `UploadMoved` and
        `BlobUploadUnknown`.
        """
        buffers = Buffers(self._spare)
        async with aclosing(buffers.cut(body)) as blocks:
            first = await anext(blocks, memoryview(b""))
            if not state.etag and len(first) < APPEND_BLOCK:
                size = len(first)
                is_first = await self._put_at_once(state, bytes(first), digest)
            else:
                size, is_first = await self._append_and_seal(
                    state, _chain(first, blocks), buffers, digest
                )
        location = self._content.location(state.object_name)
        if not is_first:
            await self._refuse_if_swept(state, digest, location)
        return await self._links.record(repository, digest, location, size)

    async def _refuse_if_swept(
        self, state: UploadState, digest: Digest, location: Location
    ) -> None:
        """For a commit repeated long after: its blob may have been deleted and collected since.

        That the object is doomed is read before it is seen that it is there: the sweep may delete
        both in between. Raises `BlobUploadUnknown`.
        """
        if await self._links.is_doomed(digest, location):
            raise BlobUploadUnknown
        found = await self._content.state(state.object_name)
        if found is None or dict(found.metadata) != _committed(state, digest):
            raise BlobUploadUnknown

    async def _append_and_seal(
        self,
        state: UploadState,
        blocks: AsyncIterator[memoryview],
        buffers: Buffers,
        digest: Digest,
    ) -> tuple[int, bool]:
        """Appends the rest and marks the object; answers its size, and whether it was not yet so.

        A request that was done already, except for its answer, is found out by the mark: the
        session's content has that digest.
        """
        try:
            state = await self._append(state, blocks, buffers)
            return state.offset, await self._seal_object(state, digest)
        except BlobUploadUnknown:
            found = await self._content.state(state.object_name)
            if found is None or dict(found.metadata) != _committed(state, digest):
                raise
            return found.size, False

    async def cancel(self, state: UploadState) -> None:
        """Ends the upload for good: an empty object marks it. Raises `BlobUploadUnknown`."""
        name = state.object_name
        tombstone = {_NONCE: state.nonce.hex(), _CANCELLED: "true"}
        etag = state.etag
        unsure = False
        async for _ in attempts(most=_CANCELLATIONS):
            try:
                if etag:
                    await self._content.empty(name, tombstone, etag)
                else:
                    await self._content.create(name, tombstone)
                return
            except (ConditionFailed, RowExists, RowMissing, Ambiguous) as fault:
                found = await self._content.state(name)
                if found is None:
                    raise BlobUploadUnknown from fault
                unsure = unsure or isinstance(fault, Ambiguous)
                if unsure and dict(found.metadata) == tombstone:
                    return
                etag = self._current(state, found).etag

    async def _put_at_once(self, state: UploadState, content: bytes, digest: Digest) -> bool:
        """A whole blob of less than a block: hashed first, then written by one Put Blob.

        False if the object was there already, as this very commit leaves it, or may have been.
        """
        if await asyncio.to_thread(Digest.of, content, digest.algorithm) != digest:
            raise DigestInvalid(detail={"digest": str(digest)})
        metadata = _committed(state, digest)
        try:
            return await self._content.put(state.object_name, content, metadata)
        except RowExists:
            found = await self._content.state(state.object_name)
            if found is None:  # Committed long ago, and its blob collected just now.
                raise BlobUploadUnknown from None
            if dict(found.metadata) != metadata or found.size != len(content):
                raise UploadMoved(await self.status(state)) from None
            return False

    async def _seal_object(self, state: UploadState, digest: Digest) -> bool:
        """Checks the digest and marks the object with it: its new ETag outdates every state.

        False if it was marked so already: by an earlier commit, or one at the same time.
        """
        if await self._digest(state, digest.algorithm) != digest:
            raise DigestInvalid(detail={"digest": str(digest)})
        metadata = _committed(state, digest)
        try:
            await self._content.set_metadata(state.object_name, metadata, state.etag)
        except (ConditionFailed, RowMissing, Ambiguous) as fault:
            found = await self._content.state(state.object_name)
            if found and dict(found.metadata) == metadata and found.size == state.offset:
                return False
            if found and isinstance(fault, Ambiguous):
                raise Unavailable from fault
            raise UploadMoved(await self.status(state)) from fault
        return True

    async def _hashes(
        self, state: UploadState, limit: int
    ) -> tuple[dict[str, RunningHash], tuple[bytes, ...]]:
        """The running hashes of all the content so far, by algorithm, and the saved ones left.

        A hash that lags (its request was cut off) catches up by reading, at most `limit` bytes;
        one that lags further is left as it is, for the commit to go on from there.
        """
        running: dict[str, RunningHash] = {}
        left: tuple[bytes, ...] = ()
        for saved in state.hashes:
            hash_ = hashing.restore(saved)
            if hash_ is None or hash_.length > state.offset:
                continue
            if state.offset - hash_.length > limit:
                left += (saved,)
                continue
            await self._catch_up(state, hash_)
            running[hash_.name] = hash_
        if not state.offset:  # Where hashes cannot be saved, this request's bytes still can be.
            running.setdefault("sha256", hashing.start("sha256"))
        return running, left

    async def _digest(self, state: UploadState, algorithm: str) -> Digest:
        """The digest of all the content, read as far as no hash has seen it."""
        hash_ = next(
            (h for h in map(hashing.restore, state.hashes) if h and h.name == algorithm), None
        )
        if hash_ is None or hash_.length > state.offset:
            hash_ = hashing.start(algorithm)
        await self._catch_up(state, hash_)
        return Digest(algorithm, hash_.hexdigest())

    async def _catch_up(self, state: UploadState, hash_: RunningHash) -> None:
        location = self._content.location(state.object_name)
        missing = state.offset - hash_.length
        try:
            async for chunk in self._content.read(location, hash_.length, missing):
                await asyncio.to_thread(hash_.update, chunk)
        except RowMissing as fault:
            raise BlobUploadUnknown from fault
        except ConditionFailed as fault:  # Shorter than the state says: it has been cancelled.
            raise UploadMoved(await self.status(state)) from fault


@dataclass
class _Flow:
    """Appends a body block by block: while one block is appended the next is received."""

    content: Objects
    buffers: Buffers
    state: UploadState
    hashes: dict[str, RunningHash]
    left: tuple[bytes, ...] = ()
    """Saved hashes that lag too far behind to go on here."""
    under_way: asyncio.Task[None] | None = None

    async def append(self, blocks: AsyncIterator[memoryview]) -> UploadState:
        """Appends all `blocks`; answers the state after the last."""
        hashed: asyncio.Task[tuple[bytes, ...]] | None = None
        try:
            while (block := await self._next(blocks)) is not None:
                if hashed is not None:  # A hash takes one block after another.
                    await hashed
                # Not only when the block's turn has come: storage waits for that moment, and the
                # block before is on its way for a while yet.
                hashed = asyncio.create_task(asyncio.to_thread(self._hash, block))
                await self._finish()
                self.under_way = asyncio.create_task(self._append(block, hashed))
            await self._finish()
        finally:
            try:
                await self._settle()
            finally:
                self.buffers.close()
        return self.state

    async def _next(self, blocks: AsyncIterator[memoryview]) -> memoryview | None:
        """The next block, None at the end; or what the append under way raises meanwhile.

        A client that sends slowly is told at once that storage does not take its bytes.
        """
        block = asyncio.ensure_future(_next_of(blocks))
        try:
            waiting = {block, self.under_way} if self.under_way else {block}
            while not block.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if self.under_way in done and self.under_way.exception():
                    await self._finish()
            return block.result()
        finally:
            block.cancel()
            await asyncio.gather(block, return_exceptions=True)

    async def _append(self, block: memoryview, hashed: asyncio.Task[tuple[bytes, ...]]) -> None:
        with budgeted(current().anew()):  # However slowly the client sends the next block.
            etag = await self._append_block(block)
        self.state = self.state.at(self.state.offset + len(block), etag, await hashed)
        self.buffers.give_back()

    def _hash(self, block: memoryview) -> tuple[bytes, ...]:
        """Takes in a block; answers the states after it that can be saved."""
        for hash_ in self.hashes.values():
            hash_.update(block)
        saved = filter(None, (hash_.save() for hash_ in self.hashes.values()))
        return (*saved, *self.left)

    async def _append_block(self, block: memoryview) -> str:
        state = self.state
        etag = state.etag
        if not etag:
            try:
                etag = await self.content.create(state.object_name, {_NONCE: state.nonce.hex()})
            except RowExists as fault:
                raise AppendRefused("the upload has already begun") from fault
        return await self.content.append(state.object_name, block, state.offset, etag)

    async def _finish(self) -> None:
        task, self.under_way = self.under_way, None
        if task is not None:
            await task
            current().renew()

    async def _settle(self) -> None:
        """When the body broke off: lets the append under way end, so that its outcome is known."""
        task, self.under_way = self.under_way, None
        if task is not None:
            await asyncio.wait([task])
            task.exception()


def _committed(state: UploadState, digest: Digest) -> dict[str, str]:
    """The metadata that marks the object of a committed upload."""
    return {_NONCE: state.nonce.hex(), COMMITTED_AS: str(digest)}


async def _next_of(blocks: AsyncIterator[memoryview]) -> memoryview | None:
    return await anext(blocks, None)


async def _chain(first: memoryview, rest: AsyncIterator[memoryview]) -> AsyncIterator[memoryview]:
    if first:
        yield first
    async for block in rest:
        yield block
