"""A wait before wrong passwords are answered: longer with each, by source.

Only the answer to a wrong password waits, never a right one, so that nobody can lock out another
who comes from the same address. For the same reason nothing that goes right makes a source's
failures forgotten: who guesses may have a password of his own to be right with. This slows
guessing, and wakes who reads the log; what keeps guesses from succeeding is how long passwords are.
What an instance remembers is bounded in time and number.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from registry_core.errors import TooManyRequests

_FREE = 10
"""Wrong passwords that are answered at once, where less than `_FORGET_SECONDS` lie between two."""
_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 1.0
_FORGET_SECONDS = 300.0
_MAX_SOURCES = 10_000
_MAX_WAITING = 50


class Throttle:
    """Counts wrong passwords by source, on one instance."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0

    def held_off(self, source: str) -> float:
        """For how many seconds a source is still held off; 0 if its next wrong password is free."""
        count, last = self._failures.get(source, (0, 0.0))
        left = last + _FORGET_SECONDS - self._now()
        return left if count >= _FREE and left > 0 else 0.0

    async def failed(self, source: str) -> None:
        """Notes a wrong password, and waits as long as the answer to it is to wait.

        Raises `TooManyRequests` instead of waiting beside fifty others.
        """
        count, last = self._failures.pop(source, (0, 0.0))
        count = 1 if self._now() - last > _FORGET_SECONDS else count + 1
        self._failures[source] = (count, self._now())
        while len(self._failures) > _MAX_SOURCES:
            self._failures.popitem(last=False)
        if count <= _FREE:
            return
        seconds = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(count - _FREE - 1, 10))
        if self._waiting >= _MAX_WAITING:
            raise TooManyRequests(seconds=seconds)
        self._waiting += 1
        try:
            await self._sleep(seconds)
        finally:
            self._waiting -= 1
