"""Deleting manifests and tags, each on the condition that it is still what was read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from registry_core.errors import ManifestUnknown, Unavailable
from registry_core.model.attributes import Attributes
from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest
from registry_core.model.names import RepositoryName, Tag
from registry_core.storage import keys, repository_rows, tables
from registry_core.storage.blobs import Blobs
from registry_core.storage.faults import (
    Ambiguous,
    ConditionFailed,
    RowMissing,
    StorageFault,
)
from registry_core.storage.manifest_read import ManifestReader
from registry_core.storage.pacing import back_off, together
from registry_core.storage.repository_rows import StoredManifest, StoredTag
from registry_core.storage.tables import Change, Row, Table

_ATTEMPTS = 8
_TAGS_A_TRANSACTION = 20
_CONFLICTS = (RowMissing, ConditionFailed, Ambiguous)


@dataclass(frozen=True)
class _Found:
    """What a deletion of a manifest read, each row before those whose absence it must trust."""

    head: Row | None
    writable: Row | None
    listing: Row | None
    row: Row
    manifest: Manifest
    tags: Sequence[StoredTag]
    needs: dict[Digest, str]
    is_last: bool


class ManifestDelete:
    """Deletes from the repositories of one registry."""

    def __init__(
        self,
        repositories: Table,
        catalog: Table,
        blobs: Blobs,
        reader: ManifestReader,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._repositories = repositories
        self._catalog = catalog
        self._blobs = blobs
        self._reader = reader
        self._now = now

    async def delete_tag(self, repository: RepositoryName, tag: Tag) -> Digest:
        """Takes a tag away; its manifest stays. Answers the digest it pointed at.

        Raises `ManifestUnknown`, `DisallowedOperation`.
        """
        partition = keys.repository(repository)
        removed: Digest | None = None
        for attempt in range(_ATTEMPTS):
            head, row = await asyncio.gather(
                self._repositories.get(partition, keys.HEAD),
                self._repositories.get(partition, keys.tag(tag)),
            )
            if row is None:
                if removed is not None:
                    return removed  # By our own earlier try, whose answer was lost.
                raise ManifestUnknown(detail={"tag": str(tag)})
            found = StoredTag.from_row(row)
            Attributes.from_row(head.values if head else None).check_write(
                f"repository {repository}"
            )
            found.attributes.check_delete(f"tag {tag}")
            changes = [self._write_mark(), *self._untag([found])]
            try:
                await self._repositories.transact(partition, changes)
                return found.digest
            except Ambiguous:
                removed = found.digest
            except _CONFLICTS:
                pass
            await back_off(attempt)
        raise Unavailable

    async def delete_manifest(self, repository: RepositoryName, digest: Digest) -> None:
        """Deletes a manifest and its tags; with the last manifest the repository goes.

        Up to 20 tags go with it in one transaction; before that, the rest in batches. Raises
        `ManifestUnknown`, `DisallowedOperation`.
        """
        lost_answer = False
        for attempt in range(_ATTEMPTS):
            found = await self._find(repository, digest)
            if found is None:
                if lost_answer:
                    return
                raise ManifestUnknown(detail={"digest": str(digest)})
            try:
                await self._remove(repository, found)
                return
            except Ambiguous:
                lost_answer = True
            except _CONFLICTS:
                pass
            await back_off(attempt)
        raise Unavailable

    async def _find(self, repository: RepositoryName, digest: Digest) -> _Found | None:
        """Reads all that a deletion depends on.

        What every push changes is read before what an absence is concluded from: `m:` before the
        tags `g:`, `hw` before the other manifests.
        """
        partition = keys.repository(repository)
        head, writable, row, listing = await asyncio.gather(
            self._repositories.get(partition, keys.HEAD),
            self._repositories.get(partition, keys.WRITABLE, ()),
            self._repositories.get(partition, keys.manifest(digest)),
            self._catalog.get(keys.CATALOG_PARTITION, partition, ()),
        )
        if row is None:
            return None
        Attributes.from_row(head.values if head else None).check_write(f"repository {repository}")
        stored = StoredManifest.from_row(row)
        stored.attributes.check_delete(f"manifest {digest}")
        tagged = keys.manifest_tags(digest)
        content, tag_rows, manifests = await asyncio.gather(
            self._reader.content(stored),
            self._repositories.query(partition, tagged, keys.end_of(tagged), ()),
            self._repositories.query(partition, "m:", keys.end_of("m:"), (), limit=2),
        )
        manifest = Manifest.parse(content, stored.media_type, digest.algorithm)
        names = [tag_row.key.removeprefix(tagged) for tag_row in tag_rows]
        tags, needs = await asyncio.gather(
            together(self._repositories.get(partition, keys.tag(name)) for name in names),
            self._blobs.requirement_etags(
                repository, (blob.digest for blob in manifest.blobs), digest
            ),
        )
        pointing = [StoredTag.from_row(tag) for tag in tags if tag is not None]
        pointing = [tag for tag in pointing if tag.digest == digest]
        for tag in pointing:
            tag.attributes.check_delete(f"tag {tag.name}")
        return _Found(head, writable, listing, row, manifest, pointing, needs, len(manifests) == 1)

    async def _remove(self, repository: RepositoryName, found: _Found) -> None:
        partition, manifest = keys.repository(repository), found.manifest
        tags = list(found.tags)
        while len(tags) > _TAGS_A_TRANSACTION:
            batch, tags = tags[:_TAGS_A_TRANSACTION], tags[_TAGS_A_TRANSACTION:]
            # The condition on `m:` would fail on our own second batch; each `t:` has its own.
            await self._repositories.transact(
                partition, [self._write_mark(), *self._untag(batch, touch=False)]
            )
        changes = [*self._untag(tags, touch=False)]
        changes.append(tables.delete(found.row.key, found.row.etag))
        changes.append(
            tables.delete(keys.manifest_time(found.row.time("Updated"), manifest.digest))
        )
        if manifest.subject:
            changes.append(tables.delete(keys.referrer(manifest.subject.digest, manifest.digest)))
        removes_repository = found.is_last and found.head is not None
        if removes_repository and found.head and found.writable:
            changes.append(tables.delete(keys.HEAD, found.head.etag))
            changes.append(tables.delete(keys.WRITABLE, found.writable.etag))
        else:
            changes.append(self._write_mark())
        children = [
            tables.delete(keys.child(digest, manifest.digest))
            for digest in dict.fromkeys(child.digest for child in manifest.children)
        ]
        room = tables.MAX_TRANSACTION_ROWS - len(changes)
        await self._repositories.transact(partition, changes + children[:room])
        self._reader.forget(repository, manifest.digest)
        await self._clean_up(repository, found, children[room:], removes_repository)

    async def _clean_up(
        self,
        repository: RepositoryName,
        found: _Found,
        children: Sequence[Change],
        removes_repository: bool,
    ) -> None:
        """What only hints at the manifest, now gone; what fails here is repaired by the sweep."""
        partition = keys.repository(repository)
        steps = [self._blobs.release(repository, found.manifest.digest, found.needs)]
        size = tables.MAX_TRANSACTION_ROWS
        steps += [
            self._repositories.transact(partition, children[first : first + size])
            for first in range(0, len(children), size)
        ]
        if removes_repository and found.listing:
            unlist = tables.delete(partition, found.listing.etag)
            steps.append(self._catalog.transact(keys.CATALOG_PARTITION, [unlist]))
        for outcome in await asyncio.gather(*steps, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, StorageFault):
                raise outcome

    def _write_mark(self) -> Change:
        """Fails on a repository that has been locked or removed since it was read."""
        return tables.merge(keys.WRITABLE, Updated=tables.time_value(self._now()))

    def _untag(self, tags: Sequence[StoredTag], touch: bool = True) -> list[Change]:
        changes = [change for tag in tags for change in repository_rows.untag_changes(tag)]
        if touch:
            moment = tables.time_value(self._now())
            changes += [
                tables.merge(keys.manifest(digest), Untagged=moment)
                for digest in {tag.digest for tag in tags}
            ]
        return changes
