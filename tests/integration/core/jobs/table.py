"""Every job of the registry's own, as it is run without a client: one line each.

Each is put to the same tests (`test_faults.py`): storage fails at its calls, and it is killed
around them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from registry_core.lifecycle import nightly
from registry_core.lifecycle.collection.collector import Collector, Walk
from registry_core.lifecycle.collection.freed import Freed
from registry_core.lifecycle.collection.report import Report
from registry_core.lifecycle.fsck.checker import Checker
from registry_core.lifecycle.usage.count import Count
from registry_core.lifecycle.usage.total import PARTS
from registry_core.model.digest import Digest
from registry_core.model.messages import Kind, Message
from registry_core.model.names import RepositoryName
from tests.integration.core.collection.support import NO_AGE, Collecting, stores_of
from tests.integration.core.jobs.stage import DAYS, HOME, Stage
from tests.integration.core.retention.support import Retaining
from tests.integration.core.soft import purge_after
from tests.integration.core.soundness import at_once
from tests.integration.core.support import Client, digest_of


@dataclass(frozen=True)
class Done:
    """What a job did."""

    things: int = 0
    failed: int = 0
    """What it could not do, and says so."""


Run = Callable[[Client, Stage, datetime], Awaitable[Done]]
"""What an instance does on a stage. What was there at that moment is old."""


@dataclass(frozen=True)
class Job:
    """A job, and what it finds."""

    run: Run
    finds: Callable[[Stage], Awaitable[None]] = Stage.litter
    """Puts onto the stage what the job is there for."""
    mends: bool = False
    """Whether what it finds is broken."""
    is_long: bool = False
    """Whether `make test` leaves it out: it does what others do as well, or only reads."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.run.__name__


async def visit_of_a_blob(client: Client, stage: Stage, as_of: datetime) -> Done:
    visit = await Collecting(client).blob(digest_of(stage.gone.layer), as_of)
    return _done(visit.report)


async def last_visit_of_a_blob(client: Client, stage: Stage, as_of: datetime) -> Done:
    """Its rows have gone already: the object is left."""
    visit = await Collecting(client).blob(digest_of(stage.swept), as_of)
    return _done(visit.report)


async def visit_of_a_repository(client: Client, stage: Stage, as_of: datetime) -> Done:
    visit = await Collecting(client).repository(stage.emptied, as_of)
    return _done(visit.report)


async def visit_of_a_day(client: Client, stage: Stage, as_of: datetime) -> Done:
    return _done(await Collecting(client).collector.visit_day(stage.day, as_of))


async def walk(client: Client, stage: Stage, as_of: datetime) -> Done:
    return _walked(await Collecting(client).collector.run(0, 1, as_of))


async def night(client: Client, stage: Stage, as_of: datetime) -> Done:
    """The night in which the deleted image's layer is looked at."""
    shard = _shard_of(stage.gone.layer, nightly.NIGHTS)
    then = as_of
    while nightly.shard_of(then) != shard:
        then += timedelta(days=1)
    # Nothing is old by that time that is not old now.
    ages = replace(NO_AGE, **{name: each + (then - as_of) for name, each in vars(NO_AGE).items()})
    collector = Collector(stores_of(client), ages, now=lambda: then)
    return _walked(await nightly.collect(collector, now=lambda: then))


async def message(client: Client, stage: Stage, as_of: datetime) -> Done:
    """What the deletion of the image announced, when it is due."""
    name, digests = RepositoryName(HOME), tuple(map(Digest.of, stage.gone.blobs))
    freed = Freed(
        Collector(stores_of(client), NO_AGE),
        client.services.deletions._emptiness,
        client.services.bulk_deletions,
        client.services.deletions._messages,
        "local",
        lambda: as_of,
    )
    return _done(await freed.collect(Message(Kind.FREED, name, digests, as_of)))


async def retention(client: Client, stage: Stage, as_of: datetime) -> Done:
    """Retention of one repository, of what has no tag."""
    visit = await Retaining(client, HOME).visit(as_of)
    return Done(len(visit.gone))


async def purge(client: Client, stage: Stage, as_of: datetime) -> Done:
    """Of what was deleted softly, when its days are over."""
    made, later = purge_after(client, DAYS)
    report = await made.run(later)
    return Done(report.manifests + report.tags, report.failed + len(report.locked))


async def usage(client: Client, stage: Stage, as_of: datetime) -> Done:
    """The count of the part in which the layer of the image that stays is."""
    count = Count.of(client.services.connection, client.services.settings)
    total = await count.run(_shard_of(stage.kept.layer, PARTS), as_of)
    return Done(total.figures.blobs if total else 0)


async def repair(client: Client, stage: Stage, as_of: datetime) -> Done:
    found = Checker(stores_of(client), lambda _: None, wait=at_once, repair=True)
    report = await found.run()
    return Done(report.mended.total(), report.failed)


JOBS = [
    Job(visit_of_a_blob),
    Job(last_visit_of_a_blob),
    Job(visit_of_a_repository),
    Job(visit_of_a_day),
    Job(message),
    Job(purge, Stage.delete_softly),
    Job(usage, is_long=True),
    Job(retention, Stage.untag, is_long=True),
    Job(walk, is_long=True),
    Job(night, is_long=True),
    Job(repair, Stage.break_rows, mends=True, is_long=True),
]


def _shard_of(blob: bytes, of: int) -> int:
    """In which of so many parts of all digests that of a blob is."""
    digits = int(Digest.parse(digest_of(blob)).hex[:4], 16)
    return next(shard for shard in range(of) if digits < 16**4 * (shard + 1) // of)


def _done(report: Report) -> Done:
    return Done(report.gone.total(), report.failed)


def _walked(walk: Walk) -> Done:
    return Done(walk.report.gone.total(), walk.report.failed + len(walk.left))
