"""Role assignments: partition `roles`, keyed by principal, role and repositories."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from registry_core.model.names import RepositoryPattern
from registry_core.storage import keys, tables
from registry_core.storage.tables import Row


@dataclass(frozen=True, order=True)
class RoleAssignment:
    """A role that a user, group, service principal or managed identity has on repositories."""

    principal: str
    """The object id in Entra ID, in lower case."""
    role: str
    pattern: RepositoryPattern
    created: datetime | None = field(default=None, compare=False)
    description: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """The row's key."""
        return f"{self.principal}:{self.role}:{keys.encode(self.pattern.text)}"

    @classmethod
    def from_row(cls, row: Row) -> RoleAssignment:
        """The assignment that a row holds."""
        return cls(
            row.text("Principal"),
            row.text("Role"),
            RepositoryPattern(row.text("Repository")),
            row.time("Created"),
            row.text("Description"),
        )

    def columns(self, created: datetime) -> dict[str, Any]:
        """What its row holds."""
        return {
            "Principal": self.principal,
            "Role": self.role,
            "Repository": self.pattern.text,
            "Description": self.description,
            "Created": tables.time_value(created),
        }
