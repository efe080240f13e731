"""Every job of the registry's own, as it is run without a client: one line each.

Each is put to the same tests (`test_faults.py`): its storage calls fail one by one, and it is
killed around each of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from registry_core.lifecycle import nightly
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Report
from registry_core.model.digest import Digest
from tests.integration.core.collection.support import NO_AGE, Collecting, stores_of
from tests.integration.core.jobs.stage import Stage
from tests.integration.core.support import Client, digest_of

Job = Callable[[Client, Stage, datetime], Awaitable[Report]]
"""What an instance does on a stage. What was there at that moment is old. Answers what it did."""


async def visit_of_a_blob(client: Client, stage: Stage, as_of: datetime) -> Report:
    visit = await Collecting(client).blob(digest_of(stage.gone.layer), as_of)
    return visit.report


async def last_visit_of_a_blob(client: Client, stage: Stage, as_of: datetime) -> Report:
    """Its rows have gone already: the object is left."""
    visit = await Collecting(client).blob(digest_of(stage.swept), as_of)
    return visit.report


async def visit_of_a_repository(client: Client, stage: Stage, as_of: datetime) -> Report:
    visit = await Collecting(client).repository(stage.emptied, as_of)
    return visit.report


async def visit_of_a_day(client: Client, stage: Stage, as_of: datetime) -> Report:
    return await Collecting(client).collector.visit_day(stage.day, as_of)


async def walk(client: Client, stage: Stage, as_of: datetime) -> Report:
    found = await Collecting(client).collector.run(0, 1, as_of)
    return found.report + Report(failed=len(found.left))


async def night(client: Client, stage: Stage, as_of: datetime) -> Report:
    """The night in which the deleted image's layer is looked at."""
    digits = int(Digest.parse(digest_of(stage.gone.layer)).hex[:4], 16)
    shard = next(s for s in range(nightly.NIGHTS) if digits < 16**4 * (s + 1) // nightly.NIGHTS)
    then = as_of
    while nightly.shard_of(then) != shard:
        then += timedelta(days=1)
    # Nothing is old by that time that is not old now.
    ages = replace(NO_AGE, **{name: each + (then - as_of) for name, each in vars(NO_AGE).items()})
    collector = Collector(stores_of(client), ages, now=lambda: then)
    found = await nightly.collect(collector, now=lambda: then)
    return found.report + Report(failed=len(found.left))


JOBS: list[Job] = [
    visit_of_a_blob,
    last_visit_of_a_blob,
    visit_of_a_repository,
    visit_of_a_day,
    walk,
    night,
]
