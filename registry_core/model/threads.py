"""Where work on what a client or storage sent is done: beside the event loop, if it is much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

SMALL = 64 * 1024
"""How many bytes are worked on at once: more would hold up every other request for long."""

P = ParamSpec("P")
T = TypeVar("T")


async def beside(size: int, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """What `work` answers, done in a thread if it is about more than `SMALL` bytes."""
    if size <= SMALL:
        return work(*args, **options)
    return await asyncio.to_thread(work, *args, **options)
