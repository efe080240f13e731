"""Storage that fails by chance: a share of the calls, in each way, and all of it counted."""

from __future__ import annotations

import asyncio

import pytest

from registry_core.storage.calls import Answer
from registry_core.storage.faults import Ambiguous
from tests.interference.chance import Belated, ChanceHook, met, under_way
from tests.interference.hook import InterferingHook
from tests.interference.kinds import Answered
from tests.unit.core.storage.wire import Wire, call, sending

CALLS = 2000


async def outcomes(hook: ChanceHook, wire: Wire) -> list[int | None]:
    """What became of many calls: the status, or None without an answer."""
    send = sending(hook, wire)
    found = list[int | None]()
    for _ in range(CALLS):
        try:
            answer: Answer = await call(send)
            found.append(answer.status)
        except Ambiguous:
            found.append(None)
    return found


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1])
async def test_a_share_of_the_calls_fails_and_is_counted(share: float) -> None:
    hook = ChanceHook(share, 7)
    found = await outcomes(hook, Wire())
    failed = sum(each != 201 for each in found)
    assert failed == hook.failed.total()
    assert abs(failed - share * CALLS) <= 0.5 * share * CALLS
    assert set(hook.failed) == ({"refuse", "drop", "answered", "belated"} if share else set())
    # All are the same call here, so each that failed was made again, but for the last.
    assert failed - 1 <= hook.repeated <= failed


async def test_the_same_seed_fails_the_same_calls() -> None:
    one, two = [await outcomes(ChanceHook(0.1, 3), Wire()) for _ in range(2)]
    other = await outcomes(ChanceHook(0.1, 4), Wire())
    assert one == two != other


async def test_a_belated_call_is_applied_once_and_after_its_caller_gave_up() -> None:
    hook, wire = InterferingHook(), Wire()
    hook.plan = lambda _: Belated()
    with pytest.raises(Ambiguous):
        await call(sending(hook, wire))
    assert not wire.seen
    await asyncio.gather(*under_way)
    assert len(wire.seen) == 1


async def test_storage_that_is_busy_has_done_nothing() -> None:
    hook, wire = InterferingHook(), Wire()
    hook.plan = lambda _: Answered(429)
    answer: Answer = await call(sending(hook, wire))
    assert (answer.status, answer.headers["x-ms-error-code"]) == (429, "TooManyRequests")
    assert not wire.seen


async def test_whoever_wants_to_know_is_told_what_a_request_met_with() -> None:
    found: list[str] = []
    token = met.set(found)
    try:
        hook = ChanceHook(1.0, 1)
        await outcomes(hook, Wire())
    finally:
        met.reset(token)
    assert len(found) == CALLS
