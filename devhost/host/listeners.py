"""What waits for the occasions to call functions that no request calls."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from devhost.host.app import FunctionApp
from devhost.triggers.clock import SystemClock
from devhost.triggers.schedule_monitor import ScheduleMonitor
from devhost.triggers.timers import TimerListener
from devhost.triggers.worker import Worker

_log = logging.getLogger("devhost")


class Listener(Protocol):
    """Calls one function whenever there is an occasion."""

    async def prepare(self) -> None:
        """Make what the occasions come from, so that they can come from now on."""

    async def listen(self, stopping: asyncio.Event) -> None:
        """Do so until `stopping` is set and the calls in progress are over."""


def create_listeners(app: FunctionApp, worker: Worker, data_dir: Path) -> list[Listener]:
    """Return a listener for each timer and queue trigger; timers are remembered in `data_dir`."""
    monitor, clock = ScheduleMonitor(data_dir / "timers"), SystemClock()
    timers = [TimerListener(timer, worker, monitor, clock) for timer in app.timers]
    return [*timers, *_queue_listeners(app, worker)]


def _queue_listeners(app: FunctionApp, worker: Worker) -> Iterator[Listener]:
    if app.queues:
        # It loads part of Azure's SDK, which an app without queues does without.
        from devhost.triggers.queue_listener import QueueListener  # noqa: PLC0415

        for queue in app.queues:
            yield QueueListener(queue, worker, app.queues_options)


class Listeners:
    """Listeners at work."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Set them to work; what comes from now on is heard."""
        await asyncio.gather(*(listener.prepare() for listener in self._listeners))
        for listener in self._listeners:
            task = asyncio.create_task(listener.listen(self._stopping))
            task.add_done_callback(_report)
            self._tasks.append(task)

    async def stop(self, patience: float) -> None:
        """Have them begin nothing new, and give calls in progress so many seconds."""
        self._stopping.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error(
            "a trigger failed; its function is not called again until a restart", exc_info=error
        )
