import asyncio
import random
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from registry_core.errors import Unavailable
from registry_core.settings import TimeLimits
from registry_core.storage import budget
from registry_core.storage.budget import Budget, attempts, budgeted, current, resume
from registry_core.storage.calls import CallHook, traced
from registry_core.storage.faults import Ambiguous
from tests.patience import PATIENCE
from tests.unit.core.storage.wire import URL, Send, Wire, call, sending


class Clock:
    """The time, as a test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(budget, "time", clock)
    return clock


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> list[float]:
    """The waits between attempts, each as long as it can be; the clock goes on with them."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(random, "uniform", lambda _, longest: longest)
    monkeypatch.setattr(budget, "asyncio", SimpleNamespace(sleep=sleep, timeout=asyncio.timeout))
    return waits


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def send(wire: Wire) -> Send:
    return sending(CallHook(), wire)


async def count(loop: attempts) -> int:
    """How often a loop runs until it is told that it is over."""
    counted = 0
    try:
        async for _ in loop:
            counted += 1
    except Unavailable:
        return counted
    raise AssertionError("it ended by itself")


@pytest.mark.rule("F3")
async def test_waits_grow_to_a_second(slept: list[float]) -> None:
    assert await count(attempts(most=10)) == 10
    assert slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1, 1, 1, 1]


@pytest.mark.rule("F3")
async def test_a_wait_is_random_between_none_and_the_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ranges: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        ranges.append((low, high))
        return 0

    monkeypatch.setattr(random, "uniform", uniform)
    assert await count(attempts(most=4)) == 4
    assert ranges == [(0, 0.05), (0, 0.1), (0, 0.2), (0, 0.4)]


@pytest.mark.rule("T1", "F3")
async def test_loops_of_one_request_share_its_attempts(slept: list[float]) -> None:
    with budgeted(Budget(float("inf"), attempts=7)):
        async for attempt in attempts():
            if attempt == 4:
                break
        assert await count(attempts("others are faster")) == 3


@pytest.mark.rule("T1")
async def test_no_loop_goes_on_after_the_budget_has_ended(slept: list[float], clock: Clock) -> None:
    async def work() -> None:
        async for _ in attempts():
            clock.now += 0.3

    with budgeted(Budget(2.0)), pytest.raises(Unavailable):
        await work()
    assert 1001.0 < clock.now <= 1002.0 + 0.3


@pytest.mark.rule("T1")
async def test_a_call_without_time_left_is_not_sent(send: Send, wire: Wire, clock: Clock) -> None:
    with budgeted(Budget(2.0)), traced() as trace:
        clock.now += 2.0
        with pytest.raises(Unavailable):
            await call(send)
    assert (wire.seen, trace.count) == ([], 0)


@pytest.mark.rule("T3")
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_call_that_is_not_answered_fails_as_a_connection_that_times_out(
    send: Send, wire: Wire, method: str
) -> None:
    """A read is tried again, for a write nobody knows."""
    wire.gates[URL] = asyncio.Event()
    with budgeted(Budget(PATIENCE, call_seconds=0.01)), traced() as trace:
        with pytest.raises(Ambiguous):
            await call(send, method=method)
        wire.gates[URL].set()
        await call(send, method=method)
    assert [one.status for one in trace.calls] == [None, 201]


@pytest.mark.rule("T3")
@pytest.mark.parametrize(("method", "error"), [("GET", Unavailable), ("PUT", Ambiguous)])
async def test_a_call_has_what_is_left_of_the_budget_and_a_read_is_not_repeated_after_it(
    send: Send, wire: Wire, method: str, error: type[Exception]
) -> None:
    wire.gates[URL] = asyncio.Event()
    with budgeted(Budget(0.01)), pytest.raises(error):
        await call(send, method=method)


@pytest.mark.rule("T2")
async def test_bytes_that_move_give_the_call_under_way_its_time_anew(
    send: Send, wire: Wire
) -> None:
    wire.gates[URL] = asyncio.Event()
    with budgeted(Budget(0.05, call_seconds=PATIENCE)) as given:
        loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        task = asyncio.create_task(call(send))
        while loop.time() < began + 0.1:  # Twice what it has, were nothing to move.
            await asyncio.sleep(0)
            given.renew()
        assert not task.done()
        wire.gates[URL].set()
        await task


@pytest.mark.rule("T2")
async def test_a_part_with_a_budget_of_its_own_is_not_kept_alive_by_the_rest(
    clock: Clock,
) -> None:
    with budgeted(Budget(2.0)) as given:
        part = current().anew()
        clock.now += 1.5
        given.renew()
        clock.now += 1.0
        assert (given.left, part.left) == (1.0, -0.5)


@pytest.mark.rule("T2")
async def test_a_body_streamed_in_another_task_has_the_requests_budget_anew(clock: Clock) -> None:
    async def chunks(given: Budget) -> AsyncIterator[float]:
        resume(given)
        yield current().left

    async def respond(given: Budget) -> list[float]:
        return [left async for left in chunks(given)]

    with budgeted(Budget(2.0)) as given:
        clock.now += 1.5
    assert await asyncio.create_task(respond(given)) == [2.0]
    assert current().left == float("inf")


@pytest.mark.rule("T1", "T4")
def test_the_limits_in_production_leave_room_for_what_clients_wait() -> None:
    """A request has 30 seconds, `/healthz` has 5; what the SDK waits comes on top."""
    limits = TimeLimits()
    assert limits.request + 4 < 30
    assert limits.health < 5
    assert 2 * limits.call < limits.request
