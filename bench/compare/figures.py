"""Percentiles, and slopes of growth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], share: float) -> float:
    """The value that at least this share of them does not exceed: nearest rank, no invention.

    Raises `ValueError` for none, and for a share that is not above 0 and at most 1.
    """
    if not values or not 0 < share <= 1:
        raise ValueError(f"no percentile {share} of {len(values)} values")
    # A product such as 0.07 * 100 lies a hair above the whole number that it means.
    rank = math.ceil(share * len(values) - 1e-9)
    return sorted(values)[max(rank, 1) - 1]


@dataclass(frozen=True)
class Latencies:
    """How long requests took, in milliseconds."""

    count: int
    p50: float
    p95: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latencies:
        """Of these times, in seconds. Raises `ValueError` for none."""
        found = (percentile(seconds, share) * 1000 for share in (0.5, 0.95, 0.99, 1.0))
        return cls(len(seconds), *(round(each, 4) for each in found))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """By which power of the size something grows: the slope of a line through the logarithms.

    0 is as much for any size, 1 in proportion to it. Raises `ValueError` without two sizes, and for
    what is not above 0.
    """
    if len({size for size, _ in points}) < 2:
        raise ValueError("a slope needs two sizes")
    pairs = [(math.log(size), math.log(value)) for size, value in points]
    mean_x = math.fsum(x for x, _ in pairs) / len(pairs)
    mean_y = math.fsum(y for _, y in pairs) / len(pairs)
    over = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    return over / math.fsum((x - mean_x) ** 2 for x, _ in pairs)
