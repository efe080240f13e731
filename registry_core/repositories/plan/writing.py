"""How one row is written or deleted, and what the locks of a row say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from registry_core.model.attributes import Attributes, Target, Use
from registry_core.repositories.plan.values import Found
from registry_core.repositories.rows import live
from registry_core.storage import tables
from registry_core.storage.tables import Row, RowChange


def touch(row: Row, now: datetime) -> list[RowChange]:
    """Tells that somebody relies on a manifest, on the version read."""
    return [tables.merge(row.key, row.etag, Touched=tables.time_value(now))]


def attributes_of(row: Row | None) -> Attributes:
    """The attributes of what is live; whatever has gone left none."""
    found = live(row)
    return Attributes.from_row(found.values if found else None)


def check(row: Row | None, target: Target, use: Use, name: object) -> None:
    """Raises `DisallowedOperation` if an attribute of what is live forbids a use of it."""
    attributes_of(row).check(target, use, name)


def write(key: str, known: Row | None, columns: Mapping[str, Any]) -> RowChange:
    """A row that is new, or takes the place of a tombstone and inherits nothing of it."""
    return tables.replace(key, known.etag, **columns) if known else tables.insert(key, **columns)


def drop(found: Found, key: str) -> list[RowChange]:
    """Deletes an index row: one that should be there, or, where it was looked for, as it is."""
    if key not in found:
        return [tables.delete(key)]
    row = found[key]
    return [tables.delete(key, row.etag)] if row else []


def flat(groups: Iterable[Sequence[RowChange]]) -> list[RowChange]:
    """The changes of all groups, in their order."""
    return [change for group in groups for change in group]
