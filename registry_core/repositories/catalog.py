"""Table `catalog`: which repositories there are, for listing them.

An entry is written before the transaction that makes a repository and removed after the one that
removes it, on the version read before that: so whatever exists is listed. A push that fails after
it has entered its repository leaves an entry without one, for the sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from registry_core.errors import Unavailable
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.storage import tables
from registry_core.storage.faults import Ambiguous
from registry_core.storage.pacing import back_off
from registry_core.storage.tables import Table

TABLE = "catalog"
PARTITION = "repositories"
_ATTEMPTS = 8


class Catalogue:
    """Enters repositories into the catalogue and removes them."""

    def __init__(
        self, catalog: Table, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._catalog = catalog
        self._now = now

    async def enter(self, repository: RepositoryName) -> None:
        """Has the repository listed. Changes the version of an entry that is there."""
        key = repository_rows.partition(repository)
        for attempt in range(_ATTEMPTS):
            entry = tables.merge_or_insert(key, Pushed=tables.time_value(self._now()))
            try:
                await self._catalog.transact(PARTITION, [entry])
                return
            except Ambiguous:
                await back_off(attempt)
        raise Unavailable

    async def version(self, repository: RepositoryName) -> str | None:
        """The version of the repository's entry; None if there is none."""
        key = repository_rows.partition(repository)
        row = await self._catalog.get(PARTITION, key, ())
        return row.etag if row else None

    async def leave(self, repository: RepositoryName, version: str) -> None:
        """Removes the entry of a repository that has gone, if nobody has entered it since.

        Raises `ConditionFailed`, `RowMissing`, `Ambiguous`.
        """
        entry = tables.delete(repository_rows.partition(repository), version)
        await self._catalog.transact(PARTITION, [entry])
