"""`slipway fsck`: the check of everything in storage."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from registry_core.access.signing_keys import SigningKeys
from registry_core.access.store import Access
from registry_core.lifecycle.backup.restore import under_way
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Kind
from registry_core.lifecycle.collection.report import Report as Garbage
from registry_core.lifecycle.fsck.checker import Checker, Document
from registry_core.lifecycle.fsck.report import Fault, Outcome, Report
from registry_core.model.invariants import Invariant
from registry_core.settings import Settings
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.cache import Cache
from registry_core.storage.connection import Connection
from registry_core.system import System
from slipway_cli.command import CommandError, PartlyDone, Result, Row, Shaped
from slipway_cli.output.cells import Name, Size, age, count, size_text
from slipway_cli.output.progress import Progress
from slipway_cli.stores import PATIENCE_SECONDS, check_schema, connection

_SURE_SECONDS = 2.0
"""Before that nobody can tell how fast it goes."""
_EVER = timedelta(days=36_500)
"""By then all that is garbage now is old enough to go."""


@dataclass
class Told:
    """What was found so far."""

    progress: Progress
    now: Callable[[], float] = time.monotonic
    faults: list[Fault] = field(default_factory=list)
    _begun: float | None = None
    """When the first bytes were hashed."""

    def tell(self, fault: Fault) -> None:
        """One thing is broken."""
        self.faults.append(fault)

    def show(self, report: Report) -> None:
        """How far it is."""
        found = f"{count(report.broken.total(), 'thing')} broken"
        if report.verified:
            self.progress.show(f"{self.verified(report)}; {found}")
        else:
            self.progress.show(f"{_looked_at(report)}; {found}")

    def verified(self, report: Report) -> str:
        """How many bytes have been hashed, and how long the rest will take at that rate."""
        done = f"{size_text(report.verified)} of {size_text(report.size)} read"
        if self._begun is None:
            self._begun = self.now()
        passed = self.now() - self._begun
        if passed < _SURE_SECONDS:
            return done
        left = timedelta(seconds=passed * max(report.size / report.verified - 1, 0))
        return f"{done}, {age(left)} left"


async def check(arguments: argparse.Namespace) -> Result:
    """Looks at everything, and answers what is or was broken. Raises `CommandError`."""
    async with connection() as opened:
        await check_schema(System(opened))
        begun = await under_way(opened)
        if begun and arguments.repair:
            raise CommandError(_begun_text(begun))
        with Progress() as progress:
            told = Told(progress)
            checker = Checker.of(
                opened,
                told.tell,
                _documents(opened),
                told.show,
                repair=arguments.repair,
                verify_content=arguments.verify_content,
            )
            # Each look has a bound on attempts of its own; together there is none.
            with budgeted(Budget(PATIENCE_SECONDS, attempts=sys.maxsize)):
                report = await checker.run()
                garbage = await _garbage(opened, report)
            progress.tell(_summary(report, garbage))
            if begun and not report.is_sound:
                progress.tell(f"Not restored yet: {_begun_text(begun)}.")
    return _result(told.faults, report, garbage, begun)


def _begun_text(backup: str) -> str:
    return (
        f"a restore of the backup {backup} was begun here and has not come to its end, so "
        f"something is missing yet. Go on with it: slipway restore, with --backup {backup}"
    )


def _documents(opened: Connection) -> Mapping[str, Document]:
    """What all instances share, and how it is read."""
    access = Access(opened, Cache(timedelta(0)))
    return {
        "keys/upload-state.json": System(opened).upload_keys,
        "keys/tokens.json": SigningKeys(opened).list,
        "tokens": access.tokens,
        "scope-maps": access.scope_maps,
        "roles": access.assignments,
    }


async def _garbage(opened: Connection, report: Report) -> Garbage | None:
    """What collection would take, however young it is; None where rows cannot be read."""
    if report.broken[Invariant.READABLE] or report.failed:
        return None
    collector = Collector.of(opened, Settings.from_environment())
    return (await collector.run(0, 1, datetime.now(UTC) + _EVER, dry_run=True)).report


def _result(
    faults: list[Fault], report: Report, garbage: Garbage | None, begun: str | None
) -> Result:
    result = Shaped(
        _rows(faults) if faults else _counts(report, garbage),
        {**_document(faults, report, garbage), "restoreUnderWay": begun},
        status=0 if report.is_sound else 1,
    )
    if report.is_sound and begun:
        raise PartlyDone(_begun_text(begun), result)
    if report.is_sound and (report.failed or report.unsettled or garbage is None):
        raise PartlyDone(
            "storage, or others who kept changing it, did not let "
            f"{count(max(report.failed + report.unsettled, 1), 'thing')} be looked at. "
            "Run it again",
            result,
        )
    return result


def _looked_at(report: Report) -> str:
    return (
        f"{count(report.repositories, 'repository', 'repositories')}, "
        f"{count(report.manifests, 'manifest')}, {count(report.tags, 'tag')}, "
        f"{count(report.blobs, 'blob')} of {size_text(report.size)}"
    )


def _summary(report: Report, garbage: Garbage | None) -> str:
    broken = report.broken.total()
    said = f"{count(broken, 'thing')} broken" if broken else "Nothing is broken"
    said += f" in {_looked_at(report)}."
    if report.mended.total():
        said += f" {count(report.mended.total(), 'thing')} mended."
    if report.verified:
        said += f" {size_text(report.verified)} read and hashed."
    if garbage and (number := garbage.gone.total()):
        said += f" {count(number, 'thing')} of garbage, {size_text(garbage.size)}."
    if report.failed or report.unsettled:
        said += " Not everything could be looked at."
    return said


def _rows(faults: list[Fault]) -> list[Row]:
    return [
        {
            "invariant": fault.invariant.value,
            "where": Name(" ".join(filter(None, (fault.place, fault.partition)))),
            "row": Name(fault.key),
            "what": fault.text,
            "to do": _to_do(fault),
        }
        for fault in faults
    ]


def _to_do(fault: Fault) -> str:
    if fault.outcome is Outcome.MENDED:
        return "nothing: it was mended"
    return fault.advice or "slipway fsck --repair"


def _counts(report: Report, garbage: Garbage | None) -> Row:
    return {
        "repositories": report.repositories,
        "manifests": report.manifests,
        "tags": report.tags,
        "blobs": report.blobs,
        "size": Size(report.size),
        "garbage": garbage.gone.total() if garbage else None,
        "garbage size": Size(garbage.size if garbage else None),
    }


def _document(faults: list[Fault], report: Report, garbage: Garbage | None) -> dict[str, object]:
    return {
        "isSound": report.is_sound,
        "isComplete": not (report.failed or report.unsettled),
        "repositories": report.repositories,
        "manifests": report.manifests,
        "tags": report.tags,
        "blobs": report.blobs,
        "bytes": report.size,
        "bytesVerified": report.verified,
        "broken": {each.value: number for each, number in sorted(report.broken.items())},
        "mended": {each.value: number for each, number in sorted(report.mended.items())},
        "garbage": {kind.value: garbage.gone[kind] for kind in Kind if garbage.gone[kind]}
        if garbage
        else None,
        "garbageBytes": garbage.size if garbage else None,
        "failed": report.failed,
        "unsettled": report.unsettled,
        "findings": [
            {
                "invariant": fault.invariant.value,
                "place": fault.place.value,
                "partition": fault.partition or None,
                "key": fault.key,
                "text": fault.text,
                "canBeMended": fault.can_be_mended,
                "advice": fault.advice or None,
                "outcome": fault.outcome.value,
            }
            for fault in faults
        ],
    }
