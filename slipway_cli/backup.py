"""`slipway backup` and `slipway restore`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from registry_core.lifecycle.backup import documents, stored
from registry_core.lifecycle.backup.backup import Backups, Outcome, Wanted
from registry_core.lifecycle.backup.documents import Backup, Damaged
from registry_core.lifecycle.backup.holds import HoldEnded
from registry_core.lifecycle.backup.places import SETTING, Place, WrongPlace, opened
from registry_core.lifecycle.backup.progress import Progress as Far
from registry_core.lifecycle.backup.progress import Step
from registry_core.lifecycle.backup.restore import NotEmpty, OtherRestore, Ready, Restores
from registry_core.lifecycle.backup.shelves import Folder, NoPlace, Shelf
from registry_core.lifecycle.backup.snapshot import Unsettled
from registry_core.lifecycle.backup.stored import Found, NoBackup
from registry_core.settings import Settings
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.connection import Connection
from registry_core.storage.faults import Taken
from registry_core.system import System
from slipway_cli.command import (
    CommandError,
    PartlyDone,
    Result,
    Row,
    Shaped,
    UsageError,
    written,
)
from slipway_cli.output.cells import Size, count, size_text, some
from slipway_cli.output.progress import Progress
from slipway_cli.stores import PATIENCE_SECONDS, check_schema, connection

_ACTIONS = ("list", "prune")
_MOST_DAYS = 3650
_DOING = {
    Step.EXPORT: "reading rows",
    Step.CHECK: "checking content",
    Step.COPY: "copying content",
    Step.ROWS: "writing rows",
}


@dataclass
class _Line:
    """The line that tells how far it is."""

    progress: Progress
    step: Step | None = None
    begun: float = field(default_factory=time.monotonic)

    def tell(self, far: Far) -> None:
        """It is so far."""
        if far.step is not self.step:
            self.step, self.begun = far.step, time.monotonic()
        if far.step in (Step.EXPORT, Step.ROWS):
            of = f" of {far.total}" if far.total else ""
            amount = f"{far.done}{of} repositories"
        else:
            amount = f"{size_text(far.done)} of {size_text(far.total)}{self._left(far)}"
        self.progress.show(f"{_DOING[far.step]}: {amount}")

    def _left(self, far: Far) -> str:
        passed = time.monotonic() - self.begun
        if not far.done or passed < 1:
            return ""
        seconds = passed * (far.total - far.done) / far.done
        minutes = round(seconds / 60)
        return f", {minutes} min left" if minutes else ", less than a minute left"


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Taken as error:
        raise CommandError(
            "another backup or prune works on the same destination: wait for its end, and try again"
        ) from error
    except WrongPlace as error:
        raise UsageError(str(error)) from error
    except Unsettled as error:
        raise CommandError(error.message) from error
    except HoldEnded as error:
        raise CommandError(
            "it stood still for so long that its hold has ended. The same command goes on with it"
        ) from error
    except (Damaged, NoBackup, NoPlace, NotEmpty, OtherRestore) as error:
        raise CommandError(str(error)) from error


@asynccontextmanager
async def _shelf(text: str, own: Connection) -> AsyncIterator[Shelf]:
    place = Place.parse(text)
    settings = Settings.from_environment().storage
    async with opened(place, own, settings, os.environ.get(SETTING, "")) as shelf:
        yield shelf


# Backup.


async def back_up(arguments: argparse.Namespace) -> Result:
    """Makes a backup, lists the backups, or deletes old ones. Raises `CommandError`."""
    _check(arguments)
    with _told():
        folder = Place.parse(arguments.destination).folder
        if arguments.action is not None and folder is not None:
            return await _look_after(arguments, Folder(folder))  # Nothing is asked of a registry.
        async with connection() as own, _shelf(arguments.destination, own) as shelf:
            # A long list of calls is no storage that hangs: only time without an answer counts.
            with budgeted(Budget(PATIENCE_SECONDS, attempts=sys.maxsize)):
                if arguments.action is not None:
                    return await _look_after(arguments, shelf)
                return await _make(arguments, own, shelf)


async def _look_after(arguments: argparse.Namespace, shelf: Shelf) -> Result:
    if arguments.action == "list":
        return _listed(await stored.found_on(shelf))
    return await _prune(arguments, shelf)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.destination in _ACTIONS and arguments.action is None:
        raise UsageError(f"backup {arguments.destination}: name the destination as well")
    is_prune = arguments.action == "prune"
    pruning = (arguments.keep, arguments.older_than)
    if not is_prune and (any(each is not None for each in pruning) or arguments.dry_run):
        raise UsageError("--keep, --older-than and --dry-run are for slipway backup prune")
    if is_prune and all(each is None for each in pruning):
        raise UsageError("say which backups go: --keep N or --older-than DAYS")
    if any(each is not None and each < 1 for each in pruning):
        raise UsageError("--keep and --older-than: use a number from 1")
    if arguments.rows_only is not (arguments.keep_for is not None) or (
        arguments.rows_only and arguments.action
    ):
        raise UsageError("--rows-only and --keep-for go together, and are for making a backup")
    if arguments.keep_for is not None and not 1 <= arguments.keep_for <= _MOST_DAYS:
        raise UsageError(f"--keep-for: use a number of days from 1 to {_MOST_DAYS}")


async def _make(arguments: argparse.Namespace, own: Connection, shelf: Shelf) -> Result:
    await check_schema(System(own))
    wanted = Wanted(timedelta(days=arguments.keep_for) if arguments.rows_only else None)
    with Progress() as progress:
        outcome = await Backups(own, shelf).run(wanted, tell=_Line(progress).tell)
        progress.tell(_summary(outcome))
    document = {
        **_document(outcome.backup),
        "copiedObjects": outcome.copied,
        "copiedBytes": outcome.copied_size,
    }
    answer = Shaped(_row(outcome.backup), document)
    lost = outcome.backup.lost
    if lost:
        raise PartlyDone(
            "the backup is complete, but for bytes that the registry itself does not have any "
            f"more: {some(lost)}",
            answer,
        )
    return answer


def _summary(outcome: Outcome) -> str:
    backup = outcome.backup
    if backup.rows_only:
        return f"Rows are backed up; the registry keeps the bytes until {backup.held_until}."
    return (
        f"{count(outcome.copied, 'object')} copied, {size_text(outcome.copied_size)}; "
        f"{count(backup.objects - outcome.copied, 'object')} had been there."
    )


def _row(backup: Backup) -> Row:
    return {
        "backup": backup.id,
        "state": _state(backup),
        "repositories": backup.counts.repositories,
        "manifests": backup.counts.manifests,
        "tags": backup.counts.tags,
        "size": Size(backup.size),
    }


def _state(backup: Backup) -> str:
    return "rows only" if backup.rows_only else "complete"


def _document(backup: Backup) -> dict[str, object]:
    return {
        "backup": backup.id,
        "state": _state(backup),
        "isComplete": True,
        "begun": written(documents.time_of(backup.id)),
        "ended": backup.ended,
        "account": backup.account,
        "release": backup.release,
        "rowsOnly": backup.rows_only,
        "heldUntil": backup.held_until or None,
        "repositories": backup.counts.repositories,
        "manifests": backup.counts.manifests,
        "tags": backup.counts.tags,
        "objects": backup.objects,
        "bytes": backup.size,
        "lost": list(backup.lost),
    }


def _listed(found: list[Found]) -> Result:
    rows, described = list[Row](), list[dict[str, object]]()
    for each in found:
        if each.backup is not None:
            rows.append(_row(each.backup))
            described.append(_document(each.backup))
            continue
        name = each.listed.backup
        state = "damaged" if each.listed.is_complete else "not complete"
        empty: dict[str, object] = dict.fromkeys(("repositories", "manifests", "tags"))
        rows.append({"backup": name, "state": state, **empty, "size": Size(None)})
        described.append({"backup": name, "state": state, "isComplete": False})
    return Shaped(rows, described)


async def _prune(arguments: argparse.Namespace, shelf: Shelf) -> Result:
    days = arguments.older_than
    pruned = await stored.prune(
        shelf,
        keep=arguments.keep,
        before=datetime.now(UTC) - timedelta(days=days) if days is not None else None,
        dry_run=arguments.dry_run,
    )
    row = {
        "backups": len(pruned.backups),
        "objects": pruned.objects,
        "size": Size(pruned.size),
    }
    document = {
        "dryRun": arguments.dry_run,
        "backups": list(pruned.backups),
        "objects": pruned.objects,
        "bytes": pruned.size,
    }
    return Shaped(row, document)


# Restore.


async def restore(arguments: argparse.Namespace) -> Result:
    """Restores a backup. Raises `CommandError`."""
    with _told():
        async with (
            connection() as own,
            _shelf(arguments.source, own) as shelf,
            _content(arguments.content_from, own) as content,
        ):
            reads = arguments.verify_content or Place.parse(arguments.source).folder is not None
            restores = Restores(own, shelf, content)
            with (
                budgeted(Budget(PATIENCE_SECONDS, attempts=sys.maxsize)),
                Progress() as progress,
            ):
                line = _Line(progress)
                ready = await restores.check(arguments.backup, reads=reads, tell=line.tell)
                if not arguments.dry_run:
                    await restores.run(ready, System(own).open, line.tell)
                progress.tell(_restored(ready, is_dry=arguments.dry_run))
    document = {**_document(ready.backup), "dryRun": arguments.dry_run, "goesOn": ready.goes_on}
    return Shaped(_row(ready.backup), document)


@asynccontextmanager
async def _content(text: str | None, own: Connection) -> AsyncIterator[Shelf | None]:
    if text is None:
        yield None
        return
    async with _shelf(text, own) as shelf:
        yield shelf


def _restored(ready: Ready, *, is_dry: bool) -> str:
    if not is_dry:
        return "The registry is restored. Its keys are new: whoever is signed in signs in again."
    goes_on = " A restore of it was begun, and would go on." if ready.goes_on else ""
    return f"The backup is whole, and can be restored here. Nothing was written.{goes_on}"
