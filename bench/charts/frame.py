"""What all pictures share: the colours, the title, the legend, and how a scale is divided."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .small { font-size: 11px }
  .back { fill: #ffffff }
  .grid { stroke: #d0d7de; fill: none }
  .mark { stroke: #1f2328; fill: none; stroke-dasharray: 4 3 }
"""
_DARK = """
    text { fill: #e6edf3 }
    .back { fill: #0d1117 }
    .grid { stroke: #30363d }
    .mark { stroke: #e6edf3 }
"""


_HAIR = 1e-9
"""By how much a logarithm may miss the whole number that it means."""


@dataclass(frozen=True)
class Ink:
    """A colour on light and on dark."""

    light: str
    dark: str


BLUE, GREEN = Ink("#0a58ca", "#6cb0ff"), Ink("#1a7f37", "#56d364")
ORANGE, GREY = Ink("#b35900", "#ffa657"), Ink("#59636e", "#9198a1")


@dataclass(frozen=True)
class Line:
    """How one thing is drawn, and what it is called."""

    name: str
    """Of its class; a word."""
    title: str
    ink: Ink
    is_dashed: bool = False


class Picture:
    """An SVG that is being drawn."""

    def __init__(self, width: int, height: int, title: str, lines: Sequence[Line]) -> None:
        self.width, self.height = width, height
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title><style>{_style(lines)}</style>",
            f'<rect class="back" width="{width}" height="{height}"/>',
        ]
        self.text(16, 24, title, kind="title")

    def add(self, part: str) -> None:
        """Adds an element."""
        self._parts.append(part)

    def text(self, x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> None:
        """Writes; `kind` is `title`, `small` or nothing."""
        class_ = f' class="{kind}"' if kind else ""
        where = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.add(f'<text{class_} x="{x:.1f}" y="{y:.1f}"{where}>{escape(text)}</text>')

    def legend(self, x: float, y: float, lines: Sequence[Line], apart: float = 190) -> None:
        """Says which line is which."""
        for number, line in enumerate(lines):
            left = x + apart * number
            self.add(f'<path class="{line.name}" d="M{left:.1f},{y:.1f}h28"/>')
            self.text(left + 36, y + 4, line.title)

    def polyline(self, line: Line, points: Sequence[tuple[float, float]]) -> None:
        """Draws a line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.add(f'<polyline class="{line.name}" points="{path}"/>')

    def rule(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> None:
        """Draws a straight line of the grid, or of a mark."""
        self.add(f'<path class="{kind}" d="M{x1:.1f},{y1:.1f}L{x2:.1f},{y2:.1f}"/>')

    def finished(self) -> str:
        """The document."""
        return "\n".join([*self._parts, "</svg>"]) + "\n"


def _style(lines: Sequence[Line]) -> str:
    def rules(line: Line, ink: str, depth: str) -> Iterator[str]:
        dashes = "; stroke-dasharray: 6 3" if line.is_dashed else ""
        yield f"{depth}.{line.name} {{ stroke: {ink}; fill: none; stroke-width: 2{dashes} }}\n"
        yield f"{depth}.{line.name}-area {{ fill: {ink} }}\n"

    light = "".join(rule for line in lines for rule in rules(line, line.ink.light, "  "))
    dark = "".join(rule for line in lines for rule in rules(line, line.ink.dark, "    "))
    return f"{_STYLE}{light}  @media (prefers-color-scheme: dark) {{{_DARK}{dark}  }}\n"


@dataclass(frozen=True)
class LogScale:
    """Maps values above 0 to places, each factor of 10 as long as the other."""

    least: float
    most: float
    begin: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], begin: float, end: float) -> LogScale:
        """One on which all of these have a place; it begins and ends at a power of ten."""
        least = 10.0 ** math.floor(math.log10(min(values)) + _HAIR)
        most = 10.0 ** math.ceil(math.log10(max(values)) - _HAIR)
        return cls(least, max(most, least * 10), begin, end)

    def place(self, value: float) -> float:
        """Where a value lies; what is off the scale, at its end."""
        inside = min(max(value, self.least), self.most)
        share = math.log(inside / self.least) / math.log(self.most / self.least)
        return self.begin + (self.end - self.begin) * share

    def marks(self) -> list[float]:
        """The powers of ten on it."""
        first = math.ceil(math.log10(self.least) - _HAIR)
        last = math.floor(math.log10(self.most) + _HAIR)
        return [10.0**power for power in range(first, last + 1)]


def short(value: float) -> str:
    """A number for an axis or a bar: three digits, or all of it."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
