"""The rows of a repository as storage has them, held against one another.

What is spelt here is the index rows and guards of `docs/architecture.md`, "Rows": each follows from
a row that clients see.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.check import Snapshot, check_rows
from registry_core.storage import keys
from registry_core.storage.connection import Connection
from registry_core.storage.tables import Row


async def rows_of(storage: Connection, repository: str) -> dict[str, Row]:
    """The rows of a repository by key, less tombstones."""
    found = await storage.table(repository_rows.TABLE).query(keys.encode(repository), " ", "~")
    return {row.key: row for row in found if not row.values.get(repository_rows.GONE)}


def of_kind(rows: Mapping[str, Row], prefix: str) -> dict[str, Row]:
    """The rows of one kind, by what follows the prefix."""
    return {k.removeprefix(prefix): r for k, r in rows.items() if k.startswith(prefix)}


def misplaced(rows: Mapping[str, Row], *, is_listed: bool = True) -> list[str]:
    """What of the rows is not in order, by the registry's own check; empty if all is well."""
    found = Snapshot(RepositoryName("any"), rows, is_listed, {}, {})
    return [f"{finding.key}: {finding.text}" for finding in check_rows(found) if rows]
