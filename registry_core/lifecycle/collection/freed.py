"""Collection of what a message names: each digest that a deletion freed, and what it left."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from registry_core.errors import DisallowedOperation, NameUnknown, Unavailable
from registry_core.lifecycle import audit
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Report, Visit
from registry_core.model.change import DeleteRepository, Event
from registry_core.model.digest import Digest
from registry_core.model.messages import Message
from registry_core.model.names import RepositoryName
from registry_core.repositories.delete_many import BulkDeletions
from registry_core.repositories.emptiness import Emptiness
from registry_core.repositories.messages import Messages
from registry_core.repositories.services import RepositoryServices
from registry_core.settings import Settings
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.connection import Connection
from registry_core.storage.faults import StorageFault
from registry_core.storage.pacing import together

SECONDS = 300.0
"""After so long no other visit is begun: a function may run ten minutes, and a visit take some."""
_MOST_FAILED = 20
"""After so many visits that failed no other is begun: storage fails."""
_LOGGER = logging.getLogger("slipway.collection")


@dataclass
class _Round:
    """The visits for one message on their way."""

    as_of: datetime
    over: float
    report: Report
    due: dict[Digest, datetime]
    """When more of a digest may go: of those of which more may."""
    left: set[Digest]
    """The digests that it did not come to."""

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.over or self.report.failed >= _MOST_FAILED


class Freed:
    """Collects what messages name. Any number may work at once, and repeat all they do."""

    def __init__(
        self,
        collector: Collector,
        emptiness: Emptiness,
        deletions: BulkDeletions,
        messages: Messages,
        region: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._collector = collector
        self._emptiness = emptiness
        self._deletions = deletions
        self._messages = messages
        self._region = region
        self._now = now

    @classmethod
    def of(cls, connection: Connection, settings: Settings, now: Callable[[], datetime]) -> Self:
        """Of the registry which a connection leads to."""
        services = RepositoryServices.over(connection, settings, now=now)
        return cls(
            Collector.of(connection, settings, now),
            Emptiness(services.executor, services.catalog, services.soft_delete),
            services.bulk_deletions,
            services.messages,
            settings.region,
            now,
        )

    async def collect(self, message: Message, seconds: float = SECONDS) -> Report:
        """Visits all that a message names, and leaves one message for what is due later.

        It logs in one line what went and what stayed. Raises `Unavailable` where a visit failed:
        then nothing is left for later, and the message has to come again.
        """
        made = _Round(self._now(), time.monotonic() + seconds, Report(), {}, set())
        await self._repository(message.repository, made)
        await together(self._visit(digest, made) for digest in message.digests)
        later = None if made.report.failed else self._later(message, made)
        if later is not None:
            await self._messages.send(later)
        line = {
            "Category": "Collection",
            "Message": message.kind,
            "Repository": message.repository.text,
            "Digests": len(message.digests),
            **made.report.columns,
            "Later": len(later.digests) if later else 0,
        }
        level = logging.WARNING if made.report.failed else logging.INFO
        _LOGGER.log(level, json.dumps(line))
        if made.report.failed:
            raise Unavailable("a part of a message could not be done; it has to come again")
        return made.report

    def _later(self, message: Message, made: _Round) -> Message | None:
        """What is to be done when the last of it is due; None if nothing is.

        A visit that comes late does every stage at once, and one that comes early does none.
        """
        waiting = made.left | made.due.keys()
        digests = tuple(digest for digest in message.digests if digest in waiting)
        if not digests:
            return None
        due = made.as_of if made.left else max(made.due.values())
        return replace(message, digests=digests, due=due)

    async def _repository(self, name: RepositoryName, made: _Round) -> None:
        """Ends a repository that a deletion left empty, and takes its tombstones.

        Somebody may have begun to delete all that was in it: it was long ago, so that has stopped.
        """

        async def visit() -> Visit:
            if await self._emptiness.end(name):
                await self._go_on(name, made)
            return await self._collector.visit_remains(name, made.as_of)

        await self._reported(visit, made)

    async def _go_on(self, name: RepositoryName, made: _Round) -> None:
        """Ends a deletion of a whole repository, in nobody's name: who began it is not known."""

        def tell(events: Iterable[Event]) -> None:
            audit.write(events, self._region)

        with (
            budgeted(Budget(max(made.over - time.monotonic(), 0))),
            # Another may have ended it meanwhile, or a lock.
            suppress(NameUnknown, DisallowedOperation),
        ):
            await self._deletions.delete_repository(name, DeleteRepository(), tell)

    async def _visit(self, digest: Digest, made: _Round) -> None:
        if made.is_over:
            made.left.add(digest)
            return

        async def visit() -> Visit:
            return await self._collector.visit_blob(digest, made.as_of)

        due = await self._reported(visit, made)
        if due is not None:
            made.due[digest] = due

    @staticmethod
    async def _reported(visit: Callable[[], Awaitable[Visit]], made: _Round) -> datetime | None:
        try:
            done = await visit()
        except (StorageFault, Unavailable):
            made.report += Report(visits=1, failed=1)
            return None
        made.report += done.report
        return done.due
