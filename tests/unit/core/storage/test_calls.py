import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from registry_core.storage import calls
from registry_core.storage.calls import (
    Answer,
    CallHook,
    CallTrace,
    Request,
    StorageCall,
    adopt,
    traced,
)
from registry_core.storage.faults import Ambiguous
from tests.unit.core.storage.wire import URL, Send, Wire, call, sending


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def hook() -> CallHook:
    return CallHook()


@pytest.fixture
def send(hook: CallHook, wire: Wire) -> Send:
    return sending(hook, wire)


async def test_calls_one_after_another_are_as_many_rounds(send: Send) -> None:
    with traced() as trace:
        for _ in range(3):
            await call(send)
    assert [one.depth for one in trace.calls] == [1, 2, 3]
    assert [one.number for one in trace.calls] == [1, 2, 3]
    assert (trace.count, trace.rounds) == (3, 3)


async def test_calls_at_the_same_time_are_one_round(send: Send) -> None:
    with traced() as trace:
        await asyncio.gather(*(call(send) for _ in range(5)))
    assert (trace.count, trace.rounds) == (5, 1)


async def test_parallel_calls_between_sequential_ones_are_a_round_of_their_own(
    send: Send,
) -> None:
    with traced() as trace:
        await call(send)
        await asyncio.gather(call(send), call(send))
        await call(send)
    assert [one.depth for one in trace.calls] == [1, 2, 2, 3]
    assert (trace.count, trace.rounds) == (4, 3)


async def test_a_chain_beside_a_long_call_counts_by_its_own_length(send: Send, wire: Wire) -> None:
    wire.gates[URL] = asyncio.Event()
    with traced() as trace:
        long = asyncio.create_task(call(send))
        await asyncio.sleep(0)
        for number in range(2):
            await call(send, f"{URL}{number}")
        wire.gates[URL].set()
        await long
    assert [one.depth for one in trace.calls] == [1, 1, 2]
    assert trace.rounds == 2


async def test_a_trace_without_calls_has_no_rounds() -> None:
    with traced() as trace:
        pass
    assert (trace.count, trace.rounds) == (0, 0)


async def test_calls_of_tasks_belong_to_the_request_that_started_them(send: Send) -> None:
    async def request(calls: int) -> CallTrace:
        with traced() as trace:
            await asyncio.create_task(call(send))
            await asyncio.gather(*(call(send) for _ in range(calls)))
        return trace

    traces = await asyncio.gather(*(request(number) for number in range(4)))
    assert [trace.count for trace in traces] == [1, 2, 3, 4]


async def test_an_inner_trace_keeps_its_calls_to_itself(send: Send) -> None:
    with traced() as outer:
        await call(send)
        with traced() as inner:
            await call(send)
        await call(send)
    assert (outer.count, inner.count) == (2, 1)


async def test_the_hook_counts_calls_that_no_trace_gathers(hook: CallHook, send: Send) -> None:
    await call(send)
    with traced():
        await call(send)
    assert hook.total == 2


async def test_a_call_is_described_by_method_service_path_and_status(send: Send) -> None:
    with traced() as trace:
        await call(send, f"{URL}?comp=appendblock", "PUT")
    (one,) = trace.calls
    assert str(one) == "PUT blob:/content/uploads/x?comp=appendblock"
    assert one.status == 201


@pytest.mark.parametrize(
    ("url", "service"),
    [
        (URL, "blob"),
        ("https://acct.table.core.windows.net/repositories(PartitionKey='a',RowKey='h')", "table"),
        ("https://acct.queue.core.windows.net/q/messages", "queue"),
        ("https://acct.privatelink.blob.core.windows.net/content", "blob"),
        ("http://127.0.0.1:10002/devstoreaccount1/repositories()", "table"),
        ("http://127.0.0.1:10002/devstoreaccount1/$batch", "table"),
        ("http://127.0.0.1:10002/devstoreaccount1/Tables", "table"),
        ("http://127.0.0.1:10000/devstoreaccount1/content/uploads/x", "blob"),
        ("http://127.0.0.1:10001/devstoreaccount1/slipway-work/messages?messagettl=-1", "queue"),
    ],
)
async def test_the_service_is_told_by_the_address(send: Send, url: str, service: str) -> None:
    with traced() as trace:
        await call(send, url)
    assert trace.calls[0].service == service


@pytest.mark.parametrize(
    "query", ["sig=s3cret%3D", "sp=r&sig=s3cret%3D&se=x", "sig=s3cret", "sp=r&sig=s3cret"]
)
async def test_a_signature_is_never_recorded(send: Send, query: str) -> None:
    with traced() as trace:
        await call(send, f"{URL}?{query}")
    (one,) = trace.calls
    assert "s3cret" not in repr(one) + str(one)
    assert ("sp=r" in one.query) is ("sp=r" in query)


async def test_what_derives_from_the_hook_stands_between_a_call_and_storage(wire: Wire) -> None:
    class Gatekeeper(CallHook):
        async def around(self, call: StorageCall, request: Request, send: Send) -> Answer:
            if call.number == 1:
                raise Ambiguous("not this one")
            return await super().around(call, request, send)

    hook = Gatekeeper()
    send = sending(hook, wire)
    with traced() as trace:
        with pytest.raises(Ambiguous):
            await call(send)
        await call(send)
    assert [one.status for one in trace.calls] == [None, 201]
    assert (hook.total, len(wire.seen)) == (2, 1)


async def test_a_call_that_failed_by_itself_has_ended_too(send: Send, wire: Wire) -> None:
    wire.error = Ambiguous("no connection")
    with traced() as trace:
        with pytest.raises(Ambiguous):
            await call(send)
        wire.error = None
        await call(send)
    assert [one.depth for one in trace.calls] == [1, 2]
    assert trace.calls[0].status is None


async def test_a_body_streamed_after_its_request_can_adopt_the_requests_trace(
    send: Send,
) -> None:
    async def chunks(trace: CallTrace) -> AsyncIterator[bytes]:
        adopt(trace)
        await call(send)
        yield b"x"

    async def respond(trace: CallTrace) -> list[bytes]:
        return [chunk async for chunk in chunks(trace)]

    with traced() as trace:
        await call(send)
    with traced() as other:
        assert await asyncio.create_task(respond(trace)) == [b"x"]
        await call(send)
    assert (trace.count, trace.rounds, other.count) == (2, 2, 1)


def test_time_in_which_two_calls_are_under_way_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace, ended = CallTrace(), []
    now = 0.0
    monkeypatch.setattr(calls, "time", SimpleNamespace(monotonic=lambda: now))
    now = 10.0
    first = trace.begin("GET", URL)
    now = 11.0
    second = trace.begin("GET", URL)
    now = 13.0
    trace.end(first)
    ended.append(trace.busy_seconds)
    now = 16.0
    trace.end(second)
    ended.append(trace.busy_seconds)
    now = 20.0
    third = trace.begin("GET", URL)
    now = 20.5
    trace.end(third)
    ended.append(trace.busy_seconds)
    assert ended == [0, 6, 6.5]
