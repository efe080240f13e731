"""A hybrid logical clock, whose stamps order the changes of all regions.

Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed
Databases" (2014). A stamp is text that sorts in the order of time: milliseconds since 1970 in 12
hexadecimal digits, a counter in 4, the region's id.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_MAX_COUNTER = 0xFFFF


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


class HybridClock:
    """Issues stamps, each later than every one issued or shown to it before."""

    def __init__(self, region: str, now: Callable[[], int] = _milliseconds) -> None:
        self._region = region
        self._now = now
        self._last = (0, 0)
        self._lock = threading.Lock()

    def stamp(self, *seen: str | None) -> str:
        """A stamp later than all of `seen`, the stamps of the rows it will replace."""
        with self._lock:
            last = max([self._last, *(_parse(text) for text in seen if text)])
            self._last = max((self._now(), 0), _successor(last))
            millis, counter = self._last
        return f"{millis:012x}-{counter:04x}-{self._region}"


def _successor(last: tuple[int, int]) -> tuple[int, int]:
    millis, counter = last
    return (millis, counter + 1) if counter < _MAX_COUNTER else (millis + 1, 0)


def _parse(stamp: str) -> tuple[int, int]:
    millis, counter, _ = stamp.split("-", 2)
    return int(millis, 16), int(counter, 16)
