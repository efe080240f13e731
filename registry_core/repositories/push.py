"""Pushing a manifest: protect what it needs, then write it and its tags in one transaction.

What it needs is found out and protected once; a conflict repeats the rest (`executor.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from registry_core.blobs.links import Links
from registry_core.blobs.rows import Link
from registry_core.blobs.uploads import Uploads
from registry_core.errors import (
    DisallowedOperation,
    ManifestBlobUnknown,
    ManifestInvalid,
    NameUnknown,
)
from registry_core.model import media_types
from registry_core.model.change import DeleteRepository, Push, Tell
from registry_core.model.digest import Digest
from registry_core.model.manifest import Descriptor, Platform, parse_platform
from registry_core.model.names import RepositoryName
from registry_core.model.threads import beside
from registry_core.repositories import plan, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.delete_many import BulkDeletions
from registry_core.repositories.emptiness import Emptiness
from registry_core.repositories.executor import Executor
from registry_core.repositories.plan import Found
from registry_core.repositories.rows import Described, State, StoredBlob, is_live, live, state_of
from registry_core.repositories.soft_delete import SoftDelete
from registry_core.storage.budget import attempts
from registry_core.storage.objects import Objects
from registry_core.storage.pacing import Group, both, together

_MAX_CONFIG_BYTES = 1024 * 1024
_DELETION_STOPPED = timedelta(minutes=2)
"""A deletion that did nothing for as long has ended, whatever clocks say: none runs a minute."""


@dataclass(frozen=True)
class _Read:
    """What an attempt to push found, and what was found out about the manifest."""

    rows: Found
    described: Described
    stamps: Sequence[str] = ()


class Pushes:
    """Pushes manifests into the repositories of one registry."""

    def __init__(
        self,
        executor: Executor,
        catalog: Catalog,
        links: Links,
        content: Objects,
        uploads: Uploads,
        bulk_deletions: BulkDeletions,
        soft_delete: SoftDelete,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.executor = executor
        self.now = now
        self.bulk_deletions = bulk_deletions
        self.catalog = catalog
        self.emptiness = Emptiness(executor, catalog, soft_delete)
        self.links = links
        self.content = content
        self.uploads = uploads

    async def push(self, repository: RepositoryName, change: Push, tell: Tell) -> None:
        """Stores a manifest and points tags at it, all or nothing.

        Raises `ManifestBlobUnknown` if the repository lacks a blob of it, `ManifestInvalid` if a
        size is not true, `DisallowedOperation` if a lock forbids it, `Unavailable` if other
        writers keep winning.
        """
        begun = time.monotonic()
        push = _Push(self, repository, change)
        try:
            # Before its turn: most of it is about blobs, which do not concern others that wait.
            found = await push.read()
            made = await self.executor.change(
                repository,
                push.read,
                lambda read, moment: plan.push(
                    repository, read.rows, change, read.described, moment
                ),
                found,
                begun,
            )
        except plan.BeingDeleted as refusal:
            if self.now() - refusal.at_work < _DELETION_STOPPED:
                raise
            # Whoever meets a deletion that has stopped goes on with it.
            await self._go_on(repository, change, tell)
            await self.push(repository, change, tell)
        except (ManifestBlobUnknown, ManifestInvalid, DisallowedOperation):
            if push.has_entered:
                await self.emptiness.withdraw(repository)
            raise
        else:
            tell(made.plan.events)

    async def _go_on(self, repository: RepositoryName, change: Push, tell: Tell) -> None:
        # In nobody's name: who pushes may not be allowed to delete.
        deletion = DeleteRepository(replace(change.origin, actor=""))
        # Somebody else may have ended it, or a lock.
        with suppress(NameUnknown, DisallowedOperation):
            await self.bulk_deletions.delete_repository(repository, deletion, tell)


class _Push:
    """One push on its way: what has been found out once, and need not be again."""

    def __init__(self, registry: Pushes, repository: RepositoryName, change: Push) -> None:
        self._registry = registry
        self._repository = repository
        self._manifest = change.manifest
        self._keys: dict[str, tuple[str, ...] | None] = {
            rows.REPOSITORY: None,
            rows.manifest_key(self._manifest.digest): rows.MANIFEST_FACTS,
            **{rows.tag_key(tag): None for tag in change.tags},
            **{
                rows.manifest_key(child.digest): (rows.LIVE, rows.GONE, "Size")
                for child in self._manifest.children
            },
        }
        self._links: dict[Digest, Link | None] | None = None
        self._described = Described(Platform(), ())
        self._protected_after: str | None = ""
        """The version of the manifest's tombstone after which its blobs were protected last."""
        self._entered_after: str | None = ""
        """The version of the repository's tombstone after which it was entered last."""
        self.has_entered = False
        """Whether it has entered a repository that it was to make into the catalog, or may have."""

    async def read(self, also: frozenset[str] = frozenset()) -> _Read:
        """The rows, and what depends on them: in two rounds, or one where nothing does."""
        found = await self._read_rows(also)
        for child in self._manifest.children:
            row = live(found[rows.manifest_key(child.digest)])
            if row is not None:
                _check_size(child, row.number("Size"))
        await both(self._describe(found), self._enter(found))
        return _Read(found, self._described)

    async def _read_rows(self, also: frozenset[str]) -> Found:
        """One round; the first time with the links of the blobs."""
        executor = self._registry.executor
        if self._links is not None:
            return await executor.read(self._repository, self._keys, also)
        found, self._links = await both(
            executor.read(self._repository, self._keys, also),
            self._links_of(self._manifest.blobs),
        )
        return found

    async def _links_of(self, blobs: Sequence[Descriptor]) -> dict[Digest, Link | None]:
        """The link of each blob; None where a blob that need not be there is not."""
        known = self._registry.links.known
        links = await together(known(self._repository, blob.digest) for blob in blobs)
        for blob, link in zip(blobs, links, strict=True):
            if link is not None:
                _check_size(blob, link.size)
            elif not blob.need_not_be_pushed:
                raise ManifestBlobUnknown(detail={"digest": str(blob.digest)})
        return {blob.digest: link for blob, link in zip(blobs, links, strict=True)}

    async def _describe(self, found: Found) -> None:
        """Protects what the manifest needs, after its row was read, and looks into the config.

        A manifest that is live has its blobs, and so has one that can be restored: nothing of it
        was released. One that was deleted lately, or since the last attempt, may have had its
        blobs released: what is protected after it was read that it has gone, no deletion has seen.
        """
        known = found[rows.manifest_key(self._manifest.digest)]
        version = known.etag if known else None
        if self._protected_after == version:
            return
        if state_of(known) is not State.GONE:
            # What an index names may have come after it.
            await together(map(self._protect_child, self._no_manifests()))
            self._protected_after = version
            return
        async with Group() as group:
            platform, blobs, others, own = await asyncio.gather(
                group.start(self._platform()),
                group.start(together(map(self._protect, self._manifest.blobs))),
                group.start(together(map(self._protect_child, self._no_manifests()))),
                group.start(self._store_large()),
            )
        every = (*blobs, *filter(None, others), *filter(None, [own]))
        self._described = Described(platform, every, own.location if own else None)
        self._protected_after = version

    async def _platform(self) -> Platform:
        """What an image runs on, from its config; nothing where that is no image's, or huge."""
        config = self._manifest.config
        link = (self._links or {}).get(config.digest) if config else None
        if config is None or not config.is_image_config or link is None:
            return Platform()
        if link.size > _MAX_CONFIG_BYTES:
            return Platform()
        content = await self._registry.content.read_all(link.location, link.size)
        return await beside(len(content), parse_platform, content)

    async def _protect(self, blob: Descriptor) -> StoredBlob:
        """Records that the manifest needs a blob, and where that lies at this moment."""
        link = await self._registry.links.protect(
            self._repository,
            blob.digest,
            self._manifest.digest,
            (self._links or {}).get(blob.digest),
            required=not blob.need_not_be_pushed,
        )
        if link is None and not blob.need_not_be_pushed:  # Deleted since its link was read.
            raise ManifestBlobUnknown(detail={"digest": str(blob.digest)})
        size, location = (link.size, link.location) if link else (blob.size or 0, None)
        return StoredBlob(blob.digest, size, location)

    def _no_manifests(self) -> Iterable[Descriptor]:
        """What an index names that is no manifest: BuildKit's cache index names layers."""
        children = {child.digest: child for child in self._manifest.children}
        return [
            child
            for child in children.values()
            if child.media_type.lower() not in media_types.MANIFESTS
        ]

    async def _protect_child(self, child: Descriptor) -> StoredBlob | None:
        """Protects what an index names where it is a blob here; None where there is none."""
        if not child.digest.is_registered:
            return None
        found = await self._registry.links.protect_if_there(
            self._repository, child.digest, self._manifest.digest
        )
        return StoredBlob(child.digest, child.size or 0, None) if found else None

    async def _store_large(self) -> StoredBlob | None:
        """Makes bytes that do not fit a row an ordinary blob, which the manifest needs.

        Where it lies is known once it is protected: until then it may be deleted and sent again.
        """
        content, digest = self._manifest.content, self._manifest.digest
        if len(content) <= rows.INLINE_BYTES:
            return None
        uploads = self._registry.uploads
        async for _ in attempts("the manifest was deleted while it was being pushed; try again"):
            location = await uploads.commit(
                uploads.begin(digest.algorithm), _whole(content), digest, self._repository
            )
            link = await self._registry.links.protect(
                self._repository, digest, digest, Link(location, len(content)), required=True
            )
            if link is not None:  # Else it was deleted as soon as it had been stored.
                return StoredBlob(digest, link.size, link.location)
        raise AssertionError("unreachable")

    async def _enter(self, found: Found) -> None:
        """Enters a repository that is to be made into the catalog.

        After it was read that there is none, and before it is made: a deletion in between, that
        would remove our entry, makes this attempt fail.
        """
        repository = found[rows.REPOSITORY]
        version = repository.etag if repository else None
        if not is_live(repository) and self._entered_after != version:
            self.has_entered = True  # Before that: it may be ended while it waits for the answer.
            await self._registry.catalog.enter(self._repository)
            self._entered_after = version


def _check_size(descriptor: Descriptor, size: int) -> None:
    if descriptor.size not in (None, size):
        raise ManifestInvalid(
            f"manifest invalid: {descriptor.digest} has {size} bytes, "
            f"but the manifest says {descriptor.size}",
            detail={"digest": str(descriptor.digest), "size": size},
        )


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
