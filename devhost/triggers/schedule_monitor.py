"""What is remembered of a timer from one run of the host to the next.

https://github.com/Azure/azure-webjobs-sdk-extensions: Timers/Scheduling/ScheduleMonitor.cs
"""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from devhost.triggers.ncrontab import Schedule

# In place of a time that has not been yet, as in the host.
UNSET = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger("devhost")


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """When a timer fired last, when it fires next, and from which time that was computed."""

    last: datetime
    next: datetime
    last_updated: datetime

    def as_json(self) -> dict[str, str]:
        """Return what the host stores, and hands to functions."""
        return {
            "Last": self.last.isoformat(),
            "Next": self.next.isoformat(),
            "LastUpdated": self.last_updated.isoformat(),
        }

    @classmethod
    def from_json(cls, document: dict[str, str]) -> "ScheduleStatus":
        """Return the status that `as_json` gave.

        Raises:
            ValueError, KeyError, TypeError: it did not.
        """
        last, following, updated = (
            datetime.fromisoformat(document[name]).astimezone(UTC)
            for name in ("Last", "Next", "LastUpdated")
        )
        return cls(last, following, updated)


class ScheduleMonitor:
    """Keeps the status of each timer in a file of its own in `directory`.

    The host keeps it in its storage, `azure-webjobs-hosts/timers/{hostId}/{function}/status`; the
    content is the same.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def check(self, name: str, schedule: Schedule, now: datetime) -> tuple[ScheduleStatus, bool]:
        """Return the timer's status at the start of a host, and whether a time was missed.

        A schedule that was changed since counts from now, so nothing was missed.
        """
        status = self._read(name)
        if status is None:
            following = schedule.next_after(now)
            # Remembered already, so that even its first time is missed if the host is not there.
            self.update(name, ScheduleStatus(UNSET, following, now))
            return ScheduleStatus(UNSET, following, UNSET), False
        basis = status.last if status.last > UNSET else status.last_updated
        expected = schedule.next_after(basis)
        if status.next != expected:
            if now > expected:
                basis, expected = now, schedule.next_after(now)
            status = ScheduleStatus(UNSET, expected, basis)
            self.update(name, status)
        return status, now > status.next

    def update(self, name: str, status: ScheduleStatus) -> None:
        """Remember the status; that this fails is logged and goes no further, as in the host."""
        file = self._file(name)
        draft = file.with_suffix(".draft")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(status.as_json()))
            draft.replace(file)
        except OSError as error:
            _log.error("%s: cannot keep the timer's status: %s", name, error)

    def _read(self, name: str) -> ScheduleStatus | None:
        file = self._file(name)
        try:
            return ScheduleStatus.from_json(json.loads(file.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            _log.warning("%s: %s cannot be read, so the timer starts without a status", name, file)
            return None

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.json"
