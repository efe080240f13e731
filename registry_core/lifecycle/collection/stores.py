"""Where collection reads and deletes, and how it does both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.collection.partition import ManifestOf
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.storage import keys
from registry_core.storage.budget import repeated
from registry_core.storage.connection import Connection
from registry_core.storage.faults import ConditionFailed, RowMissing
from registry_core.storage.lookup import look_up
from registry_core.storage.objects import Objects
from registry_core.storage.pacing import together
from registry_core.storage.tables import MAX_TRANSACTION_ROWS, Row, RowChange, Table

ATTEMPTS = 8
"""How often a visit begins anew where others change what it read, or answers get lost."""


@dataclass(frozen=True)
class Stores:
    """The tables, and the container of content."""

    blobs: Table
    repositories: Table
    catalog: Table
    content: Objects

    @classmethod
    def over(cls, connection: Connection) -> Self:
        """Those of the registry that a connection leads to."""
        return cls(
            connection.table(blob_rows.TABLE),
            connection.table(rows.TABLE),
            connection.table(catalog.TABLE),
            Objects(connection, blob_rows.CONTAINER),
        )

    async def gone(self, manifests: Collection[ManifestOf]) -> set[ManifestOf]:
        """Those of the manifests that have gone: nothing need be kept for them."""
        by_repository: dict[RepositoryName, list[Digest]] = {}
        for repository, manifest in manifests:
            by_repository.setdefault(repository, []).append(manifest)
        found = await together(
            look_up(
                self.repositories,
                rows.partition(repository),
                map(rows.manifest_key, wanted),
                (rows.LIVE, rows.GONE),
            )
            for repository, wanted in by_repository.items()
        )
        return {
            (repository, manifest)
            for (repository, wanted), read in zip(by_repository.items(), found, strict=True)
            for manifest in wanted
            if is_gone(read[rows.manifest_key(manifest)])
        }


def is_gone(row: Row | None) -> bool:
    """Whether what a row `h` or `m:` is of has gone; what can be restored is there."""
    return rows.state_of(row) is rows.State.GONE


async def delete_each(table: Table, partition: str, deletions: Sequence[RowChange]) -> set[str]:
    """Deletes those rows that are still as they were read; answers their keys.

    A hundred in one transaction; where one of them has changed, in halves.
    """
    gone: set[str] = set()
    parts = [
        deletions[first : first + MAX_TRANSACTION_ROWS]
        for first in range(0, len(deletions), MAX_TRANSACTION_ROWS)
    ]
    while parts:
        part = parts.pop()
        if await _delete_all(table, partition, part):
            gone |= {change.key for change in part}
        elif len(part) > 1:
            half = len(part) // 2
            parts += [part[half:], part[:half]]
    return gone


async def _delete_all(table: Table, partition: str, deletions: Sequence[RowChange]) -> bool:
    try:
        await repeated(lambda: table.transact(partition, deletions), most=ATTEMPTS)
    except (ConditionFailed, RowMissing):
        return False
    return True


def repository_of(partition: str) -> RepositoryName:
    """The repository whose partition it is."""
    return RepositoryName(keys.decode(partition))
