"""The part of the page on growth."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.compare.figures import slope
from bench.contenders.contender import Kind
from bench.growth.run import CURVES
from bench.page import view
from bench.page.pictures import file_of
from bench.page.text import NOTHING, count, number, table
from bench.results.store import Results

_FIGURES = ("ms", "calls", "cpu_ms")


def part(results: Results, picture: Callable[[str, str], str]) -> str:
    """Each curve with its table."""
    return "\n\n".join(filter(None, _parts(results, picture)))


def _parts(results: Results, picture: Callable[[str, str], str]) -> Iterator[str]:
    for each in CURVES:
        if _kinds(results, each.name):
            yield f"### {each.title[0].upper()}{each.title[1:]}"
            yield picture(file_of(each.name), each.title.replace("`", ""))
            yield _table(results, each.name, each.of)


def _kinds(results: Results, series: str) -> list[Kind]:
    return [kind for kind in view.kinds(results) if view.curve(results, series, kind, "ms")]


def _table(results: Results, series: str, of: str) -> str:
    kinds = _kinds(results, series)
    found = {
        (kind, figure): dict(view.curve(results, series, kind, figure))
        for kind in kinds
        for figure in _FIGURES
    }
    sizes = sorted({size for curve in found.values() for size in curve})
    rows = [
        (
            count(size),
            *(
                (count if figure == "calls" else number)(found[kind, figure].get(size))
                for kind in kinds
                for figure in _FIGURES
            ),
        )
        for size in sizes
    ]
    slopes = [_slope(found[kind, figure]) for kind in kinds for figure in _FIGURES]
    head = (of, *(f"{kind.title}, {name}" for kind in kinds for name in ("ms", "calls", "CPU ms")))
    return table(head, [*rows, ("slope", *slopes)])


def _slope(curve: dict[float, float]) -> str:
    points = [(size, value) for size, value in curve.items() if value > 0]
    if len({size for size, _ in points}) < 2:
        return NOTHING
    return number(round(slope(points), 2) + 0.0)  # Not -0.00.
