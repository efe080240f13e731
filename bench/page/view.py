"""Questions to the results that several parts of the page have."""

from __future__ import annotations

from collections.abc import Sequence

from bench.charts.frame import BLUE, GREEN, ORANGE, Line
from bench.compare.plan import Mode
from bench.compare.run import CALLS, TIMES
from bench.contenders.contender import Kind
from bench.growth.measure import GROWTH
from bench.results.store import Figures, Results

LINES = {
    Kind.DEVHOST: Line("devhost", Kind.DEVHOST.title, BLUE),
    Kind.ENGINE: Line("engine", Kind.ENGINE.title, GREEN),
    Kind.DISTRIBUTION: Line("distribution", Kind.DISTRIBUTION.title, ORANGE, is_dashed=True),
}
"""How each registry is drawn."""


def kinds(results: Results) -> Sequence[Kind]:
    """The registries that there are results of."""
    named = {result.key.get("registry") for result in results}
    return [kind for kind in Kind if kind.value in named]


def delays(results: Results) -> Sequence[int]:
    """The delays at which operations were measured."""
    return sorted({int(result.key["delay"]) for result in results.of(TIMES)})


def times(
    results: Results, operation: str, kind: Kind, delay: int, mode: Mode = Mode.ONE
) -> Figures:
    """What an operation took; empty where it was not measured."""
    key = {"operation": operation, "registry": kind.value, "delay": delay, "mode": mode.value}
    return results.find(TIMES, **key) or {}


def calls(results: Results, operation: str, kind: Kind) -> Figures:
    """Its storage calls and rounds; empty where they were not counted."""
    return results.find(CALLS, operation=operation, registry=kind.value) or {}


def curve(results: Results, series: str, kind: Kind, figure: str) -> list[tuple[float, float]]:
    """Sizes with one of the figures, by size."""
    return sorted(
        (float(each.key["size"]), float(each.figures[figure]))
        for each in results.of(GROWTH, series=series, registry=kind.value)
        if figure in each.figures
    )
