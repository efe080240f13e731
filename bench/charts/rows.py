"""Rows of bars: one group for each name, one bar for each line, on a scale of factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.charts.frame import Line, LogScale, Picture, short

_LEFT, _RIGHT, _TOP, _BOTTOM = 250, 70, 72, 34
_BAR, _GAP = 9, 10
_WIDTH = 860


@dataclass(frozen=True)
class Rows:
    """What is drawn."""

    title: str
    unit: str
    lines: Sequence[Line]
    values: Mapping[str, Sequence[float | None]]
    """By the name of a row, one for each line; None where there is nothing."""
    from_one: bool = False
    """Whether bars begin at 1, and so those below it go to the left."""

    def draw(self) -> str:
        """The picture. Raises `ValueError` without a value."""
        found = [value for row in self.values.values() for value in row if value is not None]
        if not found:
            raise ValueError("there is nothing to draw")
        group = len(self.lines) * _BAR + _GAP
        height = _TOP + group * len(self.values) + _BOTTOM
        picture = Picture(_WIDTH, height, self.title, self.lines)
        picture.legend(16, 46, self.lines)
        ends = [*found, 1.0] if self.from_one else found
        scale = LogScale.over(ends, _LEFT, _WIDTH - _RIGHT)
        for mark in scale.marks():
            x = scale.place(mark)
            picture.rule(x, _TOP - 6, x, height - _BOTTOM)
            picture.text(x, height - 14, f"{short(mark)}{self.unit}", anchor="middle", kind="small")
        origin = scale.place(1.0) if self.from_one else float(_LEFT)
        for number, (name, row) in enumerate(self.values.items()):
            self._row(picture, scale, origin, _TOP + group * number, name, row)
        if self.from_one:
            picture.rule(origin, _TOP - 6, origin, height - _BOTTOM, kind="mark")
        return picture.finished()

    def _row(
        self,
        picture: Picture,
        scale: LogScale,
        origin: float,
        top: float,
        name: str,
        row: Sequence[float | None],
    ) -> None:
        middle = top + len(self.lines) * _BAR / 2 + 4
        picture.text(_LEFT - 10, middle, name, anchor="end")
        for number, (line, value) in enumerate(zip(self.lines, row, strict=True)):
            if value is None:
                continue
            x, y = scale.place(value), top + number * _BAR
            left, right = min(x, origin), max(x, origin)
            picture.add(
                f'<rect class="{line.name}-area" x="{left:.1f}" y="{y:.1f}" '
                f'width="{max(right - left, 1):.1f}" height="{_BAR - 2}"/>'
            )
            picture.text(right + 4, y + _BAR - 1, short(value), kind="small")
