"""Stored bytes against live bytes over time, as a picture that is legible on light and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 800, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 24, 64, 44
_LINES = 5
_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "B"))
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .back { fill: #ffffff }
  .grid { stroke: #d0d7de }
  .stored { stroke: #0a58ca; fill: none; stroke-width: 2 }
  .live { stroke: #1a7f37; fill: none; stroke-width: 2; stroke-dasharray: 6 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .back { fill: #0d1117 }
    .grid { stroke: #30363d }
    .stored { stroke: #6cb0ff }
    .live { stroke: #56d364 }
  }
"""


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

    def place(seconds: float, amount: float) -> str:
        return f"{_LEFT + width * seconds / end:.1f},{_TOP + height * (1 - amount / most):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect class="back" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="title" x="{_LEFT}" y="24">{escape(title)}</text>',
        *_legend(),
    ]
    for number in range(_LINES):
        amount = most * number / (_LINES - 1)
        y = _TOP + height * (1 - number / (_LINES - 1))
        parts += [
            f'<path class="grid" d="M{_LEFT},{y:.1f}H{_WIDTH - _RIGHT}"/>',
            (
                f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
                f"{amount / size:.1f} {unit}</text>"
            ),
        ]
        seconds = end * number / (_LINES - 1)
        x = _LEFT + width * number / (_LINES - 1)
        parts.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - 16}" text-anchor="middle">{seconds:.0f} s</text>'
        )
    for name in ("live", "stored"):
        points = " ".join(place(each.seconds, getattr(each, name)) for each in samples)
        parts.append(f'<polyline class="{name}" points="{points}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> list[str]:
    found = []
    texts = (("stored", "stored: all objects"), ("live", "live: what manifests need, each once"))
    for number, (name, text) in enumerate(texts):
        x = _LEFT + 190 * number
        found += [
            f'<path class="{name}" d="M{x},44h28"/>',
            f'<text x="{x + 36}" y="48">{text}</text>',
        ]
    return found
