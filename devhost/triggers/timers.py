"""Timer triggers.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer
https://github.com/Azure/azure-webjobs-sdk-extensions: Timers/Listener/TimerListener.cs
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from azure.functions.meta import Datum
from azure.functions.timer import TimerRequest, TimerRequestConverter

from devhost.errors import AppError
from devhost.triggers.bindings import resolve
from devhost.triggers.clock import Clock
from devhost.triggers.ncrontab import Schedule, ScheduleError
from devhost.triggers.schedule_monitor import UNSET, ScheduleMonitor, ScheduleStatus
from devhost.triggers.worker import Function, Worker

# Timers that fire more often than this are not monitored, whatever they say.
_SHORTEST_MONITORED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TimerFunction:
    """A function with a timer trigger."""

    function: Function
    schedule: Schedule
    run_on_startup: bool
    use_monitor: bool

    @classmethod
    def parse(
        cls, function: Function, trigger: Mapping[str, Any], settings: Mapping[str, str]
    ) -> "TimerFunction":
        """Take it from the trigger's attributes.

        Raises:
            AppError: the schedule is not NCRONTAB; the message names the function.
        """
        try:
            schedule = Schedule.parse(resolve(trigger["schedule"], settings))
        except (ScheduleError, AppError) as error:
            raise AppError(f"function {function.name}: the schedule {error}") from None
        return cls(
            function,
            schedule,
            run_on_startup=bool(trigger.get("runOnStartup")),
            use_monitor=trigger.get("useMonitor") is not False,
        )


class TimerListener:
    """Calls one function when its time has come, one call at a time.

    A call that takes longer than the interval makes the times in between fall away: there is one
    call at once after it, for all that were missed, and then the schedule goes on.
    """

    def __init__(
        self, timer: TimerFunction, worker: Worker, monitor: ScheduleMonitor, clock: Clock
    ) -> None:
        self._timer = timer
        self._worker = worker
        self._clock = clock
        self._monitor = monitor if self._is_monitored() else None

    async def prepare(self) -> None:
        """Do nothing: a timer needs nothing."""

    async def listen(self, stopping: asyncio.Event) -> None:
        """Call the function again and again, until `stopping` is set and the last call is over."""
        status, past_due = self._initial_status()
        if past_due or self._timer.run_on_startup:
            status = await self._invoke(status, past_due=past_due)
        while await self._clock.wait_until(status.next, stopping):
            status = await self._invoke(status)

    def _is_monitored(self) -> bool:
        now = self._clock.now()
        first = self._timer.schedule.next_after(now)
        second = self._timer.schedule.next_after(first)
        return self._timer.use_monitor and second - now >= _SHORTEST_MONITORED

    def _initial_status(self) -> tuple[ScheduleStatus, bool]:
        name, schedule = self._timer.function.name, self._timer.schedule
        if self._monitor is None:
            following = schedule.next_after(self._clock.now())
            return ScheduleStatus(UNSET, following, UNSET), False
        return self._monitor.check(name, schedule, self._clock.now())

    async def _invoke(self, status: ScheduleStatus, *, past_due: bool = False) -> ScheduleStatus:
        """Call the function and return the status after that, which counts from its start."""
        began = self._clock.now()
        request = timer_request(status if self._monitor else None, past_due=past_due)
        await self._worker.succeeds(self._timer.function, request)
        following = self._timer.schedule.next_after(began)
        status = ScheduleStatus(began, following, began)
        if self._monitor is not None:
            self._monitor.update(self._timer.function.name, status)
        return status


def timer_request(status: ScheduleStatus | None, *, past_due: bool) -> TimerRequest:
    """Return what a function is called with, made by the worker's own code from the host's JSON."""
    document = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status.as_json() if status else None,
        "IsPastDue": past_due,
    }
    request: TimerRequest = TimerRequestConverter.decode(
        Datum(json.dumps(document), "json"), trigger_metadata=None
    )
    return request
