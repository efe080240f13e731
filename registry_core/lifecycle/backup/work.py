"""Work on many things, some at a time, until the time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from registry_core.storage.pacing import Group

AT_ONCE = 8
"""How many objects are on the way at a time: each holds some 20 MiB where it comes through here."""

T = TypeVar("T")


async def each(
    things: Iterable[T], work: Callable[[T], Awaitable[None]], is_over: Callable[[], bool]
) -> bool:
    """Has all of them worked on; False if the time was over before. The first failure ends it."""
    left = iter(things)
    is_done = True

    async def take() -> None:
        nonlocal is_done
        for thing in left:
            if is_over():
                is_done = False
                return
            await work(thing)

    async with Group() as group:
        await asyncio.gather(*(group.start(take()) for _ in range(AT_ONCE)))
    return is_done
