"""How many storage calls a request makes at once, and that none goes on when one has failed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

_PARALLEL = 32

T = TypeVar("T")
U = TypeVar("U")


class Group:
    """Calls that are made at once and end together: none goes on when one has failed.

    For `asyncio.gather` within it, which leaves the others running.
    """

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begins a call."""
        task = asyncio.create_task(call)
        self._tasks.append(task)
        return task

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """The outcomes of two calls that are made at once; the first that fails ends the other."""
    async with Group() as group:
        return await asyncio.gather(group.start(one), group.start(other))


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """The outcomes of `calls`, in order, of which at most 32 are under way at a time.

    The first that fails ends the others; those that have not begun are not asked for.
    """
    left = enumerate(calls)
    outcomes: dict[int, T] = {}

    async def work(index: int, call: Awaitable[T]) -> None:
        outcomes[index] = await call
        for following, another in left:
            outcomes[following] = await another

    async with Group() as group:
        begun = [group.start(work(*item)) for item in itertools.islice(left, _PARALLEL)]
        await asyncio.gather(*begun)
    return [outcomes[index] for index in range(len(outcomes))]
