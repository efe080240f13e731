"""Setting the attributes of a repository, a manifest or a tag. No lock forbids it."""

from __future__ import annotations

from registry_core.errors import ManifestUnknown
from registry_core.model.attributes import COLUMNS as ATTRIBUTES
from registry_core.model.attributes import Attributes
from registry_core.model.change import SetAttributes, Tell
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import plan, rows
from registry_core.repositories.catalog import HIDDEN_BY, Catalog
from registry_core.repositories.emptiness import Emptiness
from registry_core.repositories.executor import Executor, reading
from registry_core.repositories.read import Manifests
from registry_core.repositories.soft_delete import SoftDelete


class Locks:
    """Sets attributes in the repositories of one registry."""

    def __init__(
        self,
        executor: Executor,
        catalog: Catalog,
        manifests: Manifests,
        soft_delete: SoftDelete,
    ) -> None:
        self._executor = executor
        self._catalog = catalog
        self._manifests = manifests
        self._emptiness = Emptiness(executor, catalog, soft_delete)

    async def set(self, repository: RepositoryName, change: SetAttributes, tell: Tell) -> None:
        """Sets those attributes that the change names; the others stay as they are.

        A repository that is empty was kept by a lock: where that is taken away, it goes. Raises
        `NameUnknown`, `ManifestUnknown`.
        """
        keys = [rows.REPOSITORY, *rows.GUARDS]
        if isinstance(change.target, Tag):
            keys.append(rows.tag_key(change.target))
        elif isinstance(change.target, Digest):
            keys.append(rows.manifest_key(change.target))
        try:
            made = await self._executor.change(
                repository,
                reading(self._executor, repository, keys),
                lambda read, moment: plan.set_attributes(repository, read.rows, change, moment),
                takes_away=False,
            )
        except ManifestUnknown:
            # Its row may have been read after the repository's, which has gone along since.
            found = await self._executor.read(repository, {rows.REPOSITORY: None})
            plan.check_there(repository, found)
            raise
        tell(made.plan.events)
        self._manifests.forget(
            repository, change.target if isinstance(change.target, Digest) else None
        )
        if change.target is None and HIDDEN_BY in change.attributes:
            await self._catalog.show(repository, lambda: is_shown(self._executor, repository))
        if change.target is None and any(change.attributes.values()):
            await self._emptiness.end(repository)


async def is_shown(executor: Executor, repository: RepositoryName) -> bool:
    """Whether the attributes of a repository allow that it is listed."""
    found = await executor.read(repository, {rows.REPOSITORY: ATTRIBUTES})
    row = found[rows.REPOSITORY]
    return Attributes.from_row(row.values if row else None).list_enabled
