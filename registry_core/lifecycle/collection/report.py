"""What collection tells of what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """A kind of garbage. Each goes by a rule of its own (`docs/garbage-collection.md`)."""

    NEED = "need"
    """A row that says that a manifest needs a blob."""
    LINK = "link"
    CONTENT = "content"
    """The rows that say where a blob lies; its object follows."""
    OBJECT = "object"
    """The object of a blob that has gone."""
    UPLOAD = "upload"
    """An object that never was a blob's, or was committed in vain."""
    TOMBSTONE = "tombstone"
    CHILD = "child"
    """A row that says which index holds a manifest."""
    ENTRY = "entry"
    """An entry of the catalog."""
    USAGE = "usage"
    """A row that says how much a repository held that has gone."""

    @property
    def rule(self) -> str:
        """The name of the rule by which it goes."""
        return _RULES[self]


_RULES = {
    Kind.NEED: "G1",
    Kind.LINK: "G2",
    Kind.CONTENT: "G3",
    Kind.OBJECT: "G4",
    Kind.UPLOAD: "G5",
    Kind.TOMBSTONE: "G6",
    Kind.CHILD: "G7",
    Kind.ENTRY: "G8",
    Kind.USAGE: "G13",
}


class Kept(StrEnum):
    """Why something stays."""

    NEEDED = "needed"
    """A link, by a manifest; a blob, by a link; an object or an entry, by its row."""
    YOUNG = "young"
    """It is garbage and not old enough."""
    HELD = "held"
    """A backup may have named it, and holds it (G11)."""


@dataclass(frozen=True)
class Thing:
    """One thing that goes."""

    kind: Kind
    where: str
    """The partition of its row; empty for an object that no row names."""
    name: str
    """The key of its row, or the object's name."""
    size: int = 0
    """The bytes that storage gets back."""


Tell = Callable[[Thing], None]


@dataclass(frozen=True)
class Report:
    """What went, and what stayed and why: counts. Reports can be added."""

    gone: Counter[Kind] = field(default_factory=Counter)
    kept: Counter[Kept] = field(default_factory=Counter)
    size: int = 0
    """The bytes that storage got back."""
    visits: int = 0
    """How many partitions, entries and objects were looked at for themselves."""
    failed: int = 0
    """How many of them storage, or others who kept changing them, did not let be finished."""

    @classmethod
    def of(cls, things: Iterable[Thing], kept: Iterable[Kept] = ()) -> Report:
        """The report of one visit."""
        every = list(things)
        gone = Counter(thing.kind for thing in every)
        return cls(gone, Counter(kept), sum(thing.size for thing in every), 1)

    @property
    def columns(self) -> dict[str, Any]:
        """It as a line of the log has it."""
        return {
            "Gone": {str(kind): count for kind, count in self.gone.items()},
            "Kept": {str(reason): count for reason, count in self.kept.items()},
            "Bytes": self.size,
            "Failed": self.failed,
        }

    def __add__(self, other: Report) -> Report:
        return Report(
            self.gone + other.gone,
            self.kept + other.kept,
            self.size + other.size,
            self.visits + other.visits,
            self.failed + other.failed,
        )


@dataclass(frozen=True)
class Visit:
    """How a visit ended."""

    report: Report
    due: datetime | None = None
    """When something else may go, if nothing changes; None if nothing will."""
