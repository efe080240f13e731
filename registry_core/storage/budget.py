"""What a request may spend: one budget of time and of attempts, which all that it does shares.

The budget is carried by a context variable into the tasks that a request starts, as its trace is.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Self

from registry_core.errors import Unavailable

MAX_ATTEMPTS = 100
"""The most attempts of one request, all its loops together."""
_BACK_OFF_SECONDS = 0.05
_LONGEST_BACK_OFF_SECONDS = 1.0


@dataclass
class Budget:
    """The time and the attempts that are left to a request."""

    seconds: float
    attempts: int = MAX_ATTEMPTS
    _begun: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """How many seconds are left; none or less than none when they are used up."""
        return self._begun + self.seconds - time.monotonic()


_current: ContextVar[Budget | None] = ContextVar("slipway_budget", default=None)


@contextmanager
def budgeted(budget: Budget) -> Iterator[Budget]:
    """Gives all that is done inside it, by this task and those it starts, one budget."""
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)


def current() -> Budget:
    """The budget of the request; without a request, one of its own without an end."""
    return _current.get() or Budget(float("inf"))


class attempts:  # noqa: N801 - reads as the function that it stands for
    """Counts attempts from 0: `async for attempt in attempts(): …`.

    Before each but the first it waits: longer each time, up to a second, a random part of that,
    so that those who met do not meet again ("full jitter", AWS Builders' Library, "Timeouts,
    retries, and backoff with jitter"). Raises `Unavailable` when the budget is used up.
    """

    def __init__(self, message: str | None = None) -> None:
        self._budget = current()
        self._count = -1
        self._message = message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        self._count += 1
        if self._count:
            self._budget.attempts -= 1
            longest = min(_BACK_OFF_SECONDS * 2 ** (self._count - 1), _LONGEST_BACK_OFF_SECONDS)
            wait = random.uniform(0, longest)  # noqa: S311 - spreads load, keeps no secret
            if self._budget.attempts <= 0 or wait >= self._budget.left:
                raise Unavailable(self._message)
            await asyncio.sleep(wait)
        return self._count
