"""Operations of several requests: which of them clients make at once, and so how many rounds it is.

What is measured are requests that were sent one after another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LAYERS = 8
"""How many layers the images have that are pushed and pulled as a whole."""
Shape = tuple[tuple[int, ...], ...]
"""How clients make the requests of an operation, in the order in which they are sent here.

Each element is what they do at once: how many requests each part of it makes one after another.
"""
ONE: Shape = ((1,),)
BLOB: Shape = ((2,),)
"""`POST` and `PUT`."""
PULL: Shape = ((1,), (1,), (1,) * 3, (1,) * 3, (1,) * 2)
"""Manifest, config, and three layers at a time, as docker and containerd do."""
PUSH: Shape = ((3,) * 5, (3,) * 3, (3,), (1,))
"""Five layers at a time, as docker does, config, manifest; of a blob `HEAD`, `POST`, `PUT`."""


@dataclass(frozen=True)
class Cost:
    """Storage calls, and rounds: the longest chain of calls of which each waited for another."""

    calls: int
    rounds: int


def repeats(requests: Sequence[Cost], shape: Shape) -> Iterator[Cost]:
    """What each repeat took, of requests that were sent one after another, repeat after repeat."""
    length = sum(sum(together) for together in shape)
    if len(requests) % length:
        raise LookupError(f"{len(requests)} log lines, of which {length} make one repeat")
    for start in range(0, len(requests), length):
        repeat = requests[start : start + length]
        calls, rounds, rest = sum(cost.calls for cost in repeat), 0, iter(repeat)
        for together in shape:
            rounds += max(sum(next(rest).rounds for _ in range(part)) for part in together)
        yield Cost(calls, rounds)
