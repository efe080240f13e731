"""What every plan is made from: the rows found, the moment, its bounds; and the plan itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from registry_core.model.change import Event
from registry_core.storage import tables
from registry_core.storage.tables import Row, RowChange

MAX_TAGS = 15
"""The most tags that one push can set: with all that belongs to them they fit one transaction."""
TAGS_A_TRANSACTION = 30
"""How many tags one transaction takes away, three rows each."""
KEPT_TAGS_A_TRANSACTION = 18
"""The same where they can be restored, five rows each."""
RESTORED_TAGS_A_TRANSACTION = 10
"""How many tags one transaction brings back, eight rows each where they point elsewhere by now."""
PURGED_A_TRANSACTION = 48
"""How many manifests or tags one transaction purges, two rows each."""
_APART = timedelta(microseconds=1)
"""How much later each tag of a push is than the one before: the least that rows can tell."""

Found = Mapping[str, Row | None]
"""Rows as they were read, by key; None for those that are not there. Others were not looked at."""


@dataclass(frozen=True)
class Moment:
    """When a change is made, and its place in the order of all regions' changes."""

    now: datetime
    stamp: str

    @property
    def text(self) -> str:
        """The time as rows have it."""
        return tables.time_value(self.now)

    def later(self, steps: int) -> Moment:
        """The same change, at a time that is as many steps later."""
        return replace(self, now=self.now + steps * _APART)


@dataclass(frozen=True)
class Plan:
    """What is to be written, and what has happened once it is."""

    changes: Sequence[RowChange]
    events: Sequence[Event] = ()
    before: Sequence[Sequence[RowChange]] = field(default=())
    """Transactions that go first: nobody sees anything of them, and each can be repeated."""

    @property
    def keys(self) -> frozenset[str]:
        """The rows that it concerns."""
        every = [self.changes, *self.before]
        return frozenset(change.key for changes in every for change in changes)


def stamps(found: Found) -> Iterable[str]:
    """The stamps of the rows that were found: a change of them has to be later."""
    return filter(None, (row.text("Stamp") for row in found.values() if row))
