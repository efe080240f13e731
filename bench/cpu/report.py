"""The results as a table to read, or as JSON to keep."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.cpu.bars import BARS, EACH_LAYER, Bar, Bars, Figure
from bench.cpu.measure import UPLOADS, Measured, Memory, Results
from bench.cpu.operations import OPERATIONS
from bench.cpu.shapes import LAYERS
from bench.report import size

_MEGABYTE = 1_000_000
_TITLES = {
    **{operation.name: operation.title for operation in OPERATIONS},
    EACH_LAYER: "  each layer more",
    "at-rest": "memory at rest, MB",
    "uploads": f"  growth by {len(UPLOADS)} uploads of {size(UPLOADS[0])}, MB",
    "at-most": "  together, MB",
}
_HEAD = ("operation", "calls", "rounds", "CPU x empty", "spread", "before", "at most", "")
_VERDICTS = {True: "met", False: "NOT MET", None: ""}


@dataclass(frozen=True)
class _Row:
    """A line of the table."""

    name: str
    figures: Mapping[Figure, float]
    spread: tuple[float, float] | None = None
    """The least and the most of the turns."""

    @property
    def bars(self) -> Bars:
        return BARS.get(self.name, Bars())

    @property
    def is_met(self) -> bool | None:
        return self.bars.are_met(self.figures)

    def cells(self) -> tuple[str, ...]:
        told = {figure: _told(figure, value) for figure, value in self.figures.items()}
        bars = self.bars.bars
        joined = " or " if self.bars.any_of else ", "
        return (
            _TITLES[self.name],
            told.get(Figure.CALLS, ""),
            told.get(Figure.ROUNDS, ""),
            told.get(Figure.CPU) or told.get(Figure.MEGABYTES, ""),
            " to ".join(_told(Figure.CPU, value) for value in self.spread or ()),
            ", ".join(_with_unit(bar, bar.before) for bar in bars),
            joined.join(_with_unit(bar, bar.at_most) for bar in bars),
            _VERDICTS[self.is_met],
        )

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **{figure.name.lower(): value for figure, value in self.figures.items()},
            **({"least": self.spread[0], "most": self.spread[1]} if self.spread else {}),
            "bars": [
                {"figure": bar.figure.name.lower(), "before": bar.before, "at_most": bar.at_most}
                for bar in self.bars.bars
            ],
            "is_met": self.is_met,
        }


def as_json(results: Results) -> str:
    """Everything measured: processor time as multiples of the empty function's, memory in MB."""
    document = {
        "empty_seconds": results.empty_seconds,
        "other_load": results.other_load,
        "repeats": {name: found.repeats for name, found in results.operations.items()},
        "rows": [row.document() for row in _rows(results)],
    }
    return json.dumps(document, indent=2)


def as_table(results: Results) -> str:
    """What there is to know, in lines for a terminal."""
    rows = [_HEAD, *(row.cells() for row in _rows(results))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if 1 <= number <= 3 else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    if results.empty_seconds is not None:
        lines += [
            "",
            f"The empty function takes {results.empty_seconds * 1000:.3f} ms.",
            f"Others kept {results.other_load:.2f} processors busy.",
        ]
    return "\n".join(lines)


def _rows(results: Results) -> Iterator[_Row]:
    for name, found in results.operations.items():
        yield _Row(name, _figures(found), (found.least, found.most))
        if name == "put-8" and "put-1" in results.operations:
            yield _each_layer(results.operations["put-1"], found)
    if results.memory is not None:
        yield from _memory(results.memory)


def _each_layer(one: Measured, several: Measured) -> _Row:
    """What a layer adds to the push of a manifest."""
    fewer, more = _figures(one), _figures(several)
    return _Row(EACH_LAYER, {each: (more[each] - fewer[each]) / (LAYERS - 1) for each in fewer})


def _memory(memory: Memory) -> Iterator[_Row]:
    yield _Row("at-rest", {Figure.MEGABYTES: memory.at_rest / _MEGABYTE})
    yield _Row("uploads", {Figure.MEGABYTES: memory.growth / _MEGABYTE})
    yield _Row("at-most", {Figure.MEGABYTES: (memory.at_rest + memory.growth) / _MEGABYTE})


def _figures(found: Measured) -> dict[Figure, float]:
    return {
        Figure.CPU: found.times_empty,
        Figure.CALLS: found.cost.calls,
        Figure.ROUNDS: found.cost.rounds,
    }


def _told(figure: Figure, value: float) -> str:
    return f"{value:.1f}" if figure is Figure.CPU else f"{value:.0f}"


def _with_unit(bar: Bar, value: float) -> str:
    return f"{bar.figure.value} {value:g}"
