"""Stored bytes against live bytes over time, as a picture that is legible on light and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.charts.frame import BLUE, GREEN, Line, Picture

_WIDTH, _HEIGHT = 800, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 24, 64, 44
_LINES = 5
_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "B"))
_STORED = Line("stored", "stored: all objects", BLUE)
_LIVE = Line("live", "live: what manifests need, each once", GREEN, is_dashed=True)


@dataclass(frozen=True)
class Sample:
    """What was there at a moment."""

    seconds: float
    """Since the start."""
    stored: int
    """The bytes of all objects."""
    live: int
    """The bytes that live manifests need, each once."""


def draw(samples: Sequence[Sample], title: str) -> str:
    """The picture, as SVG. Raises `ValueError` with fewer than two samples."""
    if len(samples) < 2:
        raise ValueError("there is nothing to draw")
    most = max(max(each.stored, each.live) for each in samples) or 1
    size, unit = next(each for each in _UNITS if most >= each[0])
    end = samples[-1].seconds or 1.0
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    picture = Picture(_WIDTH, _HEIGHT, title, (_STORED, _LIVE))
    picture.legend(_LEFT, 44, (_STORED, _LIVE))
    for number in range(_LINES):
        share = number / (_LINES - 1)
        x, y = _LEFT + width * share, _TOP + height * (1 - share)
        picture.rule(_LEFT, y, _WIDTH - _RIGHT, y)
        picture.text(_LEFT - 8, y + 4, f"{most * share / size:.1f} {unit}", anchor="end")
        picture.text(x, _HEIGHT - 16, f"{end * share:.0f} s", anchor="middle")
    for line in (_LIVE, _STORED):
        points = [
            (
                _LEFT + width * each.seconds / end,
                _TOP + height * (1 - getattr(each, line.name) / most),
            )
            for each in samples
        ]
        picture.polyline(line, points)
    return picture.finished()
