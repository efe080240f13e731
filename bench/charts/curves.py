"""Curves of growth: panels side by side, each with its own scales of factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.charts.frame import Line, LogScale, Picture, short

_PANEL, _HEIGHT = 280, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 28, 88, 42

Points = Sequence[tuple[float, float]]
"""Sizes with what was measured, by size."""


@dataclass(frozen=True)
class Panel:
    """One diagram."""

    title: str
    points: Mapping[str, Points]
    """By the name of the line."""


@dataclass(frozen=True)
class Curves:
    """What is drawn."""

    title: str
    of: str
    """What there is more and more of."""
    lines: Sequence[Line]
    panels: Sequence[Panel]

    def draw(self) -> str:
        """The picture. Raises `ValueError` if a panel has no points."""
        picture = Picture(_PANEL * len(self.panels), _HEIGHT, self.title, self.lines)
        picture.legend(16, 46, self.lines)
        for number, panel in enumerate(self.panels):
            self._panel(picture, _PANEL * number, panel)
        return picture.finished()

    def _panel(self, picture: Picture, left: float, panel: Panel) -> None:
        points = [point for line in panel.points.values() for point in line]
        if not points:
            raise ValueError(f"{panel.title} has nothing to draw")
        # What takes nothing has no place on a scale of factors; it is drawn at its lower end.
        values = [value for _, value in points if value > 0] or [1.0]
        right, bottom = left + _PANEL - _RIGHT, _HEIGHT - _BOTTOM
        across = LogScale.over([size for size, _ in points], left + _LEFT, right)
        up = LogScale.over(values, bottom, _TOP)
        picture.text(left + _LEFT, _TOP - 14, panel.title)
        for mark in up.marks():
            picture.rule(left + _LEFT, up.place(mark), right, up.place(mark))
            picture.text(
                left + _LEFT - 6, up.place(mark) + 4, short(mark), anchor="end", kind="small"
            )
        for mark in across.marks():
            picture.rule(across.place(mark), _TOP, across.place(mark), bottom)
            picture.text(
                across.place(mark), bottom + 16, short(mark), anchor="middle", kind="small"
            )
        picture.text(right, _HEIGHT - 8, self.of, anchor="end", kind="small")
        for line in self.lines:
            placed = [
                (across.place(size), up.place(value))
                for size, value in panel.points.get(line.name, ())
            ]
            if not placed:
                continue
            picture.polyline(line, placed)
            for x, y in placed:
                picture.add(f'<circle class="{line.name}-area" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
