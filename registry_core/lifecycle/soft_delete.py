"""The purge: what was deleted softly goes for good when its days are over.

An ordinary deletion: what the manifests needed is announced to garbage collection. They go before
their tags: whoever restores one at the same time has it with its tags, or not at all.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from registry_core.errors import DisallowedOperation, Unavailable
from registry_core.model.change import Event, Tell
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import plan, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.executor import CHANGE_DEADLINE, Executor, Made
from registry_core.repositories.messages import Announcement, Messages
from registry_core.repositories.plan import Found
from registry_core.repositories.rows import DeletedTag, StoredManifest
from registry_core.repositories.services import RepositoryServices
from registry_core.repositories.soft_delete import SoftDelete
from registry_core.settings import Settings
from registry_core.storage import tables
from registry_core.storage.connection import Connection
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowMissing, StorageFault
from registry_core.storage.tables import Row

ENTRY_AGE = 3 * CHANGE_DEADLINE
"""How old the entry of a repository with nothing left must be: no deletion counts on it then."""
_MOST_FAILED = 20
"""So many repositories that storage did not let be purged end a purge: it is storage that fails."""
_MANIFESTS, _TAGS = rows.DELETED_MANIFEST_TIMES, rows.DELETED_TAG_TIMES
_LOGGER = logging.getLogger("slipway.purge")


@dataclass
class Report:
    """What a purge did."""

    manifests: int = 0
    tags: int = 0
    locked: list[str] = field(default_factory=list)
    """The repositories in which something is due, and stays while they are locked."""
    failed: int = 0
    """How many repositories storage did not let be purged."""
    last: str = ""
    """The repository that was looked into last; empty if all were."""


def _nobody(_: Iterable[Event]) -> None:
    """Is told what goes."""


@dataclass(frozen=True)
class _Read:
    """What is due in a repository, as it was read."""

    rows: Found
    manifests: Sequence[Row] = ()
    tags: Sequence[DeletedTag] = ()
    surplus: Sequence[Row] = ()
    is_empty: bool = False
    """Whether nothing at all can be restored, due or not."""

    @property
    def stamps(self) -> Iterable[str]:
        """The stamps of what goes."""
        return filter(None, (row.text("Stamp") for row in self.manifests))


class Purge:
    """Purges one registry. Any number may work at once, and repeat all they do."""

    def __init__(
        self,
        executor: Executor,
        soft_delete: SoftDelete,
        messages: Messages,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        entry_age: timedelta = ENTRY_AGE,
    ) -> None:
        self._executor = executor
        self._soft_delete = soft_delete
        self._messages = messages
        self._now = now
        self._entry_age = entry_age

    @classmethod
    def of(cls, connection: Connection, settings: Settings) -> Self:
        """That of the registry which a connection leads to."""
        services = RepositoryServices.over(connection, settings)
        return cls(services.executor, services.soft_delete, services.messages)

    async def run(
        self,
        as_of: datetime,
        *,
        dry_run: bool = False,
        seconds: float = float("inf"),
        after: str = "",
        tell: Tell = _nobody,
    ) -> Report:
        """Purges every repository in which something is due, of those after `after` in order.

        It ends after `seconds`, and where storage fails. Raises `Unavailable` if the policy cannot
        be read.
        """
        self._check(as_of, dry_run=dry_run)
        policy, _ = await self._soft_delete.policy()
        report, over = Report(), time.monotonic() + seconds
        before = as_of - policy.life
        async for entry in self._entries(after):
            if time.monotonic() >= over or report.failed >= _MOST_FAILED:
                report.last = Catalog.name(entry.key).text
                break
            try:
                await self._visit(entry, before, report, tell, dry_run=dry_run)
            except (Unavailable, StorageFault):
                report.failed += 1
        return report

    async def visit(
        self, repository: RepositoryName, as_of: datetime, *, tell: Tell = _nobody
    ) -> Report:
        """Purges one repository. Raises `Unavailable` if storage fails."""
        self._check(as_of, dry_run=False)
        policy, _ = await self._soft_delete.policy()
        report = Report()
        entry = await self._soft_delete.repositories.row(repository)
        if entry:
            await self._visit(entry, as_of - policy.life, report, tell, dry_run=False)
        return report

    def _check(self, as_of: datetime, *, dry_run: bool) -> None:
        """Nothing goes before its days are over."""
        if as_of > self._now() and not dry_run:
            raise ValueError("what will be due at a later time cannot be purged now")

    async def _entries(self, after: str) -> AsyncIterator[Row]:
        """Those of the repositories in which something was deleted, and may still be there."""
        first = Catalog.after(after)
        while True:
            page = await self._soft_delete.repositories.entries(first, (), tables.MAX_PAGE)
            for row in page.rows:
                yield row
            if page.is_last:
                return
            first = f"{page.rows[-1].key}\x20"

    async def _visit(
        self, entry: Row, before: datetime, report: Report, tell: Tell, *, dry_run: bool
    ) -> None:
        """Purges what was deleted at `before` or earlier."""
        repository = Catalog.name(entry.key)
        announcement = Announcement(self._messages, repository)
        if dry_run:
            report.manifests += len(await self._due(repository, _MANIFESTS, before))
            report.tags += len(await self._due(repository, _TAGS, before))
            return
        try:
            while (made := await self._purge_some(repository, before, announcement)).plan.changes:
                tell(made.plan.events)
                report.manifests += sum(not event.tag for event in made.plan.events)
                report.tags += sum(bool(event.tag) for event in made.plan.events)
        except DisallowedOperation:
            report.locked.append(repository.text)
            return
        if made.read.is_empty:
            await self._end(repository, entry)

    async def _due(
        self, repository: RepositoryName, range_: rows.Range, before: datetime
    ) -> list[Row]:
        end = rows.deleted_before(range_, before)
        return await self._executor.between(repository, range_.first, end, None)

    async def _purge_some(
        self, repository: RepositoryName, before: datetime, announcement: Announcement
    ) -> Made[_Read]:
        """One transaction: of manifests, and once none of them are due, of tags."""

        async def read(also: frozenset[str]) -> _Read:
            manifests, has_manifests = await self._earliest(repository, _MANIFESTS, before)
            if manifests:
                read_first = await self._manifests(repository, manifests, also)
                await announcement.make(_freed(read_first.manifests))
                return read_first
            tags, has_tags = await self._earliest(repository, _TAGS, before)
            if not tags:
                is_empty = not (has_manifests or has_tags)
                return _Read({rows.REPOSITORY: None}, is_empty=is_empty)
            found = await self._executor.read(repository, {rows.REPOSITORY: None}, also)
            return _Read(found, tags=[DeletedTag.parse(row.key) for row in tags])

        return await self._executor.change(
            repository,
            read,
            lambda read, moment: plan.purge(
                repository, read.rows, read.manifests, read.tags, read.surplus, moment
            ),
        )

    async def _earliest(
        self, repository: RepositoryName, range_: rows.Range, before: datetime
    ) -> tuple[list[Row], bool]:
        """Of the deletions of a kind, the earliest that are due; and whether there are any."""
        most = plan.PURGED_A_TRANSACTION
        found = await self._executor.between(repository, range_.first, range_.end, most)
        return [row for row in found if rows.deletion_time(row.key) <= before], bool(found)

    async def _manifests(
        self, repository: RepositoryName, due: Sequence[Row], also: frozenset[str]
    ) -> _Read:
        """The manifests that rows `DM:` are of; rows that say what is not so are surplus."""
        keys = {row.key: rows.manifest_key(rows.last_digest(row.key)) for row in due}
        facts = dict.fromkeys(keys.values(), rows.FREED_MANIFEST_FACTS)
        found = await self._executor.read(repository, {rows.REPOSITORY: None, **facts}, also)
        manifests, surplus = list[Row](), list[Row]()
        for row in due:
            manifest = found[keys[row.key]]
            if manifest and rows.deleted_at(manifest) == rows.deletion_time(row.key):
                manifests.append(manifest)
            else:
                surplus.append(row)
        return _Read(found, manifests, surplus=surplus)

    async def _end(self, repository: RepositoryName, entry: Row) -> None:
        """Takes what is remembered of a repository in which nothing can be restored any more.

        What goes was read before it is seen that there is nothing. Its entry goes only if it is
        older than a deletion that is under way may count on it.
        """
        found = await self._executor.read(repository, {rows.REMEMBERED: ()})
        range_ = rows.DELETED_TIMES
        if await self._executor.between(repository, range_.first, range_.end, 1):
            return
        if remembered := found[rows.REMEMBERED]:
            try:
                changes = [tables.delete(rows.REMEMBERED, remembered.etag)]
                await self._executor.transact(repository, changes)
            except (ConditionFailed, RowMissing):
                pass
            except Ambiguous:
                return  # With its entry it is found again.
        if entry.timestamp + self._entry_age <= self._now():
            await self._soft_delete.repositories.leave(repository, entry.etag)


def _freed(manifests: Iterable[Row]) -> Iterator[Digest]:
    for row in manifests:
        yield from (blob.digest for blob in StoredManifest.from_row(row).blobs)


async def purge(
    purge: Purge, seconds: float, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Report:
    """Purges all that is due by now, and logs in one line what went and what stayed.

    Each night everything: only repositories in which something was deleted are looked into.
    """
    report = await purge.run(now(), seconds=seconds)
    line = {
        "Category": "Purge",
        "Manifests": report.manifests,
        "Tags": report.tags,
        "Locked": len(report.locked),
        "Failed": report.failed,
        "IsComplete": not report.last,
    }
    _LOGGER.log(logging.WARNING if report.failed else logging.INFO, json.dumps(line))
    return report
