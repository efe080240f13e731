"""At which calls of many storage fails, where each of them would take too long."""

from __future__ import annotations

from collections.abc import Iterator


def samples(count: int, most: int) -> Iterator[int]:
    """Of `count` calls at most so many (two at least): the first, the last and evenly between."""
    taken = min(count, most)
    return (1 + each * (count - 1) // max(taken - 1, 1) for each in range(taken))
