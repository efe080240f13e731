"""The jobs that run all the time beside the clients: one line each."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from registry_core.errors import Unavailable
from registry_core.lifecycle.backup import stored
from registry_core.lifecycle.backup.backup import Backups
from registry_core.lifecycle.backup.holds import Holds
from registry_core.lifecycle.backup.shelves import Container
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.fsck.checker import Checker
from registry_core.lifecycle.fsck.report import Fault
from registry_core.lifecycle.retention.policy import Policy, Rule
from registry_core.lifecycle.retention.retention import How, Retention
from registry_core.lifecycle.retention.survey import Surveys
from registry_core.lifecycle.soft_delete import Purge
from registry_core.model.glob import Glob
from registry_core.repositories import catalog
from registry_core.repositories.services import RepositoryServices
from registry_core.repositories.untag_many import BulkUntaggings
from registry_core.settings import Settings, StorageSettings
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.connection import Connection
from registry_core.storage.faults import StorageFault
from tests.interference.chance import ChanceHook
from tests.soak import times
from tests.soak.times import AGES

_PAUSE = 0.5
"""Seconds between two runs: the clients need the processors as well."""
SHELF = "backups"
"""The container of the backups, in the same account."""
_BACKUPS_KEPT = 2
_BACKUP_PAUSE = 15.0
_PATIENCE_SECONDS = 120.0

Done = Counter[str]
"""What a job did: `collected` things and `bytes`, `retained` and `purged` manifests, `backups`, and
what is left `unfinished`. What is `broken …` is told in words."""
Job = Callable[[Connection], Awaitable[Done]]


async def collect(connection: Connection) -> Done:
    """A walk over everything."""
    collector = Collector(Stores.over(connection), AGES, holds=Holds(connection))
    report = (await collector.run(0, 1, datetime.now(UTC))).report
    return Done(
        collected=report.gone.total(),
        bytes=report.size,
        visits=report.visits,
        unfinished=report.failed,
        walks=1,
    )


async def check(connection: Connection) -> Done:
    """A check of everything, beside whatever goes on: nothing may ever be broken."""
    found = list[Fault]()
    report = await Checker(Stores.over(connection), found.append).run()
    broken = {f"broken {each.invariant} {each.partition} {each.key}: {each.text}" for each in found}
    return Done(dict.fromkeys(broken, 1)) + Done(checks=1, unfinished=report.failed)


async def retain(connection: Connection) -> Done:
    """Retention of what has had no tag for some time, in every repository."""
    services = _services(connection)
    retention = Retention(
        Surveys(services.table, services.manifests),
        connection.table(catalog.TABLE),
        services.bulk_deletions,
        BulkUntaggings(services.executor, services.soft_delete),
        times.GRACE,
        "local",
    )
    run = await retention.run(Policy((UNTAGGED,)), How(datetime.now(UTC)))
    return Done(retained=run.manifests.total(), unfinished=run.failed)


async def purge(connection: Connection) -> Done:
    """Of what was deleted softly some time ago.

    No policy keeps it for less than a day: this is done as so much later, by a clock of its own.
    """
    services = _services(connection)
    policy, _ = await services.soft_delete.policy()
    ahead = policy.life - times.KEPT
    purge = Purge(
        services.executor,
        services.soft_delete,
        services.messages,
        lambda: datetime.now(UTC) + ahead,
        entry_age=ahead + times.ENTRY_AGE,
    )
    report = await purge.run(datetime.now(UTC) + ahead)
    return Done(purged=report.manifests, unfinished=report.failed)


async def back_up(connection: Connection) -> Done:
    """A backup of rows and bytes, or what is left of one; and the oldest goes with its bytes."""
    shelf = Container(connection, SHELF)
    outcome = await Backups(connection, shelf).run()
    done = Done({f"broken backup: it lost {digest}": 1 for digest in outcome.backup.lost})
    pruned = await stored.prune(shelf, keep=_BACKUPS_KEPT)
    return done + Done(backups=1, copied=outcome.copied, pruned=len(pruned.backups))


def _services(connection: Connection) -> RepositoryServices:
    """Those that remember nothing, and count on what is there for as long as these times allow."""
    settings = Settings(StorageSettings(), gc_grace=times.GRACE)
    return RepositoryServices.over(connection, settings)


UNTAGGED = Rule("soak", (Glob("**"),), untagged=times.UNTAGGED, every_repository=True, brake=100)
JOBS: dict[Job, float] = {
    collect: _PAUSE,
    check: _PAUSE,
    retain: _PAUSE,
    purge: _PAUSE,
    back_up: _BACKUP_PAUSE,
}
"""With how many seconds between two runs."""
TAKES_UNTAGGED = True
"""Whether one of them takes manifests without a tag."""
OWED = ("collected", "retained", "purged", "failed", "repeated", "backups", "restored")
"""What must have happened in a run: a soak in which it did not has proved nothing."""


class Background:
    """Runs every job again and again, on storage that fails a share of its calls."""

    def __init__(self, storage: str, share: float, seed: int) -> None:
        self.hook = ChanceHook(share, seed)
        self.done: Done = Done()
        self._storage = storage

    async def run(self, stop: asyncio.Event) -> None:
        """Until it is told to stop."""
        connection = Connection(StorageSettings(self._storage), self.hook)
        try:
            await asyncio.gather(*(self._repeat(job, connection, stop) for job in JOBS))
        finally:
            await connection.close()

    async def _repeat(self, job: Job, connection: Connection, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                with budgeted(Budget(_PATIENCE_SECONDS, attempts=sys.maxsize)):
                    self.done += await job(connection)
            except (StorageFault, Unavailable):
                self.done["unfinished"] += 1
            try:
                async with asyncio.timeout(JOBS[job]):
                    await stop.wait()
            except TimeoutError:
                continue
