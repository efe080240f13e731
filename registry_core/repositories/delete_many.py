"""Deleting a set of manifests, or a repository, in batches of whole transactions.

What they needed is left to garbage collection: it would take more calls than all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from registry_core.errors import DisallowedOperation, NameUnknown
from registry_core.model.attributes import Use
from registry_core.model.change import (
    DeleteManifests,
    DeleteRepository,
    Event,
    Origin,
    Seen,
    Tell,
)
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import plan, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.emptiness import Emptiness
from registry_core.repositories.executor import Executor, Made, Rows, check_time, reading
from registry_core.repositories.messages import Announcement, Messages
from registry_core.repositories.plan import Doomed, Found, Moment, Plan
from registry_core.repositories.read import Manifests
from registry_core.repositories.rows import StoredManifest, StoredTag, live
from registry_core.repositories.soft_delete import SoftDelete
from registry_core.storage import tables
from registry_core.storage.pacing import both, together
from registry_core.storage.tables import Row

_FEW = 20
"""Up to so many manifests are read one by one; of more, all of the repository are, in pages."""
_BATCH_ROWS = tables.MAX_TRANSACTION_ROWS - 4
_ANNOUNCED = 500
"""About as many digests as one message holds."""
_GUARDED = (rows.REPOSITORY, *rows.GUARDS)


@dataclass(frozen=True)
class _Batch:
    """Manifests that fit one transaction, as they were read."""

    rows: Found
    doomed: Sequence[Doomed]

    @property
    def stamps(self) -> Iterable[str]:
        """The stamps of what goes."""
        return [stamp for each in self.doomed for stamp in each.stamps]


@dataclass(frozen=True)
class _Left:
    """Rows that are left in a repository that is being deleted."""

    rows: Found
    left: Sequence[Row]
    stamps: Iterable[str] = ()


class BulkDeletions:
    """Deletes many manifests at once from the repositories of one registry."""

    def __init__(
        self,
        executor: Executor,
        catalog: Catalog,
        manifests: Manifests,
        messages: Messages,
        soft_delete: SoftDelete,
    ) -> None:
        self._executor = executor
        self._soft_delete = soft_delete
        self._catalog = catalog
        self._manifests = manifests
        self._messages = messages
        self._emptiness = Emptiness(executor, catalog, soft_delete)

    async def delete_manifests(
        self, repository: RepositoryName, change: DeleteManifests, tell: Tell
    ) -> Mapping[Digest, DisallowedOperation]:
        """Deletes a set of manifests with their tags; answers those that stay, with their locks.

        Those that are not there, or not as they were seen, are passed over. Raises
        `DisallowedOperation` if the repository is locked, and `Unavailable` when its time is over,
        having deleted a part: a repeat goes on.
        """
        is_kept = await self._soft_delete.is_on()
        deletion = self._deletion(repository, change.origin, tell, is_kept=is_kept)
        deletion.seen = change.seen
        await deletion.delete(await deletion.find(change.digests))
        await self._emptiness.end(repository)
        return deletion.locked

    async def delete_repository(
        self, repository: RepositoryName, change: DeleteRepository, tell: Tell
    ) -> None:
        """Deletes a repository with all that is in it.

        While it is under way the repository cannot be pushed to (503). One that stopped is gone on
        with by a repeat. Raises `NameUnknown`, `DisallowedOperation` if the repository is locked
        or anything in it, and `Unavailable` when its time is over.
        """
        found, is_kept = await both(
            self._executor.read(repository, dict.fromkeys(_GUARDED)), self._soft_delete.is_on()
        )
        row = live(found[rows.REPOSITORY])
        if row is None:
            raise NameUnknown(detail={"name": str(repository)})
        deletion = self._deletion(
            repository, change.origin, tell, of_repository=True, is_kept=is_kept
        )
        if not plan.is_being_deleted(row):
            await self._begin(repository, deletion)
        entry = await self._catalog.version(repository)
        # Another that goes on with the same deletion may end it meanwhile, and then the repository
        # be made anew: from here on nothing counts without the mark, which is read after the entry.
        found = await self._executor.read(repository, {rows.REPOSITORY: None})
        if not plan.is_being_deleted(found[rows.REPOSITORY]):
            return
        # Nothing can be locked, pushed or deleted by others from here on.
        doomed = await deletion.find_all()
        try:
            _refuse_if_locked(doomed)
        except DisallowedOperation:
            await self._change(repository, plan.end_deletion)
            raise
        await deletion.delete(doomed)
        await deletion.delete_index_rows()
        await self._change(repository, partial(plan.bury_deleted, is_kept=is_kept))
        self._manifests.forget(repository)
        await self._catalog.leave(repository, entry)

    async def _begin(self, repository: RepositoryName, deletion: _Deletion) -> None:
        """Marks a repository as being deleted.

        The message that tells what goes is sent before that: who takes it goes on, should the
        deletion have stopped. Raises `NameUnknown`, `DisallowedOperation`.
        """
        doomed = await deletion.find_all()
        _refuse_if_locked(doomed)
        guarded = dict.fromkeys(_GUARDED)

        async def read(also: frozenset[str]) -> Rows:
            found, _ = await both(
                self._executor.read(repository, guarded, also), deletion.announce(doomed)
            )
            return Rows(found)

        await self._executor.change(
            repository,
            read,
            lambda read, moment: plan.begin_deletion(repository, read.rows, moment),
        )

    def _deletion(
        self,
        repository: RepositoryName,
        origin: Origin,
        tell: Tell,
        *,
        of_repository: bool = False,
        is_kept: bool,
    ) -> _Deletion:
        return _Deletion(
            self._executor,
            self._manifests,
            self._soft_delete,
            repository,
            origin,
            tell,
            of_repository=of_repository,
            announcement=Announcement(self._messages, repository),
            is_kept=is_kept,
        )

    async def _change(
        self,
        repository: RepositoryName,
        make: Callable[[RepositoryName, Found, Moment], Plan],
    ) -> None:
        await self._executor.change(
            repository,
            reading(self._executor, repository, _GUARDED),
            lambda read, moment: make(repository, read.rows, moment),
        )


@dataclass
class _Deletion:
    """One deletion of many on its way."""

    executor: Executor
    manifests: Manifests
    soft_delete: SoftDelete
    repository: RepositoryName
    origin: Origin
    tell: Tell
    of_repository: bool
    """Whether nothing is to be deleted once the repository is not being deleted any more."""
    announcement: Announcement
    is_kept: bool
    """Whether what goes can be restored."""
    locked: dict[Digest, DisallowedOperation] = field(default_factory=dict)
    """The manifests that stay, each with the lock that keeps it."""
    seen: Mapping[Digest, Seen] = field(default_factory=dict)
    """Manifests that go only if they are as they were read."""

    async def find(self, digests: Iterable[Digest]) -> Sequence[Doomed]:
        """Those of the manifests that are there, as they were seen, with their tags."""
        wanted = set(digests)
        if len(wanted) > _FEW:
            every = [each for each in await self.find_all() if each.manifest.digest in wanted]
            return list(filter(self._is_as_seen, every))
        found = await together(map(self._one, wanted))
        return [each for each in found if each]

    async def find_all(self) -> Sequence[Doomed]:
        """Every manifest with its tags: a call for each thousand rows."""
        manifests, tags = await together(
            self.executor.query(self.repository, range_, columns)
            for range_, columns in (
                (rows.MANIFESTS, self._facts),
                (rows.TAGS, rows.TAG_FACTS),
            )
        )
        by_digest: dict[Digest, list[StoredTag]] = {}
        for row in tags:
            tag = StoredTag.from_row(row)
            by_digest.setdefault(tag.digest, []).append(tag)
        return [
            self._doomed(row, by_digest.get(rows.last_digest(row.key), ())) for row in manifests
        ]

    @property
    def _facts(self) -> tuple[str, ...]:
        """The columns of `m:` that are read; of what is kept, those too that a listing shows."""
        if not self.is_kept:
            return rows.FREED_MANIFEST_FACTS
        return tuple(dict.fromkeys((*rows.MANIFEST_FACTS, *rows.LISTED_MANIFEST_FACTS)))

    def _doomed(self, row: Row, tags: Sequence[StoredTag]) -> Doomed:
        kept = row.values if self.is_kept else None
        return Doomed(StoredManifest.from_row(row), tags, kept=kept)

    async def _one(self, digest: Digest) -> Doomed | None:
        """A manifest with its tags; None if it is not there."""
        key = rows.manifest_key(digest)
        row = live((await self.executor.read(self.repository, {key: self._facts}))[key])
        if row is None:
            return None
        found = self._doomed(row, await self._tags(digest))
        return found if self._is_as_seen(found) else None

    async def _tags(self, digest: Digest) -> Sequence[StoredTag]:
        """The tags of a manifest: those that were seen, or else those that the rows `g:` name."""
        if (seen := self.seen.get(digest)) is not None:
            wanted = dict.fromkeys(map(rows.tag_key, seen.tags), rows.TAG_FACTS)
            found = map(live, (await self.executor.read(self.repository, wanted)).values())
            tags = [StoredTag.from_row(row) for row in found if row]
            return [tag for tag in tags if tag.digest == digest]
        named = await self.executor.query(self.repository, rows.tags_of(digest))
        tags, _ = await self.executor.tags_of(self.repository, digest, named)
        return tags

    def _is_as_seen(self, doomed: Doomed) -> bool:
        """What changed its tags has changed the manifest as well."""
        seen = self.seen.get(doomed.manifest.digest)
        return seen is None or seen.version == doomed.manifest.etag

    async def announce(self, doomed: Sequence[Doomed]) -> None:
        """Announces what the first batches free, once: also where that is nothing."""
        batches = list(_batches(doomed))
        await self.announcement.make(_freed_from(batches) if batches else [])

    async def delete(self, doomed: Sequence[Doomed]) -> None:
        """Deletes what is not locked, a batch after the other."""
        if doomed and self.is_kept:
            await self.soft_delete.enter(self.repository)
        batches = list(_batches(doomed))
        for number, batch in enumerate(batches):
            check_time()
            freed = list(_freed(batch))
            if not self.announcement.has(freed):
                freed = _freed_from(batches[number:])
            await self._delete_batch(batch, freed)

    async def _delete_batch(self, batch: Sequence[Doomed], freed: Sequence[Digest]) -> None:
        """Deletes one, and announces beside its first read what it and others free."""
        digests = [each.manifest.digest for each in batch]
        # What was listed will do the first time; after a conflict each is read anew.
        fresh, later = [batch], list[Sequence[Doomed]]()
        if not _fits(batch):
            await self._untag_some(digests[0])
            fresh.clear()
        elif self.is_kept and any(each.kept is None for each in batch):
            fresh.clear()  # Listed by somebody who did not know that they are to be kept.

        async def read(also: frozenset[str]) -> _Batch:
            found, _ = await both(
                self.executor.read(self.repository, {rows.REPOSITORY: None}, also),
                self.announcement.make(freed),
            )
            if self._is_over(found):
                return _Batch(found, ())
            known = fresh.pop() if fresh else await self.find(digests)
            # They may have got tags since they were listed: what fits no more has its own turn.
            now, *later[:] = _fitting(self._unlocked(known))
            return _Batch(found, now)

        made = await self.executor.change(
            self.repository,
            read,
            lambda read, moment: plan.delete_manifests(
                self.repository, read.rows, read.doomed, self.origin, moment
            ),
        )
        # A try whose answer was lost tells of all: not of those that were locked before the next.
        stay = set(map(str, self.locked))
        there = (each for part in (made.read.doomed, *later) for each in part)
        left = {str(each.manifest.digest) for each in there} | stay
        events = made.events(lambda event: event.digest in left)
        self.tell(event for event in events if event.digest not in stay)
        for digest in digests:
            self.manifests.forget(self.repository, digest)
        for rest in later:
            await self._delete_batch(rest, list(_freed(rest)))

    def _is_over(self, found: Found) -> bool:
        return self.of_repository and not plan.is_being_deleted(found[rows.REPOSITORY])

    def _unlocked(self, doomed: Iterable[Doomed]) -> list[Doomed]:
        """Those that may be deleted; of the others it is noted why not."""
        free = []
        for each in doomed:
            try:
                each.check()
                free.append(each)
                self.locked.pop(each.manifest.digest, None)
            except DisallowedOperation as error:
                self.locked[each.manifest.digest] = error
        return free

    async def _untag_some(self, digest: Digest) -> None:
        """Takes so many tags of a manifest away that the rest fits one transaction."""

        async def read(also: frozenset[str]) -> _Batch:
            found = await self.executor.read(self.repository, {rows.REPOSITORY: None}, also)
            known = None if self._is_over(found) else await self._one(digest)
            return _Batch(found, [known] if known else [])

        def make(read: _Batch, moment: Moment) -> Plan:
            if not read.doomed or read.doomed[0].size <= _BATCH_ROWS:
                return Plan(())
            return plan.untag_some(self.repository, read.rows, read.doomed[0], self.origin, moment)

        while (made := await self.executor.change(self.repository, read, make)).plan.changes:
            self.tell(_untaggings(made))
            check_time()

    async def delete_index_rows(self) -> None:
        """Deletes what is left without manifests: rows of children, and what was surplus.

        Children stay where an index may be restored that holds them.
        """
        kept = await self.executor.query(self.repository, rows.DELETED_MANIFEST_TIMES, limit=1)
        for range_ in rows.INDEX_ROWS:
            if range_ == rows.CHILDREN and kept:
                continue
            while await self._delete_some(range_):
                check_time()

    async def _delete_some(self, range_: rows.Range) -> bool:
        """Deletes the first rows of a kind; False if there were none, or it was over already."""

        async def read(_: frozenset[str] = frozenset()) -> _Left:
            # The mark is read first: rows of a repository that is made anew are not deleted on it.
            found = await self.executor.read(self.repository, {rows.REPOSITORY: None})
            left = await self.executor.query(self.repository, range_, limit=_BATCH_ROWS)
            return _Left(found, left)

        made = await self.executor.change(
            self.repository, read, lambda read, moment: plan.clear(read.rows, read.left, moment)
        )
        return bool(made.plan.changes)


def _untaggings(made: Made[_Batch]) -> Iterable[Event]:
    left = {str(tag.tag) for each in made.read.doomed for tag in each.tags}
    return made.events(lambda event: event.tag in left)


def _refuse_if_locked(doomed: Iterable[Doomed]) -> None:
    for each in doomed:
        each.check(Use.DELETE_REPOSITORY)


def _freed(batch: Iterable[Doomed]) -> Iterator[Digest]:
    """Of what can be restored nothing is freed."""
    for each in batch:
        if each.kept is None:
            yield from (blob.digest for blob in each.manifest.blobs)


def _freed_from(batches: Sequence[Sequence[Doomed]]) -> list[Digest]:
    """What the first of them frees, and of those that follow as much as one message holds."""
    freed = dict.fromkeys(_freed(batches[0]))
    for batch in batches[1:]:
        more = freed | dict.fromkeys(_freed(batch))
        if len(more) > _ANNOUNCED:
            break
        freed = more
    return list(freed)


def _fits(batch: Iterable[Doomed]) -> bool:
    return sum(each.size for each in batch) <= _BATCH_ROWS


def _fitting(doomed: Iterable[Doomed]) -> list[list[Doomed]]:
    """The same in parts, of which the first fits one transaction: it may be empty."""
    parts = list(_batches(doomed))
    return parts if parts and _fits(parts[0]) else [[], *parts]


def _batches(doomed: Iterable[Doomed]) -> Iterable[list[Doomed]]:
    """Cuts them so that each part fits one transaction; one that does not is a part of its own."""
    batch: list[Doomed] = []
    size = 0
    for each in doomed:
        if batch and size + each.size > _BATCH_ROWS:
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch
