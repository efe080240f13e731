"""What interferences do to a storage call, and that the plan is asked for each."""

import asyncio

import pytest

from registry_core.storage.calls import traced
from registry_core.storage.faults import Ambiguous
from tests.interference.hook import InterferingHook
from tests.interference.kinds import Divert, Drop, Hold, Interference, Postpone, Refuse, SeenCall
from tests.unit.core.storage.wire import URL, Send, Wire, call, sending


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def hook() -> InterferingHook:
    return InterferingHook()


@pytest.fixture
def send(hook: InterferingHook, wire: Wire) -> Send:
    return sending(hook, wire)


async def test_a_refused_call_never_reaches_storage(
    hook: InterferingHook, send: Send, wire: Wire
) -> None:
    hook.plan_nth(2, Refuse())
    with traced() as trace:
        await call(send)
        with pytest.raises(Ambiguous):
            await call(send)
        await call(send)
    assert len(wire.seen) == 2
    assert [one.status for one in trace.calls] == [201, None, 201]
    assert [one.depth for one in trace.calls] == [1, 2, 3]


async def test_a_dropped_answer_was_applied(hook: InterferingHook, send: Send, wire: Wire) -> None:
    hook.plan_nth(1, Drop())
    with traced() as trace, pytest.raises(Ambiguous):
        await call(send)
    assert len(wire.seen) == 1
    assert trace.calls[0].status == 201


async def test_what_is_planned_happens_once(hook: InterferingHook, send: Send) -> None:
    hook.plan_nth(1, Refuse())
    with traced(), pytest.raises(Ambiguous):
        await call(send)
    with traced():
        await call(send)


async def test_a_held_call_waits_before_it_goes_out_and_before_its_answer_is_seen(
    hook: InterferingHook, send: Send, wire: Wire
) -> None:
    before, after = asyncio.Event(), asyncio.Event()
    hook.plan = lambda _: Hold(before.wait, after.wait)
    task = asyncio.create_task(call(send))
    await asyncio.sleep(0)
    assert wire.seen == []
    before.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert (len(wire.seen), task.done()) == (1, False)
    after.set()
    assert (await task) is wire.answer


async def test_an_interference_that_does_nothing_lets_the_call_pass(
    hook: InterferingHook, send: Send, wire: Wire
) -> None:
    asked: list[SeenCall] = []

    def plan(one: SeenCall) -> Interference:
        asked.append(one)
        return Interference() if len(asked) == 1 else Hold()

    hook.plan = plan
    for _ in range(2):
        assert (await call(send)) is wire.answer
    assert len(asked) == 2


async def test_a_diverted_call_goes_to_the_other_server(
    hook: InterferingHook, send: Send, wire: Wire
) -> None:
    hook.plan_nth(1, Divert("http://127.0.0.1:1/503"))
    await call(send)
    assert wire.seen == ["http://127.0.0.1:1/503"]


async def test_a_postponed_call_times_out_and_is_applied_once_when_it_is_delivered(
    hook: InterferingHook, send: Send, wire: Wire
) -> None:
    late = Postpone()
    hook.plan_nth(1, late)
    with pytest.raises(Ambiguous):
        await call(send)
    assert wire.seen == []
    assert await late.deliver() == 201
    assert await late.deliver() is None
    assert wire.seen == [URL]


async def test_the_plan_sees_what_a_call_reads_or_writes(hook: InterferingHook, send: Send) -> None:
    seen: list[str] = []
    hook.plan = lambda one: seen.append(str(one))
    await call(send)
    assert seen == ["GET content[]uploads/x"]
