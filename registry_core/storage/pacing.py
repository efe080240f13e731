"""How many storage calls a request makes at once, and how long it waits before it tries again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterable
from typing import TypeVar

_PARALLEL = 32
_BACK_OFF_SECONDS = 0.05
_LONGEST_BACK_OFF_SECONDS = 1.0

T = TypeVar("T")


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """The outcomes of `calls`, in order, of which at most 32 are under way at a time."""
    limit = asyncio.Semaphore(_PARALLEL)

    async def one(call: Awaitable[T]) -> T:
        async with limit:
            return await call

    return await asyncio.gather(*(one(call) for call in calls))


async def back_off(attempt: int) -> None:
    """Waits before a conflict is tried again: longer each time, up to a second.

    A random part of that, so that those who met do not meet again ("full jitter", AWS Builders'
    Library, "Timeouts, retries, and backoff with jitter").
    """
    longest = min(_BACK_OFF_SECONDS * 2**attempt, _LONGEST_BACK_OFF_SECONDS)
    await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - spreads load, keeps no secret
