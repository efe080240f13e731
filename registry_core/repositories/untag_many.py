"""Taking many tags away, in batches of whole transactions; their manifests stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registry_core.model.change import Origin, Tell
from registry_core.model.names import RepositoryName
from registry_core.repositories import plan, rows
from registry_core.repositories.executor import Executor, check_time
from registry_core.repositories.plan import Found
from registry_core.repositories.rows import StoredTag, live
from registry_core.repositories.soft_delete import SoftDelete

_AT_ONCE = 24
"""How many tags one transaction takes away, four rows each: each may be of another manifest."""
_KEPT_AT_ONCE = 16
"""The same where they can be restored, six rows each."""


@dataclass(frozen=True)
class _Batch:
    """Tags that fit one transaction, as they were read."""

    rows: Found
    tags: Sequence[StoredTag]

    @property
    def stamps(self) -> Iterable[str]:
        """The stamps of what goes."""
        return [tag.stamp for tag in self.tags]


class BulkUntaggings:
    """Takes many tags at once from the repositories of one registry."""

    def __init__(self, executor: Executor, soft_delete: SoftDelete) -> None:
        self._executor = executor
        self._soft_delete = soft_delete

    async def untag_as_read(
        self, repository: RepositoryName, tags: Sequence[StoredTag], origin: Origin, tell: Tell
    ) -> None:
        """Takes those tags away that are still as they were read.

        Raises `DisallowedOperation` if the repository is locked, and `Unavailable`.
        """
        is_kept = await self._soft_delete.is_on()
        if is_kept and tags:
            await self._soft_delete.enter(repository)
        size = _KEPT_AT_ONCE if is_kept else _AT_ONCE
        for first in range(0, len(tags), size):
            check_time()
            batch = tags[first : first + size]
            await self._untag(repository, batch, origin, tell, is_kept=is_kept)

    async def _untag(
        self,
        repository: RepositoryName,
        batch: Sequence[StoredTag],
        origin: Origin,
        tell: Tell,
        *,
        is_kept: bool,
    ) -> None:
        versions = {rows.tag_key(tag.tag): tag.etag for tag in batch}
        # What was listed will do the first time; after a conflict each is read anew.
        fresh = [batch]

        async def read(also: frozenset[str]) -> _Batch:
            wanted: dict[str, tuple[str, ...] | None] = {rows.REPOSITORY: None}
            if fresh:
                return _Batch(await self._executor.read(repository, wanted, also), fresh.pop())
            wanted |= dict.fromkeys(versions, rows.TAG_FACTS)
            found = await self._executor.read(repository, wanted, also)
            left = [row for row in (live(found[key]) for key in versions) if row]
            as_read = [row for row in left if row.etag == versions[row.key]]
            return _Batch(found, [StoredTag.from_row(row) for row in as_read])

        made = await self._executor.change(
            repository,
            read,
            lambda read, moment: plan.untag_all(
                repository, read.rows, read.tags, origin, moment, is_kept=is_kept
            ),
        )
        left = {str(tag.tag) for tag in made.read.tags}
        tell(made.events(lambda event: event.tag in left))
