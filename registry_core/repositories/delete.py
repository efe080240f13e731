"""Deleting a tag, a manifest, a blob, each on the condition that it is as it was read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from registry_core.blobs.links import Links
from registry_core.errors import ManifestUnknown, Unavailable
from registry_core.model.change import DeleteManifests, Event, Operation, Origin, Tell, Untag
from registry_core.model.digest import Digest
from registry_core.model.manifest import References
from registry_core.model.media_types import INDEXES
from registry_core.model.names import RepositoryName
from registry_core.model.threads import beside
from registry_core.repositories import plan, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.emptiness import Emptiness
from registry_core.repositories.executor import Executor, Made, Survey, batches, check_time, reading
from registry_core.repositories.messages import Announcement, Messages
from registry_core.repositories.plan import Doomed, Found, Moment, Plan
from registry_core.repositories.read import Manifests
from registry_core.repositories.rows import StoredManifest, live
from registry_core.repositories.soft_delete import SoftDelete
from registry_core.storage import tables
from registry_core.storage.faults import StorageFault
from registry_core.storage.pacing import both


@dataclass(frozen=True)
class _Tagged:
    """A tag that is to be taken away, as it was read."""

    rows: Found
    is_kept: bool
    """Whether it can be restored."""
    stamps: Iterable[str] = ()


@dataclass(frozen=True)
class _Found:
    """What a deletion of a manifest read, each row before those whose absence it must trust."""

    rows: Found
    doomed: Doomed
    is_last: bool
    entry: str | None
    """The version of the repository's entry in the catalog, if the repository is to go."""
    needs: dict[Digest, str]
    """The versions of the `r:` rows, by blob."""
    children: dict[str, str]
    """The versions of the `c:` rows, by key."""

    @property
    def stamps(self) -> Iterable[str]:
        """The stamps of what goes."""
        return self.doomed.stamps

    def without_first_tags(self, versions: Mapping[str, str]) -> _Found | None:
        """The same once `plan.untag_some` was applied; None if it has to be read again."""
        manifest = self.doomed.manifest
        version = versions.get(rows.manifest_key(manifest.digest))
        if version is None:
            return None
        rest = self.doomed.tags[self.doomed.tags_at_once :]
        doomed = replace(self.doomed, manifest=replace(manifest, etag=version), tags=rest)
        return replace(self, doomed=doomed)


def _has_too_many_tags(read: _Found) -> bool:
    return len(read.doomed.tags) > read.doomed.tags_at_once


def _events(made: Made[_Found]) -> list[Event]:
    """What has happened; that the manifest itself has gone is told of the last try alone."""
    left = {"", *(str(tag.tag) for tag in made.read.doomed.tags)}
    return made.events(lambda event: event.tag in left)


def _repository_of(survey: Survey) -> Found:
    return {rows.REPOSITORY: survey.rows[rows.REPOSITORY]}


def _plan(name: RepositoryName, read: _Found, origin: Origin, moment: Moment) -> Plan:
    if _has_too_many_tags(read):
        return plan.untag_some(name, read.rows, read.doomed, origin, moment)
    doomed = [read.doomed]
    return plan.delete_manifests(name, read.rows, doomed, origin, moment, is_last=read.is_last)


class Deletions:
    """Deletes from the repositories of one registry."""

    def __init__(
        self,
        executor: Executor,
        catalog: Catalog,
        links: Links,
        manifests: Manifests,
        messages: Messages,
        soft_delete: SoftDelete,
    ) -> None:
        self._executor = executor
        self._soft_delete = soft_delete
        self._emptiness = Emptiness(executor, catalog, soft_delete)
        self._catalog = catalog
        self._links = links
        self._manifests = manifests
        self._messages = messages

    # A tag.

    async def untag(self, repository: RepositoryName, change: Untag, tell: Tell) -> None:
        """Takes a tag away; its manifest stays.

        Raises `ManifestUnknown`, `DisallowedOperation`.
        """
        key = rows.tag_key(change.tag)
        keys: dict[str, tuple[str, ...] | None] = dict.fromkeys((rows.REPOSITORY, key))

        async def read(also: frozenset[str]) -> _Tagged:
            found, is_kept = await both(
                self._executor.read(repository, keys, also), self._soft_delete.is_on()
            )
            if is_kept and live(found[key]):
                await self._soft_delete.enter(repository)
            return _Tagged(found, is_kept=is_kept)

        made = await self._executor.change(
            repository,
            read,
            lambda read, moment: plan.untag(
                repository, read.rows, change.tag, change.origin, moment, is_kept=read.is_kept
            ),
        )
        tell(made.plan.events)

    # A manifest.

    async def delete_manifest(
        self, repository: RepositoryName, change: DeleteManifests, tell: Tell
    ) -> None:
        """Deletes one manifest with its tags and frees what it needs; the last takes all along.

        With soft delete nothing is freed. Up to 30 tags go with it in one transaction (18 of those
        that can be restored); of more, the rest goes before, in parts, each
        of which leaves a repository in order. Raises `ManifestUnknown`, `DisallowedOperation`, and
        `Unavailable` when its time is over: a repeat goes on.
        """
        (digest,) = change.digests
        announcement = Announcement(self._messages, repository)
        found: _Found | None = None
        while True:
            made = await self._executor.change(
                repository,
                lambda also: self._find(repository, digest, announcement, also),
                lambda read, moment: _plan(repository, read, change.origin, moment),
                found,
            )
            tell(_events(made))
            if not _has_too_many_tags(made.read):
                break
            found = made.read.without_first_tags(made.versions)
            check_time()
        self._manifests.forget(repository, digest)
        read = made.read
        if not made.versions and not await self._manifests.is_gone(repository, digest):
            # The answer was lost, and another has deleted it so that it can be restored.
            read = replace(read, needs={}, children={})
        await self._clean_up(repository, digest, read)

    async def _find(
        self,
        repository: RepositoryName,
        digest: Digest,
        announcement: Announcement,
        also: frozenset[str],
    ) -> _Found:
        """Reads all that a deletion depends on, and announces what it will free.

        What every push changes is read before what an absence is concluded from: `m:` before the
        tags `g:`, the guard of pushes before the other manifests.
        """
        key = rows.manifest_key(digest)
        survey, found, is_kept = await asyncio.gather(
            self._executor.survey(repository),
            self._executor.read(repository, {key: None}, also),
            self._soft_delete.is_on(),
        )
        row = live(found[key])
        if row is None:
            raise ManifestUnknown(detail={"digest": str(digest)})
        manifest = StoredManifest.from_row(row)
        # Refused before anything else is read, as far as can be told by then.
        Doomed(manifest).check()
        # Of what can be restored nothing is freed.
        freed = () if is_kept else [blob.digest for blob in manifest.blobs]
        children = () if is_kept else await self._children(manifest)
        named, is_last, needs, child_etags, _, _ = await asyncio.gather(
            self._executor.query(repository, rows.tags_of(digest)),
            self._is_last(repository, survey, key),
            self._links.requirement_etags(repository, freed, digest),
            self._etags(repository, [rows.child(child, digest) for child in children]),
            announcement.make(freed),
            self._enter(repository, is_kept=is_kept),
        )
        goes = is_last and plan.may_go(survey.rows[rows.REPOSITORY])
        (tags, surplus), entry = await asyncio.gather(
            self._executor.tags_of(repository, digest, named), self._entry(repository, goes)
        )
        return _Found(
            # Guards are looked at only where they stood in the way, or go.
            {**(survey.rows if goes or also else _repository_of(survey)), **found},
            Doomed(manifest, tags, surplus, row.values if is_kept else None),
            goes,
            entry,
            needs,
            child_etags,
        )

    async def _enter(self, repository: RepositoryName, *, is_kept: bool) -> None:
        """Has the repository listed among those in which something can be restored."""
        if is_kept:
            await self._soft_delete.enter(repository)

    async def _children(self, manifest: StoredManifest) -> Sequence[Digest]:
        if manifest.media_type.lower() not in INDEXES:
            return ()
        content = await self._manifests.content(manifest)
        return (await beside(len(content), References.read, content)).children

    async def _is_last(self, repository: RepositoryName, survey: Survey, key: str) -> bool:
        return not await self._executor.holds_another(repository, survey, {key})

    async def _entry(self, repository: RepositoryName, goes: bool) -> str | None:
        return await self._catalog.version(repository) if goes else None

    async def _etags(self, repository: RepositoryName, wanted: Iterable[str]) -> dict[str, str]:
        found = await self._executor.read(repository, dict.fromkeys(wanted, ()))
        return {key: row.etag for key, row in found.items() if row}

    async def _clean_up(self, repository: RepositoryName, digest: Digest, found: _Found) -> None:
        """What only hints at the manifest, now gone; what fails here is repaired by the sweep.

        Each on the version read before, so that what a push writes from now on stays.
        """
        children = [tables.delete(key, etag) for key, etag in found.children.items()]
        steps = [
            self._links.release(repository, digest, found.needs),
            *(
                self._executor.transact(repository, batch)
                for batch in batches(children, tables.MAX_TRANSACTION_ROWS)
            ),
            self._catalog.leave(repository, found.entry)
            if found.is_last
            else self._emptiness.end(repository),
        ]
        for outcome in await asyncio.gather(*steps, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(
                outcome, (StorageFault, Unavailable)
            ):
                raise outcome

    # A blob.

    async def delete_blob(
        self, repository: RepositoryName, digest: Digest, origin: Origin, tell: Tell
    ) -> None:
        """Takes a blob from the repository.

        Raises `BlobUnknown`, `Unsupported` while a manifest needs it, `DisallowedOperation`.
        """

        async def is_gone(manifest: Digest) -> bool:
            return await self._manifests.is_gone(repository, manifest)

        announcement = Announcement(self._messages, repository)

        async def allow() -> None:
            change = self._executor.change(
                repository,
                reading(self._executor, repository, (rows.REPOSITORY,)),
                lambda read, moment: plan.allow_blob_deletion(repository, read.rows, moment),
            )
            await both(change, announcement.make([digest]))

        await self._links.unlink(repository, digest, is_gone, allow)
        tell([Event(Operation.DELETE, repository.text, origin, digest=str(digest), is_blob=True)])
