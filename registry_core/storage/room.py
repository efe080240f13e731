"""Whether storage has said lately that it has no room."""

from __future__ import annotations

import time
from collections.abc import Callable

_LATELY_SECONDS = 60.0


class Room:
    """What one instance has heard; it forgets after a minute, in which many may have tried."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._heard: float | None = None

    @property
    def is_out(self) -> bool:
        """Whether a write was refused for want of room within the last minute."""
        return self._heard is not None and self._now() - self._heard < _LATELY_SECONDS

    def ran_out(self) -> bool:
        """Notes that a write was refused; answers whether that is news."""
        is_news = not self.is_out
        self._heard = self._now()
        return is_news

    def is_back(self) -> None:
        """Notes that a write went through."""
        self._heard = None
