"""Reading manifests, and listing tags, referrers and repositories."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from registry_core.errors import DisallowedOperation, ManifestUnknown, NameUnknown
from registry_core.model.digest import DIGEST_ALPHABET, Digest
from registry_core.model.names import (
    REPOSITORY_ALPHABET,
    TAG_ALPHABET,
    Reference,
    RepositoryName,
    Tag,
)
from registry_core.model.threads import beside
from registry_core.repositories import catalog
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.rows import GONE, StoredManifest, StoredTag, live
from registry_core.storage import keys, tables
from registry_core.storage.cache import Cache
from registry_core.storage.faults import ConditionFailed, RowMissing
from registry_core.storage.objects import Objects
from registry_core.storage.tables import Row, Table

_PAGE_BYTES = 3 * 1024 * 1024
_MANIFESTS_READ = 50
"""How many manifests a page of referrers reads at most, for annotations that rows don't hold."""
_HIDDEN = "ListEnabled"
_TAG_MOVES = 3


@dataclass(frozen=True)
class Page:
    """Part of a listing."""

    entries: list[Any]
    next: str
    """Where the rest begins, after this entry; empty if this is the end."""


@dataclass(frozen=True)
class ManifestHead:
    """What a HEAD tells."""

    digest: Digest
    media_type: str
    size: int


class ManifestReader:
    """Reads the repositories of one registry."""

    def __init__(
        self,
        repositories: Table,
        catalog: Table,
        content: Objects,
        cache: Cache[StoredManifest],
        grace: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._repositories = repositories
        self._catalog = catalog
        self._content = content
        self._cache = cache
        self._grace = grace
        self._now = now

    async def head(
        self, repository: RepositoryName, reference: Reference, *, relied_on: bool
    ) -> ManifestHead:
        """Digest, media type and size of a manifest. By tag one read, never from the cache.

        `relied_on` says that the caller may push and will not send again what exists: an old
        manifest is touched, unless a tag holds it. Raises `ManifestUnknown`,
        `DisallowedOperation`.
        """
        if isinstance(reference, Tag):
            tag = await self._tag(repository, reference)
            return ManifestHead(tag.digest, tag.media_type, tag.size)
        manifest = await self._manifest(repository, reference, relied_on=relied_on)
        return ManifestHead(reference, manifest.media_type, manifest.size)

    async def get(
        self, repository: RepositoryName, reference: Reference
    ) -> tuple[Digest, str, bytes]:
        """Digest, media type and bytes. Raises `ManifestUnknown`, `DisallowedOperation`."""
        if isinstance(reference, Tag):
            digest, manifest = await self._tagged(repository, reference)
        else:
            digest = reference
            manifest = await self._manifest(repository, reference, relied_on=False)
        return digest, manifest.media_type, await self.content(manifest)

    async def _tagged(self, repository: RepositoryName, tag: Tag) -> tuple[Digest, StoredManifest]:
        """The manifest that a tag names: in between it may have moved, and its manifest gone."""
        digest = (await self._tag(repository, tag)).digest
        for _ in range(_TAG_MOVES):
            try:
                return digest, await self._manifest(repository, digest, relied_on=False)
            except ManifestUnknown:
                before, digest = digest, (await self._tag(repository, tag)).digest
                if digest == before:
                    raise
        raise ManifestUnknown(detail={"name": str(repository), "tag": str(tag)})

    async def is_live(self, repository: RepositoryName, digest: Digest) -> bool:
        """Whether a manifest exists now, asked of the table itself."""
        row = await self._repositories.get(
            repository_rows.partition(repository), repository_rows.manifest_key(digest), (GONE,)
        )
        return live(row) is not None

    async def content(self, manifest: StoredManifest) -> bytes:
        """The manifest's bytes, as they were pushed."""
        if manifest.content is not None:
            return manifest.content
        if manifest.location is None:
            raise LookupError(f"manifest {manifest.digest} has neither bytes nor location")
        return await self._content.read_all(manifest.location, manifest.size)

    async def _tag(self, repository: RepositoryName, tag: Tag) -> StoredTag:
        row = await self._repositories.get(
            repository_rows.partition(repository), repository_rows.tag_key(tag)
        )
        if row is None:
            raise ManifestUnknown(detail={"name": str(repository), "tag": str(tag)})
        found = StoredTag.from_row(row)
        found.attributes.check_read(f"tag {tag}")
        return found

    async def _manifest(
        self, repository: RepositoryName, digest: Digest, *, relied_on: bool
    ) -> StoredManifest:
        manifest = self._cache.get((repository, digest))
        ticket = self._cache.ticket()
        if manifest is None or (relied_on and self._is_old(manifest.timestamp)):
            partition, key = (
                repository_rows.partition(repository),
                repository_rows.manifest_key(digest),
            )
            row = live(await self._repositories.get(partition, key))
            if row is None:
                raise ManifestUnknown(detail={"name": str(repository), "digest": str(digest)})
            manifest = StoredManifest.from_row(row)
            if relied_on and self._is_old(manifest.timestamp):
                await self._touch(row)
                manifest = dataclasses.replace(manifest, timestamp=self._now())
            size = len(manifest.content or b"")
            self._cache.put((repository, digest), manifest, size, ticket=ticket)
        manifest.attributes.check_read(f"manifest {digest}")
        return manifest

    async def _touch(self, row: Row) -> None:
        """Tells garbage collection that somebody relies on a manifest, if it is as it was read."""
        touched = tables.time_value(self._now())
        try:
            await self._repositories.transact(
                row.partition, [tables.merge(row.key, row.etag, Touched=touched)]
            )
        except (ConditionFailed, RowMissing) as fault:
            still = live(await self._repositories.get(row.partition, row.key, (GONE,)))
            if still is None:
                raise ManifestUnknown from fault
            # Whoever changed it touched it as well.

    def _is_old(self, time: datetime) -> bool:
        return self._now() - time > self._grace / 2

    def forget(self, repository: RepositoryName, digest: Digest) -> None:
        """Drops a manifest from this instance's cache."""
        self._cache.discard((repository, digest))

    async def tags(self, repository: RepositoryName, last: str, count: int) -> Page:
        """The names of up to `count` tags after `last`, in order. Raises `NameUnknown`."""
        partition = repository_rows.partition(repository)
        after = keys.following(last, TAG_ALPHABET)
        page = await self._names(self._repositories, partition, "t:", after, count)
        if not page.entries and not live(
            await self._repositories.get(partition, repository_rows.REPOSITORY, (GONE,))
        ):
            raise NameUnknown(detail={"name": str(repository)})
        return page

    async def repositories(self, last: str, count: int) -> Page:
        """The names of up to `count` repositories after `last`, in order."""
        after = keys.encode(keys.following(last, REPOSITORY_ALPHABET))
        page = await self._names(self._catalog, catalog.PARTITION, "", after, count)
        return Page([keys.decode(name) for name in page.entries], keys.decode(page.next))

    async def _names(
        self, table: Table, partition: str, prefix: str, after: str, count: int
    ) -> Page:
        """What follows `prefix` in the keys from `after` on, less what is hidden."""
        first = f"{prefix}{after}" or "\x20"
        end = keys.end_of(prefix) if prefix else keys.AFTER_ALL
        names: list[str] = []
        while True:
            wanted = min(count + 1 - len(names), tables.MAX_PAGE)
            rows = await table.query(partition, first, end, (_HIDDEN,), limit=wanted)
            names += [
                r.key.removeprefix(prefix) for r in rows if r.values.get(_HIDDEN) is not False
            ]
            if len(names) > count or len(rows) < wanted:
                return Page(names[:count], names[count - 1] if len(names) > count else "")
            first = f"{rows[-1].key}\x20"

    async def referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        artifact_type: str,
        last: str,
        count: int,
    ) -> Page:
        """Descriptors of up to `count` manifests whose subject is `subject`, after `last`.

        In the order of their digests; with an `artifact_type` those of that type, of the next
        thousand manifests (the case of media types does not count: RFC 6838, 4.2). A page has at
        most 3 MiB, and ends after so many manifests that had to be read for their annotations; the
        next one begins after the last that was looked at.
        """
        partition, prefix = (
            repository_rows.partition(repository),
            repository_rows.referrers(subject),
        )
        first = f"{prefix}{keys.following(last, DIGEST_ALPHABET)}"
        end = keys.end_of(prefix)
        wanted = tables.MAX_PAGE if artifact_type else min(count + 1, tables.MAX_PAGE)
        rows = await self._repositories.query(partition, first, end, limit=wanted)
        descriptors: list[dict[str, Any]] = []
        size = manifests_read = 0
        looked_at = ""
        for row in rows:
            if artifact_type.lower() in ("", row.text("ArtifactType").lower()):
                if len(descriptors) == count or manifests_read == _MANIFESTS_READ:
                    return Page(descriptors, looked_at)
                is_large = bool(row.values.get("AnnotationsInManifest"))
                manifests_read += is_large
                descriptor = await self._referrer(repository, row)
                weight = _PAGE_BYTES if is_large else 0
                size += len(await beside(weight, json.dumps, descriptor))
                if descriptors and size > _PAGE_BYTES:
                    return Page(descriptors, looked_at)
                descriptors += [descriptor] if descriptor else []
            looked_at = repository_rows.referrer_digest(row)
        return Page(descriptors, looked_at if len(rows) == wanted else "")

    async def _referrer(self, repository: RepositoryName, row: Row) -> dict[str, Any] | None:
        """A row's descriptor, its annotations from the manifest where they are too large for it.

        None if that has gone or is locked.
        """
        descriptor = repository_rows.referrer_descriptor(row)
        if row.values.get("AnnotationsInManifest"):
            try:
                _, _, content = await self.get(repository, Digest.parse(descriptor["digest"]))
            except (ManifestUnknown, DisallowedOperation):
                return None
            document = await beside(len(content), json.loads, content)
            descriptor["annotations"] = document["annotations"]
        return descriptor
