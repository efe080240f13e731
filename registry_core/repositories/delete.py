"""Deleting manifests and tags, each on the condition that it is still what was read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from registry_core.blobs.links import Blobs
from registry_core.errors import ManifestUnknown, Unavailable
from registry_core.model.attributes import Attributes
from registry_core.model.digest import Digest
from registry_core.model.manifest import References
from registry_core.model.names import RepositoryName, Tag
from registry_core.model.threads import beside
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.catalog import Catalogue
from registry_core.repositories.read import ManifestReader
from registry_core.repositories.rows import GONE, StoredManifest, StoredTag, live
from registry_core.storage import keys, tables
from registry_core.storage.faults import (
    Ambiguous,
    ConditionFailed,
    RowMissing,
    StorageFault,
)
from registry_core.storage.pacing import back_off, together
from registry_core.storage.tables import Change, Row, Table

_ATTEMPTS = 20
_TAGS_A_TRANSACTION = 20
_FEW = 50
_CONFLICTS = (RowMissing, ConditionFailed, Ambiguous)


@dataclass(frozen=True)
class _Found:
    """What a deletion of a manifest read, each row before those whose absence it must trust."""

    digest: Digest
    head: Row
    writable: Row
    listing: str | None
    """The version of the repository's entry in the catalogue."""
    row: Row
    subject: Digest | None
    tags: Sequence[StoredTag]
    needs: dict[Digest, str]
    """The versions of the `r:` rows, by blob."""
    children: dict[str, str]
    """The versions of the `c:` rows, by key."""
    is_last: bool


class ManifestDelete:
    """Deletes from the repositories of one registry."""

    def __init__(
        self,
        repositories: Table,
        catalogue: Catalogue,
        blobs: Blobs,
        reader: ManifestReader,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._repositories = repositories
        self._catalogue = catalogue
        self._blobs = blobs
        self._reader = reader
        self._now = now

    async def delete_tag(self, repository: RepositoryName, tag: Tag) -> Digest:
        """Takes a tag away; its manifest stays. Answers the digest it pointed at.

        Raises `ManifestUnknown`, `DisallowedOperation`.
        """
        partition = repository_rows.partition(repository)
        removed: Digest | None = None
        for attempt in range(_ATTEMPTS):
            head, row = await asyncio.gather(
                self._repositories.get(partition, repository_rows.REPOSITORY),
                self._repositories.get(partition, repository_rows.tag_key(tag)),
            )
            if row is None:
                if removed is not None:
                    return removed  # By our own earlier try, whose answer was lost.
                raise ManifestUnknown(detail={"tag": str(tag)})
            found = StoredTag.from_row(row)
            Attributes.from_row(head.values if head else None).check_delete(
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
        lost: _Found | None = None
        for attempt in range(_ATTEMPTS):
            found = None
            try:
                found = await self._find(repository, digest)
                if found is None and lost is None:
                    raise ManifestUnknown(detail={"digest": str(digest)})
                if found is not None:
                    await self._remove(repository, found)
            except _CONFLICTS as fault:
                lost = found if isinstance(fault, Ambiguous) else lost
                await back_off(attempt)
                continue
            # Gone by this try, or by an earlier one of ours whose answer was lost.
            removed = found or lost
            if removed is not None:
                self._reader.forget(repository, digest)
                await self._clean_up(repository, removed)
            return
        raise Unavailable

    async def _find(self, repository: RepositoryName, digest: Digest) -> _Found | None:
        """Reads all that a deletion depends on.

        What every push changes is read before what an absence is concluded from: `m:` before the
        tags `g:`, `hw` before the other manifests.
        """
        partition = repository_rows.partition(repository)
        head, writable, row, listing = await asyncio.gather(
            self._repositories.get(partition, repository_rows.REPOSITORY),
            self._repositories.get(partition, repository_rows.WRITABLE, ()),
            self._repositories.get(partition, repository_rows.manifest_key(digest)),
            self._catalogue.version(repository),
        )
        if row is None or live(row) is None:
            return None
        Attributes.from_row(head.values if head else None).check_delete(f"repository {repository}")
        stored = StoredManifest.from_row(row)
        stored.attributes.check_delete(f"manifest {digest}")
        if head is None or writable is None:
            raise ConditionFailed(f"{repository} was locked, made or removed while it was read")
        tagged = repository_rows.manifest_tags(digest)
        content, tag_rows, is_last = await asyncio.gather(
            self._reader.content(stored),
            self._repositories.query(partition, tagged, keys.end_of(tagged), ()),
            self._is_last(partition),
        )
        references = await beside(len(content), References.read, content)
        names = [tag_row.key.removeprefix(tagged) for tag_row in tag_rows]
        blobs = [*references.blobs, *[digest] * bool(stored.location)]
        tags, needs, children = await asyncio.gather(
            together(
                self._repositories.get(partition, repository_rows.tag_key(name)) for name in names
            ),
            self._blobs.requirement_etags(repository, blobs, digest),
            self._child_etags(partition, digest, references),
        )
        pointing = [StoredTag.from_row(tag) for tag in tags if tag is not None]
        pointing = [tag for tag in pointing if tag.digest == digest]
        for tag in pointing:
            tag.attributes.check_delete(f"tag {tag.name}")
        subject = references.subject
        return _Found(
            digest, head, writable, listing, row, subject, pointing, needs, children, is_last
        )

    async def _is_last(self, partition: str) -> bool:
        """Whether the repository has fewer than two manifests."""
        count = 0
        first, end = "m:", keys.end_of("m:")
        async for page in self._repositories.pages(partition, first, end, (GONE,), _FEW):
            count += sum(live(row) is not None for row in page)
            if count > 1:
                return False
        return True

    async def _child_etags(
        self, partition: str, digest: Digest, references: References
    ) -> dict[str, str]:
        wanted = [repository_rows.child(child, digest) for child in references.children]
        rows = await together(self._repositories.get(partition, key, ()) for key in wanted)
        return {row.key: row.etag for row in rows if row}

    async def _remove(self, repository: RepositoryName, found: _Found) -> None:
        partition = repository_rows.partition(repository)
        tags = list(found.tags)
        while len(tags) > _TAGS_A_TRANSACTION:
            batch, tags = tags[:_TAGS_A_TRANSACTION], tags[_TAGS_A_TRANSACTION:]
            # The condition on `m:` would fail on our own second batch; each `t:` has its own.
            await self._repositories.transact(
                partition, [self._write_mark(), *self._untag(batch, touch=False)]
            )
        changes = [*self._untag(tags, touch=False), repository_rows.bury(found.row)]
        changes.append(
            tables.delete(repository_rows.manifest_time(found.row.time("Updated"), found.digest))
        )
        if found.subject:
            changes.append(tables.delete(repository_rows.referrer(found.subject, found.digest)))
        if found.is_last:
            changes.append(repository_rows.bury(found.head))
            changes.append(tables.delete(repository_rows.WRITABLE, found.writable.etag))
        else:
            # Another deletion at the same time may be that of the manifest which we saw remain.
            moment = tables.time_value(self._now())
            changes.append(
                tables.merge(repository_rows.REPOSITORY, found.head.etag, Deleted=moment)
            )
            changes.append(self._write_mark())
        await self._repositories.transact(partition, changes)

    async def _clean_up(self, repository: RepositoryName, found: _Found) -> None:
        """What only hints at the manifest, now gone; what fails here is repaired by the sweep.

        Each on the version read before, so that what a push writes from now on stays.
        """
        partition = repository_rows.partition(repository)
        steps = [self._blobs.release(repository, found.digest, found.needs)]
        children = [tables.delete(key, etag) for key, etag in found.children.items()]
        size = tables.MAX_TRANSACTION_ROWS
        steps += [
            self._repositories.transact(partition, children[first : first + size])
            for first in range(0, len(children), size)
        ]
        if found.is_last and found.listing:
            steps.append(self._catalogue.leave(repository, found.listing))
        for outcome in await asyncio.gather(*steps, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, StorageFault):
                raise outcome

    def _write_mark(self) -> Change:
        """Fails on a repository that has been locked or removed since it was read."""
        return tables.merge(repository_rows.WRITABLE, Updated=tables.time_value(self._now()))

    def _untag(self, tags: Sequence[StoredTag], touch: bool = True) -> list[Change]:
        changes = [change for tag in tags for change in repository_rows.untag_changes(tag)]
        if touch:
            moment = tables.time_value(self._now())
            changes += [
                tables.merge(repository_rows.manifest_key(digest), Untagged=moment)
                for digest in {tag.digest for tag in tags}
            ]
        return changes
