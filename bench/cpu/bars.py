"""What the figures are held to: what each was before, and what it may be at most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

EACH_LAYER = "each-layer"
"""The row that follows from two manifests which differ in their number of layers."""


class Figure(Enum):
    """What is held to a bar."""

    CPU = "CPU"
    CALLS = "calls"
    ROUNDS = "rounds"
    MEGABYTES = "MB"


@dataclass(frozen=True)
class Bar:
    """A figure and its limit."""

    figure: Figure
    before: float
    """What it was when the bar was set."""
    at_most: float

    def is_met(self, figures: Mapping[Figure, float]) -> bool:
        """Whether what was measured keeps it."""
        return figures[self.figure] <= self.at_most


@dataclass(frozen=True)
class Bars:
    """All bars of one row. All have to be met, or `any_of` them."""

    bars: Sequence[Bar] = ()
    any_of: bool = False

    def are_met(self, figures: Mapping[Figure, float]) -> bool | None:
        """Whether what was measured keeps them; None if there are none."""
        if not self.bars:
            return None
        return (any if self.any_of else all)(bar.is_met(figures) for bar in self.bars)


def _cpu(before: float, at_most: float) -> Bars:
    return Bars((Bar(Figure.CPU, before, at_most),))


def _calls(before: float, at_most: float) -> Bars:
    return Bars((Bar(Figure.CALLS, before, at_most),))


def _megabytes(before: float, at_most: float) -> Bars:
    return Bars((Bar(Figure.MEGABYTES, before, at_most),))


BARS: Mapping[str, Bars] = {
    "v2": _cpu(3, 1.5),
    "token": _cpu(2.7, 2),
    "by-digest": _cpu(3.3, 2.2),
    "redirect": _cpu(4.6, 2.5),
    "head-tag": _cpu(10, 4.5),
    "put-1": _cpu(95, 22),
    EACH_LAYER: _cpu(25, 4),
    "mount": _cpu(35, 13),
    "delete": _cpu(130, 33),
    "small-blob": _cpu(45, 18),
    "push": _cpu(830, 360),
    "pull": Bars((Bar(Figure.CALLS, 11, 4), Bar(Figure.ROUNDS, 6, 3))),
    "index": Bars((Bar(Figure.CALLS, 514, 150), Bar(Figure.CPU, 3500, 700)), any_of=True),
    "delete-tags": _calls(145, 25),
    "tags-page": _calls(2, 1),
    "at-rest": _megabytes(89, 80),
    "uploads": _megabytes(103, 100),
}
"""By the name of the operation or row."""
