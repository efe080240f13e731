"""How far a run is, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Callable


class Progress:
    """Counts steps, each of a known weight."""

    def __init__(
        self,
        say: Callable[[str], None],
        total: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._total, self._now = say, total, now
        self._began, self._done = now(), 0.0

    def step(self, text: str, weight: float = 1.0) -> None:
        """Says what is measured next, and what is left of the time."""
        self._say(f"{self._done / self._total:4.0%}{self._left()}  {text}")
        self._done += weight

    def skip(self, weight: float) -> None:
        """Takes something off that need not be done."""
        self._total = max(self._total - weight, self._done, 1e-9)

    def _left(self) -> str:
        if not self._done:
            return ""
        seconds = (self._now() - self._began) / self._done * (self._total - self._done)
        return f", {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left"
