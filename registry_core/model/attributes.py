"""Locks: ACR's `changeableAttributes` of a repository, a manifest or a tag.

They lie as columns in the rows `h`, `m:` and `t:`; a missing column means true. What each forbids
follows "Lock a container image in an Azure container registry".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from registry_core.errors import DisallowedOperation

COLUMNS = ("DeleteEnabled", "WriteEnabled", "ReadEnabled", "ListEnabled")


@dataclass(frozen=True)
class Attributes:
    """What may be done with the thing they belong to."""

    delete_enabled: bool = True
    write_enabled: bool = True
    read_enabled: bool = True
    list_enabled: bool = True

    @classmethod
    def from_row(cls, row: Mapping[str, object] | None) -> Attributes:
        """The attributes in a row's columns; of no row, everything is allowed."""
        row = row or {}
        return cls(*(row.get(column) is not False for column in COLUMNS))

    def check_write(self, what: str) -> None:
        """Raises `DisallowedOperation` if it may not be overwritten."""
        if not self.write_enabled:
            raise DisallowedOperation(f"{what} is locked against writing")

    def check_delete(self, what: str) -> None:
        """Raises `DisallowedOperation` if it may not be deleted: either lock forbids it."""
        if not (self.delete_enabled and self.write_enabled):
            raise DisallowedOperation(f"{what} is locked against deletion")

    def check_read(self, what: str) -> None:
        """Raises `DisallowedOperation` if it may not be pulled."""
        if not self.read_enabled:
            raise DisallowedOperation(f"{what} is locked against reading")
