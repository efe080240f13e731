"""A hybrid logical clock, whose stamps order the changes of all regions.

Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed
Databases" (2014). A stamp is text that sorts in the order of time: milliseconds since 1970 in 12
hexadecimal digits, a counter in 4, the region's id.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MAX_AHEAD_MILLISECONDS = 5 * 60 * 1000
"""How far ahead of this clock a stamp of another region may be."""
_MAX_COUNTER = 0xFFFF


class StampAhead(ValueError):
    """Another region's stamp is too far ahead: taken in, it would carry all clocks along."""


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

    def check_foreign(self, stamp: str) -> None:
        """Holds a stamp that a peer hands in against this clock, before it is written to a row.

        Those in our own rows are never refused: they are there already. Raises `StampAhead`, and
        `ValueError` for what is no stamp.
        """
        millis, _ = _parse(stamp)
        ahead = millis - self._now()
        if ahead > MAX_AHEAD_MILLISECONDS:
            raise StampAhead(f"the stamp {stamp} is {ahead // 1000} seconds ahead")


def _successor(last: tuple[int, int]) -> tuple[int, int]:
    millis, counter = last
    return (millis, counter + 1) if counter < _MAX_COUNTER else (millis + 1, 0)


def _parse(stamp: str) -> tuple[int, int]:
    millis, counter, _ = stamp.split("-", 2)
    return int(millis, 16), int(counter, 16)
