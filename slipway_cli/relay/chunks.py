"""The chunks in which blobs are sent, and the memory that all of them share."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Callable, Iterator

MIB = 1024 * 1024
BLOCK = 8 * MIB
"""What the registry appends at once: chunks of whole blocks leave no short one behind."""
ROOM = 64 * MIB
"""The memory of the chunks of all uploads together, in bytes."""
_PIECE = 256 * 1024
"""How much of a chunk is handed to the connection at once."""


class Chunk:
    """A part of a blob: filled by who sends it to us, kept until the registry has it."""

    def __init__(self, start: int, room: int) -> None:
        self.start = start
        """Where in the blob it begins."""
        self.room = room
        self._filled = 0
        # An anonymous mapping: its pages are taken as they are filled, and go back to the system.
        self._bytes = memoryview(mmap.mmap(-1, room))

    @property
    def end(self) -> int:
        """Where in the blob it ends, as far as it is filled."""
        return self.start + self._filled

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self._filled == self.room

    def take(self, piece: memoryview) -> int:
        """Takes in as much as there is room for; answers how much that was."""
        count = min(len(piece), self.room - self._filled)
        self._bytes[self._filled : self._filled + count] = piece[:count]
        self._filled += count
        return count

    def pieces(self, position: int) -> Iterator[memoryview]:
        """What it holds from a position in the blob on."""
        for begin in range(position - self.start, self._filled, _PIECE):
            yield self._bytes[begin : min(begin + _PIECE, self._filled)]


class Room:
    """Gives memory for chunks: the more uploads there are, the shorter their chunks.

    An upload always gets one chunk, and a second one where there is room for it.
    """

    def __init__(self, size: int = ROOM) -> None:
        self._size = size
        self._held = 0
        self._uploads = 0
        self._change = asyncio.Event()

    def enter(self) -> None:
        """One upload more."""
        self._uploads += 1

    def leave(self) -> None:
        """One upload less."""
        self._uploads -= 1

    async def take(
        self, start: int, wanted: int, least: int, *, is_first: Callable[[], bool]
    ) -> Chunk:
        """A chunk of at most `wanted` bytes; `is_first` tells whether the upload holds no other.

        It is shorter than `least` only if `wanted` is. One that is not the first waits for room.
        """
        while True:
            fair = min(wanted, self._size // (2 * max(self._uploads, 1)))
            if is_first():
                fair = min(fair, self._size - self._held)
            length = max(fair, min(least, wanted))
            if length > BLOCK:
                length -= length % BLOCK
            if is_first() or self._held + length <= self._size:
                self._held += length
                return Chunk(start, length)
            self._change.clear()
            await self._change.wait()

    def shrink(self, chunk: Chunk, length: int) -> None:
        """Takes memory back that a chunk has no use for by now."""
        spared = chunk.room - max(length, chunk.end - chunk.start)
        if spared > 0:
            chunk.room -= spared
            self._give_back(spared)

    def give_back(self, chunk: Chunk) -> None:
        """Takes the memory of a chunk back."""
        self._give_back(chunk.room)

    def _give_back(self, count: int) -> None:
        self._held -= count
        self._change.set()
