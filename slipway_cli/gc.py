"""`slipway gc`: garbage collection, of everything."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Kept, Kind, Report, Thing
from registry_core.settings import Settings
from registry_core.storage.budget import Budget, budgeted
from registry_core.system import System
from slipway_cli.command import (
    PartlyDone,
    Result,
    Row,
    Shaped,
    time_asked,
    written,
)
from slipway_cli.output.cells import Size, count, size_text
from slipway_cli.output.progress import Progress
from slipway_cli.stores import PATIENCE_SECONDS, check_schema, connection

_WHAT = {
    Kind.NEED: "needs of manifests that are gone",
    Kind.LINK: "links to blobs that no manifest needs",
    Kind.CONTENT: "blobs that nothing links",
    Kind.OBJECT: "objects of such blobs",
    Kind.UPLOAD: "objects of uploads that nobody committed",
    Kind.TOMBSTONE: "rows that deletions left",
    Kind.CHILD: "children of indexes that are gone",
    Kind.ENTRY: "catalog entries of repositories that are gone",
    Kind.USAGE: "usage of repositories that are gone",
}


@dataclass
class _Told:
    """What has gone so far."""

    progress: Progress
    keeps_all: bool
    is_dry: bool
    things: list[Thing] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)
    sizes: Counter[Kind] = field(default_factory=Counter)

    def tell(self, thing: Thing) -> None:
        """One thing goes."""
        self.counts[thing.kind] += 1
        self.sizes[thing.kind] += thing.size
        if self.keeps_all:
            self.things.append(thing)
        done = "would go" if self.is_dry else "gone"
        freed = size_text(self.sizes.total())
        self.progress.show(f"{count(self.counts.total(), 'thing')} {done}, {freed}")


async def collect(arguments: argparse.Namespace) -> Result:
    """Walks over all there is, and answers what went by kind. Raises `CommandError`."""
    as_of = time_asked(arguments)
    async with connection() as opened:
        await check_schema(System(opened))
        collector = Collector.of(opened, Settings.from_environment())
        with Progress() as progress:
            told = _Told(progress, arguments.output == "json", arguments.dry_run)
            # Each visit has a bound on attempts of its own; together there is none.
            with budgeted(Budget(PATIENCE_SECONDS, attempts=sys.maxsize)):
                walk = await collector.run(0, 1, as_of, dry_run=arguments.dry_run, tell=told.tell)
            progress.tell(_summary(told, walk.report))
    result = Shaped(_rows(told), _document(told, walk.report, as_of))
    if walk.report.failed or walk.left:
        raise PartlyDone(
            f"storage, or others who kept changing it, did not let "
            f"{count(max(walk.report.failed, 1), 'visit')} be finished. Run it again",
            result,
        )
    return result


def _summary(told: _Told, report: Report) -> str:
    things = count(told.counts.total(), "thing")
    freed = size_text(report.size)
    young = report.kept[Kept.YOUNG]
    said = f"{things} would go, {freed}." if told.is_dry else f"{things} went, {freed} freed."
    return f"{said} {count(young, 'thing')} too young to go." if young else said


def _rows(told: _Told) -> list[Row]:
    return [
        {
            "what": _WHAT[kind],
            "rule": kind.rule,
            "count": told.counts[kind],
            "size": Size(told.sizes[kind]),
        }
        for kind in Kind
        if told.counts[kind]
    ]


def _document(told: _Told, report: Report, as_of: datetime) -> dict[str, object]:
    return {
        "dryRun": told.is_dry,
        "asOf": written(as_of),
        "gone": {kind.value: told.counts[kind] for kind in Kind if told.counts[kind]},
        "kept": {reason.value: number for reason, number in report.kept.items()},
        "bytes": report.size,
        "failed": report.failed,
        "things": [
            {
                "kind": thing.kind.value,
                "rule": thing.kind.rule,
                "partition": thing.where or None,
                "name": thing.name,
                "bytes": thing.size,
            }
            for thing in told.things
        ],
    }
