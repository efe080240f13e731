"""How much is measured: by time, so that a run keeps within what it is to take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from bench.layers import GIB, MIB

COUNTING_DELAY = 5
"""In milliseconds: calls at once overlap for sure, and are told from those in turn."""
AT_ONCE = 4


class Mode(Enum):
    """How requests follow one another."""

    ONE = "one"
    """A closed loop with one at once."""
    FOUR = "four"
    """A closed loop with four at once."""
    OPEN = "open"
    """At a constant rate."""


@dataclass(frozen=True)
class Streams:
    """Layers that are streamed."""

    size: int
    at_once: int
    repeats: int
    delay: int


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    delays: tuple[int, ...]
    """Milliseconds added to each storage call."""
    seconds: float
    """For each operation, registry, delay and mode."""
    most: int
    """Repeats of one of them."""
    least: int
    least_open: int
    """At a constant rate, where the slow ones take longest."""
    turns: int
    """In how many parts each is measured, those of the other registries between."""
    modes: tuple[Mode, ...]
    open_delay: int
    """At which delay requests come at a constant rate."""
    open_share: float
    """Of what the slowest registry can do with one at once."""
    streams: tuple[Streams, ...]

    def modes_at(self, delay: int) -> tuple[Mode, ...]:
        """Those that are measured at this delay."""
        if delay == self.open_delay:
            return self.modes
        return tuple(mode for mode in self.modes if mode is not Mode.OPEN)

    def of_a_turn(self, least: int) -> Plan:
        """The plan of one turn, which has its part of the time and of the repeats."""
        return replace(
            self,
            seconds=self.seconds / self.turns,
            least=-(-least // self.turns),
            most=self.most // self.turns,
        )

    def repeats(self, each: float, preparing: float) -> int:
        """How many of what takes so many seconds, each prepared in so many others."""
        fits = self.seconds / max(each, preparing, 1e-6)
        return round(max(self.least, min(self.most, fits)))


FULL = Plan(
    delays=(0, 5, 20),
    seconds=2.0,
    most=1000,
    least=8,
    least_open=4,
    turns=2,
    modes=tuple(Mode),
    open_delay=5,
    open_share=0.5,
    streams=(
        *(Streams(size * MIB, 1, repeats, 5) for size, repeats in ((1, 20), (16, 6), (256, 2))),
        *(Streams(64 * MIB, 1, 4, delay) for delay in (0, 5, 20)),
        Streams(GIB, 1, 1, 5),
        Streams(16 * MIB, 4, 8, 5),
        Streams(256 * MIB, 4, 4, 5),
    ),
)
QUICK = Plan(
    delays=(0, 5),
    seconds=0.3,
    most=100,
    least=3,
    least_open=3,
    turns=1,
    modes=(Mode.ONE,),
    open_delay=5,
    open_share=0.5,
    streams=(Streams(MIB, 1, 4, 5), Streams(16 * MIB, 1, 2, 5)),
)
