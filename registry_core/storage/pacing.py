"""How many storage calls a request makes at once, and how long it waits before it tries again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

_PARALLEL = 32
_BACK_OFF_SECONDS = 0.05

T = TypeVar("T")


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """The outcomes of `calls`, in order, of which at most 32 are under way at a time."""
    limit = asyncio.Semaphore(_PARALLEL)

    async def one(call: Awaitable[T]) -> T:
        async with limit:
            return await call

    return await asyncio.gather(*(one(call) for call in calls))


async def back_off(attempt: int) -> None:
    """Waits a little, longer each time, before a conflict is tried again."""
    await asyncio.sleep(_BACK_OFF_SECONDS * 2**attempt)
