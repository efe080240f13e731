"""Reading a repository for retention."""

from __future__ import annotations

from dataclasses import replace

from registry_core.lifecycle.retention.contents import COLUMNS, Contents
from registry_core.model.digest import Digest
from registry_core.model.manifest import References
from registry_core.model.names import RepositoryName
from registry_core.model.threads import beside
from registry_core.repositories import rows
from registry_core.repositories.read import Manifests
from registry_core.repositories.rows import State, StoredManifest, state_of
from registry_core.storage.lookup import look_up
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row, Table


class Surveys:
    """Reads the repositories of one registry."""

    def __init__(self, table: Table, manifests: Manifests) -> None:
        self._table = table
        self._manifests = manifests

    async def contents(self, name: RepositoryName) -> Contents:
        """What is in a repository: a call for each thousand rows.

        Keys stand in the order in which they have to be read: manifests before tags.
        """
        found = list[Row]()
        pages = self._table.pages(rows.partition(name), rows.REPOSITORY, rows.TAGS.end, COLUMNS)
        async for page in pages:
            found += page
        return Contents.of(name, found)

    async def with_children(self, found: Contents) -> Contents:
        """The same, with what its indexes hold: from them, and not from the rows that hint at it.

        Read after the manifests. An index that came since has changed the rows of what it holds.
        """
        keys = map(rows.manifest_key, found.indexes)
        read = await look_up(self._table, rows.partition(found.name), keys, rows.MANIFEST_CONTENT)
        there = [row for row in read.values() if row and state_of(row) is not State.GONE]
        children = await together(map(self._children, there))
        return replace(
            found,
            children={
                rows.last_digest(row.key): held for row, held in zip(there, children, strict=True)
            },
        )

    async def _children(self, row: Row) -> tuple[Digest, ...]:
        content = await self._manifests.content(StoredManifest.from_row(row))
        return (await beside(len(content), References.read, content)).children

    async def gone(self, name: RepositoryName, digests: frozenset[Digest]) -> frozenset[Digest]:
        """Those of the manifests that have gone, and cannot be brought back."""
        by_key = {rows.manifest_key(digest): digest for digest in digests}
        columns = (rows.LIVE, rows.GONE)
        read = await look_up(self._table, rows.partition(name), by_key, columns)
        return frozenset(by_key[key] for key, row in read.items() if state_of(row) is State.GONE)
