"""Timer triggers on a clock that the tests turn: waiting takes no time, and calls what they say."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.functions.timer import TimerRequest

from devhost.triggers.ncrontab import Schedule
from devhost.triggers.schedule_monitor import UNSET, ScheduleMonitor
from devhost.triggers.timers import TimerFunction, TimerListener
from devhost.triggers.worker import Function, Worker
from tests.patience import PATIENCE

MIDNIGHT = datetime(2024, 5, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


class FakeClock:
    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    async def wait_until(self, moment: datetime, stopping: asyncio.Event) -> bool:
        await asyncio.sleep(0)
        if stopping.is_set():
            return False
        self.time = max(self.time, moment)
        return True


class Run:
    """One run of a host with one timer, stopped when its function has been called `calls` times.

    Each call takes `takes`, and then does what `then` does.
    """

    def __init__(
        self,
        directory: Path,
        schedule: str,
        *,
        start: datetime = MIDNIGHT + SECOND,
        takes: timedelta = timedelta(0),
        then: Callable[[], object] = lambda: None,
        on_startup: bool = False,
        monitored: bool = True,
    ) -> None:
        self.clock = FakeClock(start)
        self.times: list[timedelta] = []
        self.requests: list[TimerRequest] = []
        self._stopping = asyncio.Event()
        self._takes = takes
        self.then = then
        function = Function("timer", self._call, "timer")
        timer = TimerFunction(function, Schedule.parse(schedule), on_startup, monitored)
        self._listener = TimerListener(timer, Worker(), ScheduleMonitor(directory), self.clock)

    async def until(self, calls: int) -> "Run":
        self._calls = calls
        if not calls:
            self._stopping.set()
        async with asyncio.timeout(PATIENCE):
            await self._listener.listen(self._stopping)
        return self

    async def _call(self, timer: TimerRequest) -> None:
        self.times.append(self.clock.time - MIDNIGHT)
        self.requests.append(timer)
        self.clock.time += self._takes
        if len(self.times) == self._calls:
            self._stopping.set()
        self.then()
        await asyncio.sleep(0)


async def test_a_function_is_called_at_each_time_of_its_schedule(tmp_path: Path) -> None:
    run = await Run(tmp_path, "0 */5 * * * *").until(3)
    assert run.times == [5 * MINUTE, 10 * MINUTE, 15 * MINUTE]
    assert not any(request.past_due for request in run.requests)


async def test_a_timer_that_never_comes_is_stopped_all_the_same(tmp_path: Path) -> None:
    run = await Run(tmp_path, "0 0 0 30 2 *").until(0)
    assert run.times == []


def is_remembered(directory: Path) -> bool:
    return (directory / "timer.json").exists()


def fail() -> None:
    raise ValueError("on purpose")


def leave() -> None:
    raise SystemExit(1)


@pytest.mark.parametrize("then", [fail, leave])
async def test_a_call_that_fails_does_not_keep_the_next_from_coming(
    tmp_path: Path, then: Callable[[], None]
) -> None:
    run = await Run(tmp_path, "0 * * * * *", then=then).until(3)
    assert run.times == [MINUTE, 2 * MINUTE, 3 * MINUTE]


async def test_times_missed_during_a_call_make_for_one_call_right_after_it(tmp_path: Path) -> None:
    run = await Run(tmp_path, "0 * * * * *", takes=2.5 * MINUTE).until(3)
    # From 1:00 to 3:30; those of 2:00 and 3:00 are one call, which counts from 3:30 on.
    assert run.times == [MINUTE, 3.5 * MINUTE, 6 * MINUTE]
    assert not any(request.past_due for request in run.requests)


async def test_on_startup_a_function_is_called_at_once_if_it_says_so(tmp_path: Path) -> None:
    run = await Run(tmp_path, "0 */5 * * * *", on_startup=True).until(2)
    assert run.times == [SECOND, 5 * MINUTE]
    assert not run.requests[0].past_due


async def test_times_missed_while_no_host_ran_make_for_one_call_that_is_past_due(
    tmp_path: Path,
) -> None:
    await Run(tmp_path, "0 */5 * * * *").until(1)
    run = await Run(tmp_path, "0 */5 * * * *", start=MIDNIGHT + 31 * MINUTE).until(2)
    assert run.times == [31 * MINUTE, 35 * MINUTE]
    assert [request.past_due for request in run.requests] == [True, False]


async def test_a_call_that_the_host_did_not_survive_is_made_again(tmp_path: Path) -> None:
    run = Run(tmp_path, "0 */5 * * * *")
    listening = asyncio.create_task(run.until(2))
    run.then = listening.cancel
    await asyncio.gather(listening, return_exceptions=True)
    assert run.times == [5 * MINUTE]
    again = await Run(tmp_path, "0 */5 * * * *", start=MIDNIGHT + 6 * MINUTE).until(1)
    assert again.requests[0].past_due


async def test_a_timer_that_is_not_monitored_misses_what_it_misses(tmp_path: Path) -> None:
    await Run(tmp_path, "0 */5 * * * *", monitored=False).until(1)
    assert not is_remembered(tmp_path)
    start = MIDNIGHT + 31 * MINUTE
    run = await Run(tmp_path, "0 */5 * * * *", start=start, monitored=False).until(1)
    assert run.times == [35 * MINUTE]
    assert run.requests[0].schedule_status == {}


async def test_a_timer_of_less_than_a_minute_is_never_monitored(tmp_path: Path) -> None:
    await Run(tmp_path, "*/30 * * * * *").until(1)
    assert not is_remembered(tmp_path)
    await Run(tmp_path, "0 * * * * *").until(1)
    assert is_remembered(tmp_path)


async def test_the_status_tells_the_last_call_and_the_time_of_this_one(tmp_path: Path) -> None:
    run = await Run(tmp_path, "0 */5 * * * *").until(2)
    first, second = (request.schedule_status for request in run.requests)
    assert first["Last"] == UNSET.isoformat()
    assert first["Next"] == second["Last"] == "2024-05-06T00:05:00+00:00"
    assert second["Next"] == "2024-05-06T00:10:00+00:00"
    assert run.requests[0].schedule == {"AdjustForDST": True}
