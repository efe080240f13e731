"""What a repository holds, as its row `u` has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from registry_core.storage import tables
from registry_core.storage.tables import Row


@dataclass(frozen=True)
class StoredUsage:
    """What a repository holds, as its row `u` has it."""

    manifests: int
    tags: int
    untagged: int
    size: int
    """Bytes of what is live: manifests, configs and layers, each once."""
    restorable: int
    """Manifests that were deleted and can be restored."""
    restorable_size: int
    """Bytes that only those need."""
    is_exact: bool
    """Whether each blob was counted; else a part of them was, and the rest is inferred."""
    calls: int
    """How many storage calls it took to count."""
    of: str
    """The version of `hu` that had been read before."""
    as_of: datetime

    @property
    def columns(self) -> dict[str, Any]:
        """All of it, as columns."""
        return {
            "Manifests": self.manifests,
            "Tags": self.tags,
            "Untagged": self.untagged,
            "Bytes": tables.int64(self.size),
            "Restorable": self.restorable,
            "RestorableBytes": tables.int64(self.restorable_size),
            "IsExact": self.is_exact,
            "Calls": self.calls,
            "Of": self.of,
            "AsOf": tables.time_value(self.as_of),
        }

    @classmethod
    def from_row(cls, row: Row | None) -> StoredUsage | None:
        """The counts in a row `u`; None if it has none yet."""
        if row is None or not row.text("AsOf"):
            return None
        return cls(
            manifests=row.number("Manifests"),
            tags=row.number("Tags"),
            untagged=row.number("Untagged"),
            size=row.number("Bytes"),
            restorable=row.number("Restorable"),
            restorable_size=row.number("RestorableBytes"),
            is_exact=row.values.get("IsExact") is True,
            calls=row.number("Calls"),
            of=row.text("Of"),
            as_of=row.time("AsOf"),
        )


def shared_columns(part: int, size: int, day: date) -> dict[str, str]:
    """For `u`: the bytes that are shared with other repositories, of one part of all digests."""
    return {f"Shared{part}": f"{day.isoformat()} {size}"}


def shared(row: Row | None) -> dict[int, tuple[date, int]]:
    """By part: on which day they were counted, and how many they are."""
    found = {}
    for column, value in (row.values if row else {}).items():
        part = column.removeprefix("Shared")
        if part != column and part.isdigit():
            day, size = str(value).split(" ")
            found[int(part)] = date.fromisoformat(day), int(size)
    return found
