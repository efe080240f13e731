"""The time of day, which tests replace."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol

# The event loop's clock stands still while a machine sleeps; the time of day is looked at again
# after this many seconds.
_LONGEST_WAIT = 30.0


class Clock(Protocol):
    """Tells the time, and waits for it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""

    async def wait_until(self, moment: datetime, stopping: asyncio.Event) -> bool:
        """Wait for `moment`, or for `stopping`, which may be set before; tell whether it came."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    async def wait_until(self, moment: datetime, stopping: asyncio.Event) -> bool:
        """Wait for `moment`, or for `stopping`, which may be set before; tell whether it came."""
        while not stopping.is_set():
            remaining = (moment - self.now()).total_seconds()
            if remaining <= 0:
                return True
            await wait_for_event(stopping, min(remaining, _LONGEST_WAIT))
        return False


async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
    """Wait until `event` is set, at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
