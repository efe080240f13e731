"""Table `catalog`: which repositories there are, for listing them.

An entry is written before the transaction that makes a repository and removed after the one that
removes it, on the version read before that: so whatever exists is listed. A push that fails after
it has entered its repository leaves an entry without one, for the sweep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from registry_core.model.names import REPOSITORY_ALPHABET, RepositoryName
from registry_core.storage import keys, tables
from registry_core.storage.budget import attempts, repeated
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowMissing
from registry_core.storage.tables import Page, Row, RowChange, Table

TABLE = "catalog"
PARTITION = "repositories"
DELETED = "deleted"
"""The partition of the repositories in which something was deleted softly."""
HIDDEN_BY = "ListEnabled"
"""The attribute of a repository that decides whether it is listed."""
_ATTEMPTS = 8


def entry_key(name: RepositoryName) -> str:
    """The key of a repository's entry."""
    return keys.encode(name.text)


def entry(name: RepositoryName, now: datetime) -> RowChange:
    """Enters a repository: one that is left of an earlier repository may have been hidden."""
    shown = {HIDDEN_BY: True, "Pushed": tables.time_value(now)}
    return tables.merge_or_insert(entry_key(name), **shown)


class Catalog:
    """Enters repositories into the catalog, removes and lists them."""

    def __init__(
        self,
        table: Table,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        partition: str = PARTITION,
    ) -> None:
        self._table = table
        self._now = now
        self._partition = partition

    async def enter(self, repository: RepositoryName) -> None:
        """Has the repository listed. Changes the version of an entry that is there."""
        await repeated(
            lambda: self._table.transact(self._partition, [entry(repository, self._now())]),
            most=_ATTEMPTS,
        )

    async def show(
        self, repository: RepositoryName, is_shown: Callable[[], Awaitable[bool]]
    ) -> None:
        """Lists a repository or hides it, if it is there.

        `is_shown` is asked after the entry was read, which is changed on that version: of two that
        set it at once, the one that is late does not undo what the other has set since.
        """
        async for _ in attempts(most=_ATTEMPTS):
            version = await self.version(repository)
            if version is None:
                return
            shown = {HIDDEN_BY: await is_shown()}
            try:
                changed = tables.merge(entry_key(repository), version, **shown)
                await self._table.transact(self._partition, [changed])
                return
            except (ConditionFailed, RowMissing, Ambiguous):
                continue

    async def version(self, repository: RepositoryName) -> str | None:
        """The version of the repository's entry; None if there is none."""
        row = await self.row(repository)
        return row.etag if row else None

    async def row(self, repository: RepositoryName) -> Row | None:
        """The repository's entry, without its columns."""
        return await self._table.get(self._partition, entry_key(repository), ())

    async def leave(self, repository: RepositoryName, version: str | None) -> None:
        """Removes the entry of a repository that has gone, if nobody has entered it since.

        Nothing, where there was no entry.
        """
        if version is None:
            return
        removed = tables.delete(entry_key(repository), version)
        with suppress(ConditionFailed, RowMissing):
            await repeated(lambda: self._table.transact(self._partition, [removed]), most=_ATTEMPTS)

    async def entries(self, first: str, columns: tuple[str, ...], limit: int) -> Page:
        """Up to `limit` entries from the key `first` on, in order."""
        return await self._table.page(
            self._partition, first or "\x20", keys.AFTER_ALL, columns, limit
        )

    @staticmethod
    def after(last: str) -> str:
        """The least key of what comes after the repository `last`, which need not exist."""
        return keys.encode(keys.following(last, REPOSITORY_ALPHABET))

    @staticmethod
    def name(key: str) -> RepositoryName:
        """The repository of an entry."""
        return RepositoryName(keys.decode(key))
