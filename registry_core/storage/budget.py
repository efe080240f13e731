"""What a request may spend: one budget of time and of attempts, which all that it does shares.

The time is for getting nowhere: it begins anew whenever bytes of content have moved. The budget is
carried by a context variable into the tasks that a request starts, as its trace is. `docs/time.md`
has the rules.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Self, TypeVar

from registry_core.errors import Unavailable
from registry_core.storage.faults import Ambiguous

T = TypeVar("T")

MAX_ATTEMPTS = 100
"""The most attempts of one request, all its loops together."""
CALL_SECONDS = 10.0
"""The longest that one storage call may take, unless its body is large or the budget is less."""
_BACK_OFF_SECONDS = 0.05
_LONGEST_BACK_OFF_SECONDS = 1.0


@dataclass
class Budget:
    """The time and the attempts that are left to a request."""

    seconds: float
    attempts: int = MAX_ATTEMPTS
    call_seconds: float = CALL_SECONDS
    _limits: dict[asyncio.Timeout, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def left(self) -> float:
        """How many seconds are left; none or less than none when they are used up."""
        return self._begun + self.seconds - time.monotonic()

    def renew(self) -> None:
        """Begins the time anew, because bytes have moved; that of calls under way as well."""
        self._begun = time.monotonic()
        for timeout, seconds in self._limits.items():
            if not timeout.expired():
                now = asyncio.get_running_loop().time()
                timeout.reschedule(now + min(seconds, self.seconds))

    def anew(self) -> Budget:
        """A budget as this one was, for a part of the request that moves bytes of its own."""
        return Budget(self.seconds, self.attempts, self.call_seconds)

    @asynccontextmanager
    async def limited(self, seconds: float) -> AsyncIterator[None]:
        """Gives a call so many seconds, or what is left. Raises `TimeoutError` after that."""
        async with asyncio.timeout(min(seconds, self.left)) as timeout:
            self._limits[timeout] = seconds
            try:
                yield
            finally:
                del self._limits[timeout]


_current: ContextVar[Budget | None] = ContextVar("slipway_budget", default=None)


class budgeted:  # noqa: N801 - reads as the function that it stands for
    """Gives all that is done inside it, by this task and those it starts, one budget."""

    __slots__ = ("_budget", "_token")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def __enter__(self) -> Budget:
        self._token = _current.set(self._budget)
        return self._budget

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def resume(budget: Budget) -> None:
    """Gives the rest of this task a request's budget, anew: a body is streamed in another task."""
    budget.renew()
    _current.set(budget)


def current() -> Budget:
    """The budget of the request; without a request, one of its own without an end."""
    return _current.get() or Budget(float("inf"))


class attempts:  # noqa: N801 - reads as the function that it stands for
    """Counts attempts from 0: `async for attempt in attempts(): …`.

    Before each but the first it waits: longer each time, up to a second, a random part of that,
    so that those who met do not meet again ("full jitter", AWS Builders' Library, "Timeouts,
    retries, and backoff with jitter"). Raises `Unavailable` when the budget is used up, or after
    `most` attempts: a conflict is worth many, storage that fails is not.
    """

    def __init__(self, message: str | None = None, *, most: int = MAX_ATTEMPTS) -> None:
        self._budget = current()
        self._count = -1
        self._message = message
        self._most = most

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        self._count += 1
        if self._count:
            self._budget.attempts -= 1
            longest = min(_BACK_OFF_SECONDS * 2 ** (self._count - 1), _LONGEST_BACK_OFF_SECONDS)
            wait = random.uniform(0, longest)  # noqa: S311 - spreads load, keeps no secret
            is_over = self._budget.attempts <= 0 or self._count >= self._most
            if is_over or wait >= self._budget.left:
                raise Unavailable(self._message)
            await asyncio.sleep(wait)
        return self._count


async def repeated(call: Callable[[], Awaitable[T]], *, most: int) -> T:
    """What a call answers that may as well be made twice: again, where its answer got lost.

    Raises what it raises, and `Unavailable` after `most` attempts.
    """
    async for _ in attempts(most=most):
        try:
            return await call()
        except Ambiguous:
            continue
    raise AssertionError("unreachable")
