"""Calls to storage as intervals of time, and how many rounds they make."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter


@dataclass(frozen=True)
class Call:
    """One request and its answer; times in seconds, on one clock."""

    began: float
    """When the first byte came from the client."""
    ended: float
    """When the last byte came from the server."""
    held: float
    """For how long its first bytes were held back."""


@dataclass(frozen=True)
class Tally:
    """What passed between two moments."""

    calls: int
    rounds: int
    """The longest chain of calls of which none began before the one before it had ended."""
    held: float
    """For how long a call was held back: the median, in seconds."""

    @classmethod
    def of(cls, calls: Sequence[Call]) -> Tally:
        """Of these calls."""
        held = statistics.median(call.held for call in calls) if calls else 0.0
        return cls(len(calls), rounds(calls), held)


def rounds(calls: Sequence[Call]) -> int:
    """The most calls of which no two overlap.

    It is found by taking, again and again, the call that ends first of those that began after the
    last one taken.
    """
    count, free = 0, float("-inf")
    for call in sorted(calls, key=attrgetter("ended")):
        if call.began >= free:
            count, free = count + 1, call.ended
    return count
