"""A backup each day, by a timer that comes more often: a run is too short for a large registry."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from registry_core.lifecycle.backup import documents
from registry_core.lifecycle.backup.backup import Backups, Outcome
from registry_core.lifecycle.backup.places import Place, opened
from registry_core.lifecycle.backup.shelves import Shelf
from registry_core.settings import BackupSettings, StorageSettings
from registry_core.storage.connection import Connection
from registry_core.storage.faults import Taken

PAUSE = timedelta(hours=23, minutes=30)
"""How long after the last backup began the next one does; less than a day, so that it keeps up."""
_LOGGER = logging.getLogger("slipway.backup")


class Daily:
    """Makes the daily backups of one registry."""

    def __init__(
        self,
        connection: Connection,
        settings: StorageSettings,
        backup: BackupSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._backup = backup
        self._now = now

    async def run(self, *, seconds: float) -> Outcome | None:
        """Goes on with a backup, or begins one if it is time; None if there is nothing to do.

        Logs in one line what was done. Raises what storage raises, and `WrongPlace`.
        """
        place = Place.parse(self._backup.to)
        settings, key = self._settings, self._backup.connection_string
        async with opened(place, self._connection, settings, key) as shelf:
            if not await self._is_time(shelf):
                return None
            backups = Backups(self._connection, shelf, self._now)
            try:
                outcome = await backups.run(seconds=seconds)
            except Taken:
                _LOGGER.info("another process makes a backup in %s", place)
                return None
        _LOGGER.log(logging.WARNING if outcome.backup.lost else logging.INFO, line(outcome))
        return outcome

    async def _is_time(self, shelf: Shelf) -> bool:
        listed = documents.backups_in(await shelf.names(documents.BACKUPS))
        complete = [each.backup for each in listed if each.is_complete]
        if not complete or any(
            each.is_unfinished and each.backup > complete[-1] for each in listed
        ):
            return True
        return documents.time_of(complete[-1]) + PAUSE <= self._now()


def line(outcome: Outcome) -> str:
    """What is logged of a run."""
    backup = outcome.backup
    return json.dumps(
        {
            "Category": "Backup",
            "Backup": backup.id,
            "IsComplete": outcome.is_complete,
            "Repositories": backup.counts.repositories,
            "Objects": backup.objects,
            "Bytes": backup.size,
            "CopiedObjects": outcome.copied,
            "CopiedBytes": outcome.copied_size,
            "Lost": list(backup.lost),
        }
    )
