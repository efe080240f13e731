"""Values in tables that people and programs see differently."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_DIGITS = 12
"""Of a digest, at a terminal: as docker cuts it."""
_LONGEST = 3_600_000
"""In seconds: of more it is not told how long it takes."""
_NAMES = 20
"""How many names are told in a sentence."""


class Cell(ABC):
    """A value in a table."""

    @property
    @abstractmethod
    def full(self) -> str:
        """For programs."""

    @property
    def text(self) -> str:
        """For people, where there is no terminal: nothing is cut."""
        return self.full

    @property
    def short(self) -> str:
        """For people at a terminal."""
        return self.text

    @property
    def can_be_cut(self) -> bool:
        """Whether a table that is too wide may cut it."""
        return False


@dataclass(frozen=True)
class Name(Cell):
    """A name, or another text."""

    name: str

    @property
    def full(self) -> str:
        """The name."""
        return self.name

    @property
    def can_be_cut(self) -> bool:
        """Whether a table that is too wide may cut it."""
        return True


@dataclass(frozen=True)
class Names(Cell):
    """Several names."""

    names: Sequence[str]

    @property
    def full(self) -> str:
        """All of them."""
        return ", ".join(self.names)

    @property
    def can_be_cut(self) -> bool:
        """Whether a table that is too wide may cut it."""
        return True


@dataclass(frozen=True)
class DigestCell(Cell):
    """A digest."""

    digest: str

    @property
    def full(self) -> str:
        """The digest."""
        return self.digest

    @property
    def short(self) -> str:
        """Its first digits."""
        return short_digest(self.digest)


@dataclass(frozen=True)
class Time(Cell):
    """A time as the registry spells it (RFC 3339)."""

    time: str
    now: datetime

    @property
    def full(self) -> str:
        """The time."""
        return self.time

    @property
    def short(self) -> str:
        """How long ago that was."""
        try:
            then = datetime.fromisoformat(self.time)
        except ValueError:
            return self.time
        return age(self.now - (then if then.tzinfo else then.replace(tzinfo=UTC)))


@dataclass(frozen=True)
class Size(Cell):
    """A number of bytes, if it is known."""

    size: int | None

    @property
    def full(self) -> str:
        """The number."""
        return "" if self.size is None else str(self.size)

    @property
    def text(self) -> str:
        """In a unit that leaves at most three digits before the point."""
        return "" if self.size is None else size_text(self.size)


def short_digest(digest: str) -> str:
    """The first digits of a digest, without its algorithm."""
    return digest.rpartition(":")[2][:_DIGITS]


def age(passed: timedelta) -> str:
    """How long ago something was: `40 s`, `3 min`, `5 h`, `12 d`, `2 y`."""
    seconds = max(int(passed.total_seconds()), 0)
    for limit, unit, text in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit} {text}"
    days = seconds // 86_400
    return f"{days} d" if days < 730 else f"{days // 365} y"


def size_text(size: int) -> str:
    """A number of bytes for people: `525 B`, `31.4 MB`."""
    value, unit = float(size), _UNITS[0]
    for unit in _UNITS:
        if value < 999.95 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"


def duration_text(seconds: float) -> str:
    """A time span for people: `4.2 s`, `59 s`, `3:05 min`, `2:10 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"


def left_text(rate: float, octets: int) -> str:
    """How long so many bytes take at a rate, in columns of fixed width: `3:05 min left`.

    Nothing where there is no telling, or it would be a thousand hours.
    """
    seconds = max(octets, 0) / rate if rate > 0 else _LONGEST
    return f"{duration_text(seconds):>8} left" if seconds < _LONGEST else " " * 13


def count(number: int, one: str, many: str = "") -> str:
    """A number with what it counts: `1 tag`, `1,200 tags`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def some(names: Sequence[str]) -> str:
    """Names for a sentence, of many the first and how many more there are."""
    more = len(names) - _NAMES
    if more <= 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMES])} and {more:,} more"
