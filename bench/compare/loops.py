"""Requests in a closed loop, each begun when one has ended, and in an open one, at fixed times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

Script = Callable[[], Awaitable[Any]]
"""One repeat of an operation."""


async def closed(scripts: Sequence[Script], at_once: int) -> list[float]:
    """Runs them, so many at once; answers how many seconds each took."""
    rest = iter(scripts)
    found: list[float] = []

    async def work(scripts: Iterator[Script]) -> None:
        for script in scripts:
            began = time.perf_counter()
            await script()
            found.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work(rest))
    return found


def schedule(count: int, rate: float) -> list[float]:
    """When each of so many requests is to begin at this rate, in seconds from the first of them."""
    return [number / rate for number in range(count)]


async def open_loop(scripts: Sequence[Script], rate: float) -> list[float]:
    """Begins so many a second, whether or not those before have ended.

    Answers how many seconds passed from when each was to begin until it had ended. So one that has
    to wait, because others are slow, or because it was begun late, is not seen as a quick one
    (coordinated omission).
    """
    loop = asyncio.get_running_loop()
    first = loop.time() + 0.01
    found: list[float] = []

    async def run(script: Script, planned: float) -> None:
        await script()
        found.append(loop.time() - planned)

    async with asyncio.TaskGroup() as group:
        for script, offset in zip(scripts, schedule(len(scripts), rate), strict=True):
            planned = first + offset
            if (left := planned - loop.time()) > 0:
                await asyncio.sleep(left)
            group.create_task(run(script, planned))
    return found
