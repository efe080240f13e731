"""Scope maps as they are kept: partition `scope-maps`, by name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from registry_core.access.generation import new_generation
from registry_core.model.roles import ScopeMap
from registry_core.storage import tables
from registry_core.storage.tables import Row

MAX_ACTIONS = 500
"""The most actions of one scope map (ACR's limit)."""
_ACTION_CHARACTERS = 256 * 1024


@dataclass(frozen=True)
class StoredScopeMap:
    """A scope map, with what tells that it has changed."""

    scope_map: ScopeMap
    generation: str
    created: datetime | None = None
    """None for those that exist in every registry."""
    etag: str = field(default="", compare=False, repr=False)

    @classmethod
    def from_row(cls, row: Row) -> StoredScopeMap:
        """The scope map that a row holds."""
        actions = json.loads(tables.join_text("Actions", row.values, _ACTION_CHARACTERS))
        return cls(
            ScopeMap(row.key, tuple(actions), row.text("Description")),
            row.text("Generation"),
            row.time("Created"),
            row.etag,
        )


def columns(scope_map: ScopeMap, created: datetime) -> dict[str, Any]:
    """What the row of a scope map holds, besides the name, with a generation of its own."""
    return {
        "Description": scope_map.description,
        "Created": tables.time_value(created),
        "Generation": new_generation(),
        **tables.split_text("Actions", json.dumps(scope_map.actions)),
    }
