"""The blocks in which a body is appended, and the memory that they take."""

from __future__ import annotations

import asyncio
import mmap
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

from registry_core.storage.objects import APPEND_BLOCK

_SPARE = 2
"""How many uploads of an instance may hold a second block at a time: 8 MiB each."""


class Spare:
    """The second blocks of the uploads of one instance: there are few, whoever comes first."""

    def __init__(self) -> None:
        self._left = _SPARE

    def take(self) -> bool:
        """Whether there is one left, which is the caller's from now on."""
        if not self._left:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Gives one back."""
        self._left += 1


class Buffers:
    """The blocks that one upload holds: one, and a second as long as there is a spare one.

    With a second it receives while it appends; without, it does one after the other.
    """

    def __init__(self, spare: Spare) -> None:
        self._spare = spare
        self._free = asyncio.Queue[memoryview]()
        self._used = deque[memoryview]()
        self._count = 0

    async def take(self) -> memoryview:
        """A block to be filled; waits until there is one."""
        if self._free.empty() and (not self._count or (self._count == 1 and self._spare.take())):
            self._count += 1
            # An anonymous mapping, because its pages are taken as they are filled and go back to
            # the system with the request. The heap takes a whole block for the smallest body, and
            # keeps it.
            self._free.put_nowait(memoryview(mmap.mmap(-1, APPEND_BLOCK)))
        buffer = await self._free.get()
        self._used.append(buffer)
        return buffer

    def give_back(self) -> None:
        """Gives the block back that was taken first: storage has it."""
        self._free.put_nowait(self._used.popleft())

    def close(self) -> None:
        """Gives the second block back to all: nothing of the body is on its way any more."""
        if self._count > 1:
            self._spare.give_back()
        self._count, self._free = 0, asyncio.Queue()

    async def cut(self, body: AsyncIterator[bytes]) -> AsyncGenerator[memoryview, None]:
        """Cuts `body` into blocks of `APPEND_BLOCK` bytes: only the last may be shorter.

        None is empty. Each has to be given back before the one after the next can come.
        """
        buffer, filled = memoryview(b""), 0
        async for chunk in body:
            position = 0
            while position < len(chunk):
                if not filled:
                    buffer = await self.take()
                step = min(APPEND_BLOCK - filled, len(chunk) - position)
                buffer[filled : filled + step] = chunk[position : position + step]
                filled, position = filled + step, position + step
                if filled == APPEND_BLOCK:
                    yield buffer
                    filled = 0
        if filled:
            yield buffer[:filled]
