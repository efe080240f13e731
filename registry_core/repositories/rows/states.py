"""How a row says that what it is of is live, can be restored, or has gone."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

from registry_core.repositories.rows.keys import GUARDS, INDEX_ROWS, USAGE
from registry_core.storage import tables
from registry_core.storage.tables import Row

LIVE = "Live"
"""True in the rows `h`, `m:` and `t:` of what exists, and in no other."""
GONE = "Gone"
"""The time of a deletion, in the tombstone that it leaves of `h`, `m:` and `t:`, with its `Stamp`.

A tombstone stays until no change can be under way that had read the row before the deletion, or
read that there was none: such a change fails on the row, and so does one that storage applies late.
"""
DELETED = "Deleted"
"""The time of a soft deletion, in a row `m:` that keeps all it had and is not `Live`."""
DELETING = "Deleting"
"""The time from which a repository is being deleted with all that is in it."""


class State(Enum):
    """How much there is of a repository, a manifest or a tag."""

    LIVE = "live"
    RESTORABLE = "restorable"
    """Deleted, with all that it needs kept: it can be brought back. Nobody sees it."""
    GONE = "gone"


def state_of(row: Row | None) -> State:
    """The state of what a row `h`, `m:` or `t:` is of."""
    if row is None or row.values.get(GONE):
        return State.GONE
    return State.LIVE if row.values.get(LIVE) is True else State.RESTORABLE


def is_live(row: Row | None) -> bool:
    """Whether it is there for everybody to see."""
    return state_of(row) is State.LIVE


def live(row: Row | None) -> Row | None:
    """The row, if it is of what is live."""
    return row if is_live(row) else None


def deleted_at(row: Row | None) -> datetime | None:
    """When what can be restored was deleted; None of anything else."""
    if row is None or state_of(row) is not State.RESTORABLE:
        return None
    return row.time(DELETED)


def is_source(row: Row) -> bool:
    """Whether a row says something that no other does, of what is live or can be restored."""
    follows = row.key in (*GUARDS, USAGE) or any(row.key in each for each in INDEX_ROWS)
    return not follows and not row.values.get(GONE)


def tombstone(now: datetime, stamp: str, updated: datetime | None = None) -> dict[str, Any]:
    """What a deletion leaves of a row.

    Of a manifest and a tag also when it was updated last: a listing by time goes on from there.
    """
    left = {GONE: tables.time_value(now), "Stamp": stamp}
    return left | {"Updated": tables.time_value(updated)} if updated else left
