"""Tables and numbers in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTHING = "–"  # noqa: RUF001
"""What stands where nothing was measured."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are numbers."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ruler, *rows))


def number(value: float | None) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return NOTHING
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def both(ours: float | None, theirs: float | None) -> str:
    """Two numbers that belong together."""
    return f"{number(ours)} / {number(theirs)}"


def count(value: float | None) -> str:
    """A number of things."""
    return NOTHING if value is None else f"{value:,.0f}"


def counts(ours: float | None, theirs: float | None) -> str:
    """Two numbers of things that belong together."""
    return f"{count(ours)} / {count(theirs)}"
