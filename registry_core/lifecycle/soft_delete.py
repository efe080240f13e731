"""The purge: what was deleted softly goes for good when its days are over.

An ordinary deletion. What the manifests needed is found by garbage collection. The tags go first:
each went with its manifest or before it, so its days are over no later.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from registry_core.errors import DisallowedOperation, Unavailable
from registry_core.model.change import Event, Tell
from registry_core.model.clock import HybridClock
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, plan, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.executor import CHANGE_DEADLINE, Executor
from registry_core.repositories.plan import Found
from registry_core.repositories.rows import DeletedTag
from registry_core.repositories.soft_delete import SoftDelete
from registry_core.settings import Settings
from registry_core.storage import tables
from registry_core.storage.cache import Cache
from registry_core.storage.connection import Connection
from registry_core.storage.documents import SYSTEM, Documents
from registry_core.storage.faults import ConditionFailed, RowMissing, StorageFault
from registry_core.storage.tables import Row

ENTRY_AGE = 3 * CHANGE_DEADLINE
"""How old the entry of a repository with nothing left must be: no deletion counts on it then."""
_MOST_FAILED = 20
"""So many repositories that storage did not let be purged end a purge: it is storage that fails."""
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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        entry_age: timedelta = ENTRY_AGE,
    ) -> None:
        self._executor = executor
        self._soft_delete = soft_delete
        self._now = now
        self._entry_age = entry_age

    @classmethod
    def of(cls, connection: Connection, settings: Settings) -> Self:
        """That of the registry which a connection leads to."""
        executor = Executor(connection.table(rows.TABLE), HybridClock(settings.region))
        repositories = Catalog(connection.table(catalog.TABLE), partition=catalog.DELETED)
        documents = Documents(connection, SYSTEM)
        no_memory = timedelta(0)
        return cls(
            executor, SoftDelete(documents, repositories, Cache(no_memory), Cache(no_memory))
        )

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
        async for repository in self._repositories(after):
            if time.monotonic() >= over or report.failed >= _MOST_FAILED:
                report.last = repository.text
                break
            try:
                await self._visit(repository, as_of - policy.life, report, tell, dry_run=dry_run)
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
        await self._visit(repository, as_of - policy.life, report, tell, dry_run=False)
        return report

    def _check(self, as_of: datetime, *, dry_run: bool) -> None:
        """Nothing goes before its days are over."""
        if as_of > self._now() and not dry_run:
            raise ValueError("what will be due at a later time cannot be purged now")

    async def _repositories(self, after: str) -> AsyncIterator[RepositoryName]:
        first = Catalog.after(after)
        while True:
            page = await self._soft_delete.repositories.entries(first, (), tables.MAX_PAGE)
            for row in page.rows:
                yield Catalog.name(row.key)
            if page.is_last:
                return
            first = f"{page.rows[-1].key}\x20"

    async def _visit(
        self,
        repository: RepositoryName,
        before: datetime,
        report: Report,
        tell: Tell,
        *,
        dry_run: bool,
    ) -> None:
        """Purges what was deleted at `before` or earlier."""
        entry = await self._soft_delete.repositories.row(repository)
        if dry_run:
            await self._count(repository, before, report)
            return
        try:
            while (made := await self._purge_some(repository, before, tell)).changes:
                report.manifests += sum(not event.tag for event in made.events)
                report.tags += sum(bool(event.tag) for event in made.events)
        except DisallowedOperation:
            report.locked.append(repository.text)
            return
        if entry and entry.timestamp + self._entry_age <= self._now():
            await self._end(repository, entry.etag)

    async def _count(self, repository: RepositoryName, before: datetime, report: Report) -> None:
        for range_ in (rows.DELETED_TAG_TIMES, rows.DELETED_MANIFEST_TIMES):
            due = await self._due(repository, range_, before, None)
            if range_ is rows.DELETED_TAG_TIMES:
                report.tags += len(due)
            else:
                report.manifests += len(due)

    async def _due(
        self, repository: RepositoryName, range_: rows.Range, before: datetime, limit: int | None
    ) -> list[Row]:
        end = rows.deleted_before(range_, before)
        return await self._executor.between(repository, range_.first, end, limit)

    async def _purge_some(
        self, repository: RepositoryName, before: datetime, tell: Tell
    ) -> plan.Plan:
        """One transaction: of tags, and once there are none, of manifests."""

        async def read(also: frozenset[str]) -> _Read:
            most = plan.PURGED_A_TRANSACTION
            tags = await self._due(repository, rows.DELETED_TAG_TIMES, before, most)
            if tags:
                found = await self._executor.read(repository, {rows.REPOSITORY: None}, also)
                return _Read(found, tags=[DeletedTag.parse(row.key) for row in tags])
            due = await self._due(repository, rows.DELETED_MANIFEST_TIMES, before, most)
            if not due:
                return _Read({rows.REPOSITORY: None})
            keys = {row.key: rows.manifest_key(rows.last_digest(row.key)) for row in due}
            facts = dict.fromkeys(keys.values(), rows.MANIFEST_FACTS)
            found = await self._executor.read(repository, {rows.REPOSITORY: None, **facts}, also)
            manifests, surplus = list[Row](), list[Row]()
            for row in due:
                manifest = found[keys[row.key]]
                if manifest and rows.deleted_at(manifest) == rows.deletion_time(row.key):
                    manifests.append(manifest)
                else:
                    surplus.append(row)
            return _Read(found, manifests, surplus=surplus)

        made = await self._executor.change(
            repository,
            read,
            lambda read, moment: plan.purge(
                repository, read.rows, read.manifests, read.tags, read.surplus, moment
            ),
        )
        tell(made.plan.events)
        return made.plan

    async def _end(self, repository: RepositoryName, version: str) -> None:
        """Takes what was remembered of a repository in which nothing is left to restore.

        The entry was read before that, and is older than a deletion can count on it.
        """
        found = await self._executor.read(repository, {rows.REMEMBERED: ()})
        range_ = rows.DELETED_TIMES
        if await self._executor.between(repository, range_.first, range_.end, 1):
            return
        remembered = found[rows.REMEMBERED]
        if remembered:
            try:
                await self._executor.transact(
                    repository, [tables.delete(rows.REMEMBERED, remembered.etag)]
                )
            except (ConditionFailed, RowMissing):
                return
        await self._soft_delete.repositories.leave(repository, version)


async def purge_tonight(
    connection: Connection,
    settings: Settings,
    seconds: float,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Purges all that is due by now, and logs in one line what went and what stayed.

    Each night everything: only repositories in which something was deleted are looked into.
    """
    report = await Purge.of(connection, settings).run(now(), seconds=seconds)
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
