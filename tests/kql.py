"""As much of Azure's query language as the docs and the alerts use, to run them over real lines.

A query is a table and steps: `traces | where … | extend … | summarize … by … | order by …`. An
expression has names with members, texts, numbers, durations, calls of functions, and between them
comparisons, `and` and `or`. Anything else raises `QueryError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'[^']*')|(?P<span>\d+[smhd]\b)|(?P<number>\d+)"""
    r"""|(?P<sign>==|!=|>=|<=|[<>=(),.|])|(?P<word>\w+))"""
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COMPARES: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
    "has": lambda one, other: str(other).lower() in str(one).lower(),
}


class QueryError(Exception):
    """The query has something that is not known here."""


def run(query: str, tables: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The rows that the query finds."""
    return _Parser(query).run(tables)


def _bin(moment: datetime, width: timedelta) -> datetime:
    return moment - timedelta(seconds=moment.timestamp() % width.total_seconds())


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _tobool(value: Any) -> bool | None:
    return {"true": True, "false": False}.get(str(value).lower())


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tostring": lambda value: "" if value is None else str(value),
    "toint": lambda value: int(value) if str(value).isdigit() else None,
    "tolong": lambda value: int(value) if str(value).isdigit() else None,
    "tobool": _tobool,
    "parse_json": _parse_json,
    "bin": _bin,
}
_TOTALS: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "sum": sum,
    "countif": lambda found: sum(map(bool, found)),
    "max": lambda found: max(found, default=None),
}


def _percentile(values: Sequence[float], rank: int) -> float:
    """By the nearest rank, as Azure estimates it of few values."""
    return sorted(values)[max(0, -(-len(values) * rank // 100) - 1)]


_Expression = Callable[[Row], Any]
_Aggregate = Callable[[Sequence[Row]], Any]


class _Parser:
    def __init__(self, query: str) -> None:
        self._tokens = list(_tokens(query))
        self._at = 0

    def run(self, tables: Mapping[str, Sequence[Row]]) -> list[Row]:
        rows = [dict(row) for row in tables[self._word()]]
        while self._at < len(self._tokens):
            self._expect("|")
            step = getattr(self, f"_step_{(word := self._word())}", None)
            if step is None:
                raise QueryError(f"the step {word}")
            rows = step(rows)
        return rows

    def _step_where(self, rows: list[Row]) -> list[Row]:
        holds = self._expression()
        return [row for row in rows if holds(row)]

    def _step_extend(self, rows: list[Row]) -> list[Row]:
        named = self._named(self._expression)
        return [row | {name: value(row) for name, value in named} for row in rows]

    def _step_project(self, rows: list[Row]) -> list[Row]:
        named = self._named(self._expression)
        return [{name: value(row) for name, value in named} for row in rows]

    def _step_summarize(self, rows: list[Row]) -> list[Row]:
        totals = self._named(self._aggregate)
        keys = self._named(self._expression) if self._take("by") else []
        groups: dict[tuple[Any, ...], list[Row]] = {} if keys else {(): []}
        for row in rows:
            groups.setdefault(tuple(value(row) for _, value in keys), []).append(row)
        return [
            {
                **{name: part for (name, _), part in zip(keys, key, strict=True)},
                **{name: value(group) for name, value in totals},
            }
            for key, group in groups.items()
        ]

    def _step_order(self, rows: list[Row]) -> list[Row]:
        self._expect("by")
        value = self._expression()
        direction = self._word()
        return sorted(rows, key=value, reverse=direction == "desc")

    def _step_top(self, rows: list[Row]) -> list[Row]:
        count = int(self._word())
        return self._step_order(rows)[:count]

    def _named(self, read: Callable[[], Any]) -> list[tuple[str, Any]]:
        found = []
        while True:
            begun = self._at
            name = self._tokens[begun]
            if self._tokens[begun + 1 : begun + 2] == ["="]:
                self._at += 2
            else:  # Named by its last word, as Azure does.
                name = ""
            value = read()
            words = [each for each in self._tokens[begun : self._at] if each.isidentifier()]
            found.append((name or words[-1], value))
            if not self._take(","):
                return found

    def _aggregate(self) -> _Aggregate:
        name = self._word()
        self._expect("(")
        if name == "count":
            self._expect(")")
            return len
        value = self._expression()
        rank = self._expression() if name == "percentile" and self._take(",") else None
        self._expect(")")
        if rank is not None:
            return lambda rows: _percentile([value(row) for row in rows], rank(rows[0]))
        if name not in _TOTALS:
            raise QueryError(f"the total {name}")
        total = _TOTALS[name]
        # What is null counts for nothing.
        return lambda rows: total([found for row in rows if (found := value(row)) is not None])

    def _expression(self) -> _Expression:
        parts = [self._conjunction()]
        while self._take("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _conjunction(self) -> _Expression:
        parts = [self._comparison()]
        while self._take("and"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _comparison(self) -> _Expression:
        left = self._value()
        if self._peek() not in _COMPARES:
            return left
        compare, right = _COMPARES[self._word()], self._value()
        return lambda row: compare(left(row), right(row))

    def _value(self) -> _Expression:
        token = self._word()
        if token[0] in "\"'":
            text = token[1:-1]
            return lambda _: text
        if token.isdigit():
            return lambda _: int(token)
        if token[:-1].isdigit():
            span = timedelta(seconds=int(token[:-1]) * _SECONDS[token[-1]])
            return lambda _: span
        if self._take("("):
            return self._call(token)
        members = [token]
        while self._take("."):
            members.append(self._word())
        return lambda row: _member(row, members)

    def _call(self, name: str) -> _Expression:
        if name not in _FUNCTIONS:
            raise QueryError(f"the function {name}")
        arguments = [self._expression()]
        while self._take(","):
            arguments.append(self._expression())
        self._expect(")")
        return lambda row: _FUNCTIONS[name](*(each(row) for each in arguments))

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, token: str) -> bool:
        is_next = self._peek() == token
        self._at += is_next
        return is_next

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise QueryError(f"{token} instead of {self._peek()}")

    def _word(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]


def _tokens(query: str) -> Iterator[str]:
    at = 0
    query = query.strip()
    while at < len(query):
        found = _TOKEN.match(query, at)
        if found is None:
            raise QueryError(query[at:])
        yield found[0].strip()
        at = found.end()


def _member(row: Row, members: Sequence[str]) -> Any:
    if members[0] not in row:
        raise QueryError(f"there is no column {members[0]}")
    value = row[members[0]]
    for member in members[1:]:
        value = value.get(member) if isinstance(value, dict) else None
    return value
