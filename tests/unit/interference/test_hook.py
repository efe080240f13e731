"""What interferences do to a storage call, and that the plan is asked for each."""

import asyncio

import pytest
from azure.core.exceptions import (
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from registry_core.storage.calls import CallPolicy, traced
from tests.interference.hook import InterferingHook
from tests.interference.kinds import Divert, Drop, Hold, Interference, Postpone, Refuse, SeenCall
from tests.unit.core.storage.wire import URL, Wire, call, policy_of


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def hook() -> InterferingHook:
    return InterferingHook()


@pytest.fixture
def policy(hook: InterferingHook, wire: Wire) -> CallPolicy:
    return policy_of(hook, wire)


async def test_a_refused_call_never_reaches_storage(
    hook: InterferingHook, policy: CallPolicy, wire: Wire
) -> None:
    hook.plan_nth(2, Refuse())
    with traced() as trace:
        await call(policy)
        with pytest.raises(ServiceRequestError):
            await call(policy)
        await call(policy)
    assert len(wire.seen) == 2
    assert [one.status for one in trace.calls] == [201, None, 201]
    assert [one.depth for one in trace.calls] == [1, 2, 3]


async def test_a_dropped_answer_was_applied_and_its_connection_is_left_clean(
    hook: InterferingHook, policy: CallPolicy, wire: Wire
) -> None:
    hook.plan_nth(1, Drop())
    with traced() as trace, pytest.raises(ServiceResponseError):
        await call(policy)
    assert len(wire.seen) == 1
    assert wire.answer.is_stream_consumed
    assert trace.calls[0].status == 201


async def test_what_is_planned_happens_once(hook: InterferingHook, policy: CallPolicy) -> None:
    hook.plan_nth(1, Refuse())
    with traced(), pytest.raises(ServiceRequestError):
        await call(policy)
    with traced():
        await call(policy)


async def test_a_held_call_waits_before_it_goes_out_and_before_its_answer_is_seen(
    hook: InterferingHook, policy: CallPolicy, wire: Wire
) -> None:
    before, after = asyncio.Event(), asyncio.Event()
    hook.plan = lambda _: Hold(before.wait, after.wait)
    task = asyncio.create_task(call(policy))
    await asyncio.sleep(0)
    assert wire.seen == []
    before.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert (len(wire.seen), task.done()) == (1, False)
    after.set()
    assert (await task).http_response is wire.answer


async def test_an_interference_that_does_nothing_lets_the_call_pass(
    hook: InterferingHook, policy: CallPolicy, wire: Wire
) -> None:
    asked: list[SeenCall] = []

    def plan(one: SeenCall) -> Interference:
        asked.append(one)
        return Interference() if len(asked) == 1 else Hold()

    hook.plan = plan
    for _ in range(2):
        assert (await call(policy)).http_response is wire.answer
    assert len(asked) == 2


async def test_a_diverted_call_goes_to_the_other_server(
    hook: InterferingHook, policy: CallPolicy, wire: Wire
) -> None:
    hook.plan_nth(1, Divert("http://127.0.0.1:1/503"))
    await call(policy)
    assert wire.seen == ["http://127.0.0.1:1/503"]


async def test_a_postponed_call_times_out_and_is_applied_once_when_it_is_delivered(
    hook: InterferingHook, policy: CallPolicy, wire: Wire
) -> None:
    late = Postpone()
    hook.plan_nth(1, late)
    with pytest.raises(ServiceResponseTimeoutError):
        await call(policy)
    assert wire.seen == []
    assert await late.deliver() == 201
    assert await late.deliver() is None
    assert wire.seen == [URL]


async def test_the_plan_sees_what_a_call_reads_or_writes(
    hook: InterferingHook, policy: CallPolicy
) -> None:
    seen: list[str] = []
    hook.plan = lambda one: seen.append(str(one))
    await call(policy)
    assert seen == ["GET content[]uploads/x"]
