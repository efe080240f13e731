"""The rows of a repository as storage has them, held against one another.

What is spelt here is the index rows and guards of `docs/architecture.md`, "Rows": each follows from
a row that clients see.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry_core.repositories import rows as repository_rows
from registry_core.repositories.rows import live
from registry_core.storage import keys
from registry_core.storage.connection import Connection
from registry_core.storage.tables import Row


async def rows_of(storage: Connection, repository: str) -> dict[str, Row]:
    """The rows of a repository by key, less tombstones."""
    found = await storage.table(repository_rows.TABLE).query(keys.encode(repository), " ", "~")
    return {row.key: row for row in found if live(row)}


def of_kind(rows: Mapping[str, Row], prefix: str) -> dict[str, Row]:
    """The rows of one kind, by what follows the prefix."""
    return {k.removeprefix(prefix): r for k, r in rows.items() if k.startswith(prefix)}


def misplaced(rows: Mapping[str, Row]) -> list[str]:
    """The index rows that are missing or surplus; empty if all is well."""
    manifests, tags = of_kind(rows, "m:"), of_kind(rows, "t:")
    wanted = {
        repository_rows.manifest_time(row.time("Updated"), digest)
        for digest, row in manifests.items()
    }
    for name, row in tags.items():
        wanted.add(repository_rows.tag_time(row.time("Updated"), name))
        wanted.add(repository_rows.manifest_tag(row.text("Digest"), name))
    found = {key for key in rows if key.startswith(("M:", "T:", "g:"))}
    dangling = [name for name, row in tags.items() if row.text("Digest") not in manifests]
    return [
        *(f"missing: {key}" for key in sorted(wanted - found)),
        *(f"surplus: {key}" for key in sorted(found - wanted)),
        *(f"tag {name} names a manifest that is not there" for name in sorted(dangling)),
    ]
