"""Reading manifests, by tag and by digest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from registry_core.blobs.links import Links
from registry_core.blobs.rows import Link
from registry_core.errors import ManifestUnknown
from registry_core.model.attributes import Attributes, Target, Use
from registry_core.model.digest import Digest
from registry_core.model.names import Reference, RepositoryName, Tag
from registry_core.repositories import plan, rows
from registry_core.repositories.rows import StoredManifest, StoredTag, is_live, live
from registry_core.storage.cache import Cache
from registry_core.storage.faults import ConditionFailed, RowMissing
from registry_core.storage.objects import Objects
from registry_core.storage.pacing import both
from registry_core.storage.tables import Row, Table

_TAG_MOVES = 3
_MAX_LEARNT_BYTES = 16 * 1024
"""Some 250 blobs, as a row has them: the links of more would take too much room in memory."""

T = TypeVar("T")


@dataclass(frozen=True)
class Summary:
    """What is told of a manifest without its bytes."""

    digest: Digest
    media_type: str
    size: int


class Manifests:
    """Reads the manifests of one registry."""

    def __init__(
        self,
        table: Table,
        content: Objects,
        cache: Cache[StoredManifest],
        attributes: Cache[Attributes],
        links: Links,
        grace: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table
        self._content = content
        self._cache = cache
        self._attributes = attributes
        self._links = links
        self._grace = grace
        self._now = now

    async def summary(
        self, repository: RepositoryName, reference: Reference, *, relied_on: bool
    ) -> Summary:
        """Digest, media type and size of a manifest. By tag read always, never from the cache.

        `relied_on` says that the caller may push and will not send again what exists: an old
        manifest is touched, unless a tag holds it. Raises `ManifestUnknown`,
        `DisallowedOperation`.
        """
        if isinstance(reference, Tag):
            tag = await self.readable(repository, lambda: self._tag(repository, reference))
            return Summary(tag.digest, tag.media_type, tag.size)
        manifest = await self.readable(
            repository, lambda: self._manifest(repository, reference, relied_on=relied_on)
        )
        return Summary(reference, manifest.media_type, manifest.size)

    async def get(
        self, repository: RepositoryName, reference: Reference
    ) -> tuple[Digest, str, bytes]:
        """Digest, media type and bytes. Raises `ManifestUnknown`, `DisallowedOperation`."""

        async def read() -> StoredManifest:
            if isinstance(reference, Tag):
                return await self._tagged(repository, reference)
            return await self._manifest(repository, reference, relied_on=False)

        manifest = await self.readable(repository, read)
        return manifest.digest, manifest.media_type, await self.content(manifest)

    async def check_readable(self, repository: RepositoryName) -> None:
        """Raises `DisallowedOperation` if nothing may be pulled from a repository.

        As far as was read within the cache's life.
        """
        found = self._attributes.get(repository)
        if found is None:
            ticket = self._attributes.ticket()
            columns = (rows.LIVE, rows.GONE, "ReadEnabled")
            row = live(await self._table.get(rows.partition(repository), rows.REPOSITORY, columns))
            found = Attributes.from_row(row.values if row else None)
            self._attributes.put(repository, found, ticket=ticket)
        found.check(Target.REPOSITORY, Use.PULL, repository)

    async def readable(
        self, repository: RepositoryName, read: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """What `read` reads, while it is seen whether it may be pulled from the repository.

        Where that is in memory, nothing else is begun. Raises `DisallowedOperation`.
        """
        if self._attributes.get(repository) is not None:
            await self.check_readable(repository)
            return await read()
        found, _ = await both(read(), self.check_readable(repository))
        return found

    async def _tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest:
        """The manifest that a tag names: in between it may have moved, and its manifest gone."""
        digest = (await self._tag(repository, tag)).digest
        for _ in range(_TAG_MOVES):
            try:
                return await self._manifest(repository, digest, relied_on=False)
            except ManifestUnknown:
                before, digest = digest, (await self._tag(repository, tag)).digest
                if digest == before:
                    raise
        raise ManifestUnknown(detail={"name": str(repository), "tag": str(tag)})

    async def is_gone(self, repository: RepositoryName, digest: Digest) -> bool:
        """Whether a manifest neither exists nor can be brought back: nothing need be kept for it.

        Asked of the table itself.
        """
        columns = (rows.LIVE, rows.GONE)
        key = rows.manifest_key(digest)
        row = await self._table.get(rows.partition(repository), key, columns)
        return rows.state_of(row) is rows.State.GONE

    async def content(self, manifest: StoredManifest) -> bytes:
        """The manifest's bytes, as they were pushed."""
        if manifest.content is not None:
            return manifest.content
        if manifest.location is None:
            raise LookupError(
                f"manifest {manifest.digest} has neither content nor location in its row"
            )
        return await self._content.read_all(manifest.location, manifest.size)

    async def _tag(self, repository: RepositoryName, tag: Tag) -> StoredTag:
        row = live(await self._table.get(rows.partition(repository), rows.tag_key(tag)))
        if row is None:
            raise ManifestUnknown(detail={"name": str(repository), "tag": str(tag)})
        found = StoredTag.from_row(row)
        found.attributes.check(Target.TAG, Use.PULL, tag)
        return found

    async def _manifest(
        self, repository: RepositoryName, digest: Digest, *, relied_on: bool
    ) -> StoredManifest:
        manifest = self._cache.get((repository, digest))
        ticket, links_ticket = self._cache.ticket(), self._links.ticket()
        if manifest is None or (relied_on and self._is_old(manifest.timestamp)):
            partition, key = rows.partition(repository), rows.manifest_key(digest)
            row = live(await self._table.get(partition, key))
            if row is None:
                raise ManifestUnknown(detail={"name": str(repository), "digest": str(digest)})
            manifest = StoredManifest.from_row(row)
            if relied_on and self._is_old(manifest.timestamp):
                await self._touch(row)
                manifest = dataclasses.replace(manifest, timestamp=self._now())
            size = len(manifest.content or b"")
            self._cache.put((repository, digest), manifest, size, ticket=ticket)
            if len(manifest.packed_blobs) <= _MAX_LEARNT_BYTES:
                self._links.learn(repository, _links(manifest), links_ticket)
        manifest.attributes.check(Target.MANIFEST, Use.PULL, digest)
        return manifest

    async def _touch(self, row: Row) -> None:
        """Tells garbage collection that somebody relies on a manifest, if it is as it was read."""
        try:
            await self._table.transact(row.partition, plan.touch(row, self._now()))
        except (ConditionFailed, RowMissing) as fault:
            columns = (rows.LIVE, rows.GONE)
            if not is_live(await self._table.get(row.partition, row.key, columns)):
                raise ManifestUnknown from fault
            # Whoever changed it touched it as well.

    def _is_old(self, time: datetime) -> bool:
        return self._now() - time > self._grace / 2

    def forget(self, repository: RepositoryName, digest: Digest | None = None) -> None:
        """Drops a manifest from this instance's cache; without one, the repository's attributes."""
        if digest is None:
            self._attributes.discard(repository)
        else:
            self._cache.discard((repository, digest))


def _links(manifest: StoredManifest) -> Mapping[Digest, Link]:
    """The links that a live manifest proves: of what it needs and the repository has."""
    return {blob.digest: Link(blob.location, blob.size) for blob in manifest.blobs if blob.location}
