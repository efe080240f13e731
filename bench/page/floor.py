"""The part of the page on where the time goes: what no registry of these calls could be below."""

from __future__ import annotations

from collections.abc import Sequence

from bench.compare.bars import DELAY
from bench.compare.operations import OPERATIONS
from bench.contenders.contender import Kind
from bench.page import view
from bench.page.text import NOTHING, number, table
from bench.results.store import Results

_KINDS = (Kind.DEVHOST, Kind.DISTRIBUTION)


def part(results: Results) -> str:
    """For each operation: its time, and what of it is the delay, the processor, and the rest."""
    rows = []
    for each in OPERATIONS:
        cells = [_cells(results, each.name, kind) for kind in _KINDS]
        if any(cell != (NOTHING,) * 4 for cell in cells):
            rows.append((each.title, *cells[0], *cells[1]))
    head = [
        "operation",
        *(
            f"{kind.title}, {what}"
            for kind in _KINDS
            for what in ("ms", "delay", "CPU", "the rest")
        ),
    ]
    return table(head, rows) if rows else ""


def _cells(results: Results, operation: str, kind: Kind) -> Sequence[str]:
    times = view.times(results, operation, kind, DELAY)
    calls = view.calls(results, operation, kind)
    if not times or not calls:
        return (NOTHING,) * 4
    delay, busy = calls["rounds"] * DELAY, times["cpu_ms"]
    # Requests at once may be busy while others wait.
    rest = max(0.0, times["p50"] - delay - busy)
    return number(times["p50"]), number(delay), number(busy), number(rest)
