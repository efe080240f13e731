"""Restoring what was deleted softly: a manifest with what it needs, and tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from registry_core.errors import (
    DisallowedOperation,
    ManifestUnknown,
    TagExists,
    TagUnknown,
)
from registry_core.model.change import Restore, Tell
from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest, References
from registry_core.model.media_types import INDEXES
from registry_core.model.names import RepositoryName
from registry_core.model.threads import beside
from registry_core.repositories import plan, rows
from registry_core.repositories.catalog import HIDDEN_BY, Catalog
from registry_core.repositories.emptiness import Emptiness
from registry_core.repositories.executor import Executor, check_time
from registry_core.repositories.lock import is_shown
from registry_core.repositories.plan import Found, Restorable
from registry_core.repositories.read import Manifests
from registry_core.repositories.rows import DeletedTag, State, StoredManifest, is_live, state_of
from registry_core.storage.lookup import look_up
from registry_core.storage.tables import Row, Table

_STATE = (rows.LIVE, rows.GONE, rows.DELETED)
_OWN = (rows.REPOSITORY, rows.REMEMBERED)


@dataclass(frozen=True)
class _Read:
    """What a restoration read."""

    rows: Found
    restorable: Restorable
    is_all: bool
    """Whether the tags that are restored now are all that are wanted."""

    @property
    def stamps(self) -> Iterable[str]:
        """The stamp of the manifest."""
        return filter(None, [self.restorable.manifest.text("Stamp")])

    @property
    def makes_repository(self) -> bool:
        """Whether the repository is made anew."""
        return not is_live(self.rows[rows.REPOSITORY])

    @property
    def is_hidden(self) -> bool:
        """Whether a repository that is made anew was hidden from the catalog."""
        remembered = self.rows[rows.REMEMBERED]
        return bool(
            self.makes_repository and remembered and remembered.values.get(HIDDEN_BY) is False
        )


class Restorations:
    """Restores in the repositories of one registry."""

    def __init__(
        self,
        executor: Executor,
        table: Table,
        catalog: Catalog,
        manifests: Manifests,
        emptiness: Emptiness,
    ) -> None:
        self._executor = executor
        self._table = table
        self._catalog = catalog
        self._manifests = manifests
        self._emptiness = emptiness

    async def restore(self, repository: RepositoryName, change: Restore, tell: Tell) -> None:
        """Brings back a manifest that was deleted, with all that an index holds, and its tags.

        First what it holds, then the manifest with up to ten tags in one transaction, then the
        rest of the tags. Of a manifest that is live, only tags. Raises `ManifestUnknown` if it
        cannot be restored, `TagUnknown`, `TagExists`, `DisallowedOperation` if a lock forbids it,
        and `Unavailable` when its time is over: a repeat goes on.
        """
        for digest in await self._held(repository, change.digest):
            await self._bring_back(repository, Restore(digest, origin=change.origin), tell, ())
            check_time()
        await self._bring_back(repository, change, tell, None)

    async def _held(self, repository: RepositoryName, digest: Digest) -> Sequence[Digest]:
        """What an index holds that can be restored, at any depth, each before what holds it."""
        row = await self._manifest(repository, digest)
        left = {} if is_live(row) else {digest: row}
        graph: dict[Digest, Sequence[Digest]] = {}
        while left:
            parent, row = left.popitem()
            children = await self._children(row)
            keys = [rows.manifest_key(child) for child in children]
            states = await look_up(self._table, rows.partition(repository), keys, _STATE)
            graph[parent] = [
                child
                for child in children
                if state_of(states[rows.manifest_key(child)]) is State.RESTORABLE
            ]
            for child in graph[parent]:
                if child not in graph and child not in left:
                    left[child] = await self._manifest(repository, child)
        return [each for each in TopologicalSorter(graph).static_order() if each != digest]

    async def _manifest(self, repository: RepositoryName, digest: Digest) -> Row:
        """The row of a manifest that is there, or can be. Raises `ManifestUnknown`."""
        key = rows.manifest_key(digest)
        row = await self._table.get(rows.partition(repository), key)
        if row is None or state_of(row) is State.GONE:
            raise _unknown(digest)
        return row

    async def _children(self, row: Row) -> Sequence[Digest]:
        if row.text("MediaType").lower() not in INDEXES:
            return ()
        content = await self._manifests.content(StoredManifest.from_row(row))
        references = await beside(len(content), References.read, content)
        return tuple(child for child in references.children if child.is_registered)

    async def _bring_back(
        self,
        repository: RepositoryName,
        change: Restore,
        tell: Tell,
        tags: Sequence[Row] | None,
    ) -> None:
        """Restores one manifest; with `tags` the rows `d:` are not looked for."""
        has_entered = False

        async def read(also: frozenset[str]) -> _Read:
            nonlocal has_entered
            found = await self._read(repository, change, tags, also)
            if found.makes_repository:
                # As a push does: after it was read that there is none, and before it is made.
                has_entered = True
                await self._catalog.enter(repository)
            return found

        try:
            while True:
                made = await self._executor.change(
                    repository,
                    read,
                    lambda read, moment: plan.restore(
                        repository, read.rows, read.restorable, change, moment
                    ),
                    takes_away=False,
                )
                tell(made.plan.events)
                if made.read.is_hidden:
                    await self._catalog.show(
                        repository, lambda: is_shown(self._executor, repository)
                    )
                if made.read.is_all:
                    break
                check_time()
        except (ManifestUnknown, TagUnknown, TagExists, DisallowedOperation):
            if has_entered:
                await self._emptiness.withdraw(repository)
            raise
        self._manifests.forget(repository, change.digest)
        self._manifests.forget(repository)

    async def _read(
        self,
        repository: RepositoryName,
        change: Restore,
        tags: Sequence[Row] | None,
        also: frozenset[str],
    ) -> _Read:
        """The rows: the manifest's own first, which a deletion of tags along with it changes."""
        key = rows.manifest_key(change.digest)
        found = await self._executor.read(repository, dict.fromkeys((*_OWN, key)), also)
        row = found[key]
        if row is None or state_of(row) is State.GONE:
            raise _unknown(change.digest)
        deleted = tags
        if deleted is None:
            range_ = rows.deleted_tags_of(change.digest)
            deleted = await self._executor.query(repository, range_, None)
        wanted = plan.wanted_tags(row, deleted, change.tag)
        names = {DeletedTag.parse(each.key).tag for each in wanted}
        names |= {change.tag} if change.tag else set()
        there = await self._executor.read(
            repository, dict.fromkeys((rows.tag_key(tag) for tag in names), rows.TAG_FACTS)
        )
        found = {**found, **there}
        free = plan.tags_to_restore(found, change, wanted)
        part = free[: plan.RESTORED_TAGS_A_TRANSACTION]
        restorable = Restorable(row, await self._content(row), part)
        return _Read(found, restorable, is_all=len(part) == len(free))

    async def _content(self, row: Row) -> Manifest | None:
        """The manifest, where it refers to a subject: what the list of referrers shows of it."""
        if is_live(row) or not row.text("Subject"):
            return None
        stored = StoredManifest.from_row(row)
        content = await self._manifests.content(stored)
        return await beside(
            len(content), Manifest.parse, content, stored.media_type, stored.digest.algorithm
        )


def _unknown(digest: Digest) -> ManifestUnknown:
    return ManifestUnknown(
        f"manifest {digest} was not deleted, or its days are over", detail={"digest": str(digest)}
    )
