"""Tables and fields for people, as wide as their terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slipway_cli.output.cells import Cell
from slipway_cli.output.terminal import Terminal
from slipway_cli.output.text import clean

Row = Mapping[str, object]

_GAP = "  "
_NARROWEST = 8
"""To how many characters a column is cut at most."""


def full(value: object) -> str:
    """A value for programs, on one line."""
    return value.full if isinstance(value, Cell) else plain(value)


def plain(value: object) -> str:
    """A value that looks the same to all."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def shown(value: object, terminal: Terminal | None) -> str:
    """A value for people."""
    if not isinstance(value, Cell):
        return clean(plain(value))
    return clean(value.short if terminal else value.text)


def table(rows: Sequence[Row], terminal: Terminal | None) -> str:
    """A line for the heads and one for each row; at a terminal, no wider than it if that can be."""
    if not rows:
        return ""
    heads = [name.upper() for name in rows[0]]
    lines = [[shown(value, terminal) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    if terminal:
        columns = list(zip(*(row.values() for row in rows), strict=True))
        soft = [
            number
            for number, column in enumerate(columns)
            if any(isinstance(value, Cell) and value.can_be_cut for value in column)
        ]
        _narrow(widths, soft, terminal.width - len(_GAP) * (len(widths) - 1))
    head = _line(heads, widths)
    text = [terminal.bold(head) if terminal else head]
    text += [_line(line, widths) for line in lines]
    return "\n".join(text) + "\n"


def fields(found: Mapping[str, object], terminal: Terminal | None) -> str:
    """One thing, a line for each of its fields; those without a value are left out."""
    lines = [(name.upper(), shown(value, terminal)) for name, value in found.items()]
    lines = [(name, text) for name, text in lines if text]
    width = max((len(name) for name, _ in lines), default=0)
    return "".join(f"{_head(name.ljust(width), terminal)}{_GAP}{text}\n" for name, text in lines)


def _head(text: str, terminal: Terminal | None) -> str:
    return terminal.bold(text) if terminal else text


def _narrow(widths: list[int], soft: list[int], room: int) -> None:
    """Takes from the widest of the columns that may be cut, until all fit."""
    while sum(widths) > room:
        widest = max(soft, key=lambda number: widths[number], default=-1)
        if widest < 0 or widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    cut = (
        cell if len(cell) <= width else f"{cell[: width - 1]}…"
        for cell, width in zip(cells, widths, strict=True)
    )
    return _GAP.join(cell.ljust(width) for cell, width in zip(cut, widths, strict=True)).rstrip()
