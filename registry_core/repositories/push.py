"""Pushing a manifest: protect what it needs, then write it and its tags in one transaction.

A conflict with another writer, or an answer that got lost, starts the push again from its reads;
every step is safe to repeat.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from registry_core.blobs.links import PUSH_DEADLINE, Blobs, Link
from registry_core.blobs.uploads import Uploads
from registry_core.errors import ManifestBlobUnknown, ManifestInvalid, Unavailable
from registry_core.model.attributes import Attributes
from registry_core.model.clock import HybridClock
from registry_core.model.digest import Digest
from registry_core.model.manifest import Descriptor, Manifest, Platform, parse_platform
from registry_core.model.names import RepositoryName, Tag
from registry_core.model.threads import beside
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.catalog import Catalogue
from registry_core.repositories.rows import GONE, INLINE_BYTES, MANIFEST_FACTS, StoredTag, live
from registry_core.storage import tables
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowExists, RowMissing
from registry_core.storage.objects import Location, Objects
from registry_core.storage.pacing import Group, back_off, together
from registry_core.storage.tables import Change, Row, Table

MAX_TAGS = 15
"""The most tags that one push can set: with all that belongs to them they fit one transaction."""
_MAX_CHILDREN_INLINE = 40
_CHILDREN_A_TRANSACTION = 50
_MAX_CONFIG_BYTES = 1024 * 1024
_ATTEMPTS = 20


@dataclass(frozen=True)
class _Known:
    """What an attempt to push found."""

    head: Row | None
    manifest: Row | None
    """`h` and `m:`, tombstones too: a push fails if either has become one since."""
    tags: dict[Tag, StoredTag | None]
    config: Link | None
    children: frozenset[Digest]
    """Those of the index's children that exist."""


class ManifestPush:
    """Pushes manifests into the repositories of one registry."""

    def __init__(
        self,
        repositories: Table,
        catalogue: Catalogue,
        blobs: Blobs,
        content: Objects,
        uploads: Uploads,
        clock: HybridClock,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._repositories = repositories
        self._catalogue = catalogue
        self._blobs = blobs
        self._content = content
        self._uploads = uploads
        self._clock = clock
        self._now = now

    async def push(
        self, repository: RepositoryName, manifest: Manifest, tags: Sequence[Tag]
    ) -> None:
        """Stores `manifest` and points `tags` at it, all or nothing.

        Raises `ManifestBlobUnknown` if the repository lacks a blob of it, `DisallowedOperation`
        if the repository or a tag is locked, `Unavailable` if other writers keep winning.
        """
        for attempt in range(_ATTEMPTS):
            try:
                await self._attempt(repository, manifest, tags)
                return
            except (RowExists, RowMissing, ConditionFailed, Ambiguous):
                await back_off(attempt)
        raise Unavailable("the repository is being changed by others all the time; try again")

    async def _attempt(
        self, repository: RepositoryName, manifest: Manifest, tags: Sequence[Tag]
    ) -> None:
        deadline = time.monotonic() + PUSH_DEADLINE.total_seconds()
        known = await self._prepare(repository, manifest, tags)
        async with Group() as group:
            platform, location, _, _ = await asyncio.gather(
                group.start(self._platform(known)),
                group.start(self._store_large(repository, manifest, known)),
                group.start(self._protect_again(repository, manifest, known)),
                group.start(self._enter(repository, known)),
            )
        await self._write(repository, manifest, known, platform, location, deadline)

    async def _prepare(
        self, repository: RepositoryName, manifest: Manifest, tags: Sequence[Tag]
    ) -> _Known:
        """One round: protects each blob, and reads the rows to be written."""
        partition = repository_rows.partition(repository)
        rows, key = self._repositories, repository_rows.manifest_key(manifest.digest)
        async with Group() as group:
            head = group.start(rows.get(partition, repository_rows.REPOSITORY))
            row = group.start(rows.get(partition, key, MANIFEST_FACTS))
            tag_rows = group.start(together(self._tag(partition, tag) for tag in tags))
            children = group.start(self._existing(partition, manifest.children))
            config = group.start(self._config(repository, manifest))
            protected = group.start(self._protect_all(repository, manifest))
            sizes = group.start(self._check_sizes(repository, manifest))
            await asyncio.gather(head, row, tag_rows, children, config, protected, sizes)
        found = await head
        values = found.values if found else None
        Attributes.from_row(values).check_write(f"repository {repository}")
        for tag in filter(None, await tag_rows):
            if tag.digest != manifest.digest:
                tag.attributes.check_write(f"tag {tag.name}")
        known_tags = dict(zip(tags, await tag_rows, strict=True))
        return _Known(found, await row, known_tags, await config, await children)

    async def _protect_all(self, repository: RepositoryName, manifest: Manifest) -> None:
        await together(self._protect(repository, blob, manifest) for blob in manifest.blobs)

    async def _protect_again(
        self, repository: RepositoryName, manifest: Manifest, known: _Known
    ) -> None:
        """Protects the blobs of a manifest that was deleted lately.

        The deletion may have read our rows and released them; what is protected after it was read
        that the manifest has gone, no deletion has seen.
        """
        if known.manifest is not None and not live(known.manifest):
            await self._protect_all(repository, manifest)

    async def _protect(
        self, repository: RepositoryName, blob: Descriptor, manifest: Manifest
    ) -> None:
        required = not blob.need_not_be_pushed
        found = await self._blobs.protect(
            repository, blob.digest, manifest.digest, required=required
        )
        if required and not found:
            raise ManifestBlobUnknown(detail={"digest": str(blob.digest)})

    async def _tag(self, partition: str, tag: Tag) -> StoredTag | None:
        row = await self._repositories.get(partition, repository_rows.tag_key(tag))
        return StoredTag.from_row(row) if row else None

    async def _existing(self, partition: str, children: Sequence[Descriptor]) -> frozenset[Digest]:
        digests = tuple({child.digest for child in children})
        rows = await together(
            self._repositories.get(partition, repository_rows.manifest_key(digest), (GONE, "Size"))
            for digest in digests
        )
        found = {
            digest: row.number("Size")
            for digest, row in zip(digests, rows, strict=True)
            if row and live(row)
        }
        for child in children:
            if child.digest in found:
                _check_size(child, found[child.digest])
        return frozenset(found)

    async def _check_sizes(self, repository: RepositoryName, manifest: Manifest) -> None:
        """Refuses what no client could pull: they check the sizes as they do.

        A size belongs to its digest for ever, so that it does not matter when it was read.
        """
        read = _image_config(manifest)
        told = [blob for blob in manifest.blobs if blob.size is not None]
        told = [blob for blob in told if read is None or blob.digest != read.digest]
        sizes = await together(self._blobs.size(repository, blob.digest) for blob in told)
        for blob, size in zip(told, sizes, strict=True):
            if size is not None:
                _check_size(blob, size)

    async def _config(self, repository: RepositoryName, manifest: Manifest) -> Link | None:
        config = _image_config(manifest)
        if config is None:
            return None
        link = await self._blobs.find_link(repository, config.digest)
        if link:
            _check_size(config, link.size)
        return link

    async def _platform(self, known: _Known) -> Platform:
        """What the image runs on, from its config; nothing where that is no image's, or huge."""
        config = known.config
        if live(known.manifest) or config is None or config.size > _MAX_CONFIG_BYTES:
            return Platform()
        content = await self._content.read_all(config.location, config.size)
        return await beside(len(content), parse_platform, content)

    async def _store_large(
        self, repository: RepositoryName, manifest: Manifest, known: _Known
    ) -> Location | None:
        """Makes the bytes that do not fit a row an ordinary blob, which the manifest needs."""
        if len(manifest.content) <= INLINE_BYTES or live(known.manifest):
            return None
        digest = manifest.digest
        location = await self._uploads.commit(
            self._uploads.begin(), _whole(manifest.content), digest, repository
        )
        if not await self._blobs.protect(repository, digest, digest, required=True):
            raise RowMissing(f"{digest} was deleted as soon as it had been stored")
        return location

    async def _write(
        self,
        repository: RepositoryName,
        manifest: Manifest,
        known: _Known,
        platform: Platform,
        location: Location | None,
        deadline: float,
    ) -> None:
        partition, now = repository_rows.partition(repository), self._now()
        stored = tuple(filter(None, known.tags.values()))
        seen = [row.text("Stamp") for row in (known.head, known.manifest) if row]
        stamp = self._clock.stamp(*seen, *(tag.stamp for tag in stored))
        changes = self._head_changes(known, now, stamp)
        changes += repository_rows.manifest_changes(
            manifest, platform, location, known.manifest, now, stamp
        )
        for tag, before in known.tags.items():
            changes += repository_rows.tag_changes(tag, manifest, before, now, stamp)
        changes += [
            tables.merge(repository_rows.manifest_key(digest), Untagged=tables.time_value(now))
            for digest in {tag.digest for tag in stored} - {manifest.digest}
        ]
        changes += repository_rows.referrer_changes(manifest)
        children = self._child_changes(manifest, known.children)
        inline = len(children) <= _MAX_CHILDREN_INLINE
        if inline and len(changes) + sum(map(len, children)) <= tables.MAX_TRANSACTION_ROWS:
            changes += [change for group in children for change in group]
        else:
            for first in range(0, len(children), _CHILDREN_A_TRANSACTION):
                groups = children[first : first + _CHILDREN_A_TRANSACTION]
                batch = [change for group in groups for change in group]
                await self._repositories.transact(partition, batch)
        if time.monotonic() > deadline:
            raise Unavailable("the push took too long; try again")
        await self._repositories.transact(partition, tables.combine(changes))

    def _head_changes(self, known: _Known, now: datetime, stamp: str) -> list[Change]:
        moment = tables.time_value(now)
        values = {"Created": moment, "Stamp": stamp}
        if live(known.head):
            return [tables.merge(repository_rows.WRITABLE, Updated=moment)]
        head = (
            tables.replace(repository_rows.REPOSITORY, known.head.etag, **values)
            if known.head
            else tables.insert(repository_rows.REPOSITORY, **values)
        )
        return [head, tables.insert(repository_rows.WRITABLE, Updated=moment)]

    def _child_changes(self, manifest: Manifest, existing: frozenset[Digest]) -> list[list[Change]]:
        """For each child of an index: says who holds it, and touches it if it exists."""
        groups = []
        for digest in dict.fromkeys(child.digest for child in manifest.children):
            group = [tables.upsert(repository_rows.child(digest, manifest.digest))]
            if digest in existing:
                moment = tables.time_value(self._now())
                group.append(tables.merge(repository_rows.manifest_key(digest), Touched=moment))
            groups.append(group)
        return groups

    async def _enter(self, repository: RepositoryName, known: _Known) -> None:
        """Enters a repository that is to be made into the catalogue.

        After it was read that there is none, and before it is made: a deletion in between, that
        would remove our entry, makes this attempt fail.
        """
        if not live(known.head):
            await self._catalogue.enter(repository)


def _image_config(manifest: Manifest) -> Descriptor | None:
    """The config of an image, which tells its platform."""
    config = manifest.config
    return config if config and config.is_image_config else None


def _check_size(descriptor: Descriptor, size: int) -> None:
    if descriptor.size not in (None, size):
        raise ManifestInvalid(
            f"manifest invalid: {descriptor.digest} has {size} bytes, not {descriptor.size}",
            detail={"digest": str(descriptor.digest), "size": size},
        )


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
