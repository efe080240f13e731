"""The parts of the page on cold starts, and on the proxy."""

from __future__ import annotations

from bench.compare import starts
from bench.compare.proxy_cost import PROXY
from bench.page import view
from bench.page.text import NOTHING, number, table
from bench.results.store import Figures, Results


def part(results: Results) -> str:
    """What a start takes."""
    kinds = view.kinds(results)
    rows = []
    for step in starts.STEPS:
        found = [
            results.find(starts.STARTS, registry=kind.value, step=step) or {} for kind in kinds
        ]
        if any(found):
            rows.append((step, *map(_both, found)))
    return table(("", *(kind.title for kind in kinds)), rows) if rows else ""


def _both(figures: Figures) -> str:
    return f"{number(figures['ms'])} · {number(figures['cpu_ms'])}" if figures else NOTHING


def imports(results: Results, picture: str) -> str:
    """What each import takes."""
    total = results.find(starts.IMPORTS, package="")
    if total is None:
        return ""
    return (
        f"All imports take {number(total['ms'])} ms while Python notes each of them, which makes "
        f"it slower. Each package by itself, without what it imports:\n\n{picture}"
    )


def proxy(results: Results) -> str:
    """What the proxy costs, and how exact it is."""
    rows = [
        (
            f"{each.key['delay']} ms",
            number(each.figures["held_ms"]),
            number(each.figures["direct_ms"]),
            number(each.figures["through_ms"]),
            number(each.figures["through_ms"] - each.figures["direct_ms"]),
        )
        for each in results.of(PROXY)
    ]
    head = ("delay", "held back", "past it", "through it", "difference")
    return table(head, rows) if rows else ""
