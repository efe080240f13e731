"""Reading objects whole, to hash them: several at once, in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import Callable

from registry_core.storage.objects import READ_BLOCK, Location, Objects

BLOCKS = 16
"""So many blocks are being read, or wait to be hashed, at a time: 64 MiB."""
_OBJECTS = 8
"""So many objects are hashed at a time."""
_AHEAD = 12
"""So many blocks of one object are read at a time, where others leave room."""
_HASHED_AT_ONCE = max(1, (os.cpu_count() or 1) - 1)
"""One processor is left to whatever reads: a single one hashes faster than most storage sends."""


def _nobody(_: int) -> None:
    """Is told how much has been read."""


class Hasher:
    """Hashes content objects of one registry."""

    def __init__(self, content: Objects, moved: Callable[[int], None] = _nobody) -> None:
        self._content = content
        self._moved = moved
        self._blocks = asyncio.Semaphore(BLOCKS)
        self._objects = asyncio.Semaphore(_OBJECTS)
        self._hashed = asyncio.Semaphore(_HASHED_AT_ONCE)

    async def digest(self, location: Location, size: int, etag: str, algorithm: str) -> str:
        """The digest of the `size` bytes of version `etag` of an object.

        Raises `RowMissing`, `ConditionFailed` if it is another version by now, and `Unavailable`.
        """
        hash_, reads = hashlib.new(algorithm), deque[asyncio.Task[bytes]]()
        left = deque(range(0, size, READ_BLOCK))
        async with self._objects:
            try:
                while left or reads:
                    # Whoever holds no block waits for one, and whoever holds one goes on with it.
                    while left and (not reads or self._has_room(len(reads))):
                        await self._blocks.acquire()
                        read = self._read(location, left.popleft(), size, etag)
                        reads.append(asyncio.create_task(read))
                    block = await reads[0]
                    async with self._hashed:
                        await asyncio.to_thread(hash_.update, block)
                    reads.popleft()
                    self._blocks.release()
                    self._moved(len(block))
            finally:
                for task in reads:
                    task.cancel()
                    self._blocks.release()
                await asyncio.gather(*reads, return_exceptions=True)
        return f"{algorithm}:{hash_.hexdigest()}"

    def _has_room(self, reads: int) -> bool:
        return reads < _AHEAD and not self._blocks.locked()

    async def _read(self, location: Location, start: int, size: int, etag: str) -> bytes:
        length = min(READ_BLOCK, size - start)
        return b"".join(
            [chunk async for chunk in self._content.read(location, start, length, etag)]
        )
