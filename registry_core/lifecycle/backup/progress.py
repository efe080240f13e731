"""How far a backup or a restore is, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What is being done."""

    EXPORT = "export"
    """Rows are read; counted in repositories, of which nobody knows how many there are."""
    CHECK = "check"
    """What is there is held against what must be; counted in bytes."""
    COPY = "copy"
    """Content is copied; counted in bytes."""
    ROWS = "rows"
    """Rows are written; counted in repositories."""


@dataclass(frozen=True)
class Progress:
    """How far a step is."""

    step: Step
    done: int
    total: int = 0
    """0 where nobody knows."""


Tell = Callable[[Progress], None]


def nobody(_: Progress) -> None:
    """Is told how far it is."""


class Counter:
    """Counts what has moved of a step."""

    def __init__(self, tell: Tell, step: Step, total: int) -> None:
        self._tell = tell
        self._step = step
        self._total = total
        self.done = 0

    def moved(self, count: int) -> None:
        """So much more has been done."""
        self.done += count
        self._tell(Progress(self._step, self.done, self._total))
