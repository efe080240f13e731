"""A repository goes with its last manifest. That it is empty is found out after a deletion."""

from __future__ import annotations

from registry_core.errors import NameUnknown
from registry_core.model.names import RepositoryName
from registry_core.repositories import plan, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.executor import Executor, Survey, reading
from registry_core.repositories.rows import is_live
from registry_core.repositories.soft_delete import SoftDelete
from registry_core.storage.pacing import both
from registry_core.storage.tables import Row


class _Stays(Exception):
    """The repository holds something, or a lock keeps it."""

    def __init__(self, repository: Row | None) -> None:
        super().__init__()
        self.is_being_deleted = plan.is_being_deleted(repository)


class Emptiness:
    """Removes repositories that hold nothing."""

    def __init__(self, executor: Executor, catalog: Catalog, soft_delete: SoftDelete) -> None:
        self._executor = executor
        self._catalog = catalog
        self._soft_delete = soft_delete

    async def end(self, repository: RepositoryName) -> bool:
        """Removes a repository that holds no manifest any more, if no lock keeps it.

        Answers whether it stays although somebody has begun to delete all that is in it.

        What is read in this order can be trusted: the rows that a push changes, the manifests, the
        entry. An entry read after the repository was buried may be that of a push which is making
        it anew.
        """

        async def read(also: frozenset[str] = frozenset()) -> Survey:
            found = await self._executor.survey(repository, also)
            row = found.rows[rows.REPOSITORY]
            if not is_live(row):
                raise NameUnknown
            # Where a try before that has lost its answer, this tells that it did nothing.
            if not plan.may_go(row) or await self._executor.holds_another(repository, found):
                raise _Stays(row)
            return found

        try:
            found = await read()
            entry, is_kept = await both(
                self._catalog.version(repository), self._remembers(repository)
            )
            await self._executor.change(
                repository,
                read,
                lambda found, moment: plan.bury_repository(found.rows, moment, is_kept=is_kept),
                found,
            )
        except NameUnknown:
            return False
        except _Stays as stays:
            return stays.is_being_deleted
        await self._catalog.leave(repository, entry)
        return False

    async def _remembers(self, repository: RepositoryName) -> bool:
        """Whether something in it can be restored, or could: then it is found by the purge."""
        if not await self._soft_delete.is_on():
            return False
        await self._soft_delete.enter(repository)
        return True

    async def withdraw(self, repository: RepositoryName) -> None:
        """Removes the entry of a repository that a push was to make, and did not.

        Another push may count on the entry: it is told by a tombstone that the entry goes.
        """
        entry = await self._catalog.version(repository)
        if entry is None:
            return
        try:
            await self._executor.change(
                repository,
                reading(self._executor, repository, (rows.REPOSITORY,)),
                lambda read, moment: plan.bury_nothing(repository, read.rows, moment),
            )
        except NameUnknown:
            return
        await self._catalog.leave(repository, entry)
