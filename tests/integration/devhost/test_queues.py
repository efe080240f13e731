"""Queue triggers on real queues, with functions that behave as badly as functions do."""

import asyncio
import base64
import logging
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from devhost.host_json import QueuesOptions
from devhost.processes.azurite import Azurite
from devhost.triggers import clock, queue_messages
from devhost.triggers.queue_listener import QueueListener
from devhost.triggers.queue_messages import LEASE
from devhost.triggers.queues import QueueFunction
from devhost.triggers.worker import Function, UserFunction, Worker
from tests.patience import PATIENCE

PLAIN = QueuesOptions(max_polling_interval=timedelta(milliseconds=100), base64=False)


def options(**changed: Any) -> QueuesOptions:
    return QueuesOptions(
        **{"max_polling_interval": PLAIN.max_polling_interval, "base64": False, **changed}
    )


class Bench:
    """One queue with its poison queue, and what its function was called with."""

    def __init__(self, azurite: Azurite, service: QueueServiceClient) -> None:
        self._azurite = azurite
        self.name = f"q-{uuid.uuid4()}"
        self.queue: QueueClient = service.get_queue_client(self.name)
        self.poison: QueueClient = service.get_queue_client(f"{self.name}-poison")
        self.calls: list[func.QueueMessage] = []

    @property
    def bodies(self) -> list[str]:
        return [call.get_body().decode() for call in self.calls]

    async def send(self, *contents: str) -> None:
        for content in contents:
            await self.queue.send_message(content)

    @asynccontextmanager
    async def listener(
        self,
        then: Callable[[], object] | None = None,
        settings: QueuesOptions = PLAIN,
        lease: timedelta | None = None,
        *,
        in_thread: bool = False,
    ) -> AsyncIterator[asyncio.Event]:
        """Have a function called that does what `then` does; yield the event that stops it."""

        async def call(message: func.QueueMessage) -> None:
            self.calls.append(message)
            if then is not None:
                outcome = then()
                if isinstance(outcome, Awaitable):
                    await outcome

        def call_in_thread(message: func.QueueMessage) -> None:
            self.calls.append(message)
            if then is not None:
                then()

        function: UserFunction = call_in_thread if in_thread else call
        trigger = QueueFunction(
            Function("work", function, "message"), self.name, self._azurite.connection_string
        )
        stopping = asyncio.Event()
        listener = QueueListener(trigger, Worker(), settings, lease)
        task = asyncio.create_task(listener.listen(stopping))
        try:
            yield stopping
            stopping.set()
            async with asyncio.timeout(PATIENCE):
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, condition: Callable[[], bool | Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                holds = condition()
                if holds is True or (not isinstance(holds, bool) and await holds):
                    return
                await asyncio.sleep(0.02)

    async def until_called(self, times: int = 1) -> None:
        await self.until(lambda: len(self.calls) >= times)

    async def is_empty(self) -> bool:
        """Whether no message is in the queue, not even an invisible one."""
        return (await self.queue.get_queue_properties()).approximate_message_count == 0

    async def buried(self) -> list[str]:
        """The contents of the poison queue."""
        try:
            return [message.content for message in await self.poison.peek_messages(32)]
        except ResourceNotFoundError:
            return []


@pytest.fixture
async def bench(azurite: Azurite) -> AsyncIterator[Bench]:
    async with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        made = Bench(azurite, service)
        await made.queue.create_queue()
        yield made


def fail() -> None:
    raise ValueError("on purpose")


def leave() -> None:
    sys.exit(1)


async def test_a_message_whose_function_returns_is_gone(bench: Bench) -> None:
    sent = await bench.queue.send_message("work")
    async with bench.listener():
        await bench.until_called()
        await bench.until(bench.is_empty)
    message = bench.calls[0]
    assert message.get_body() == b"work"
    assert message.id == sent.id
    assert message.dequeue_count == 1
    assert message.pop_receipt
    assert message.insertion_time == sent.inserted_on
    assert message.expiration_time == sent.expires_on
    assert message.time_next_visible is not None
    assert message.time_next_visible > datetime.now(UTC)
    assert await bench.buried() == []


async def test_a_queue_that_is_not_there_is_made(bench: Bench) -> None:
    await bench.queue.delete_queue()

    async def exists() -> bool:
        try:
            await bench.queue.get_queue_properties()
        except ResourceNotFoundError:
            return False
        return True

    async with bench.listener():
        await bench.until(exists)
        await bench.send("work")
        await bench.until_called()


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("crash", [fail, leave])
async def test_a_message_whose_function_crashes_each_time_is_poison_in_the_end(
    bench: Bench, crash: Callable[[], None], *, in_thread: bool
) -> None:
    await bench.send("<work> & \u00fcml\u00e4ut")
    async with bench.listener(crash, options(max_dequeue_count=3), in_thread=in_thread):
        await bench.until(lambda: _is(bench.buried(), ["<work> & \u00fcml\u00e4ut"]))
        await bench.until(bench.is_empty)
    assert [call.dequeue_count for call in bench.calls] == [1, 2, 3]


async def _is(found: Awaitable[object], expected: object) -> bool:
    return await found == expected


async def test_messages_that_are_poison_at_the_same_time_all_get_to_the_poison_queue(
    bench: Bench,
) -> None:
    all_called = asyncio.Barrier(5)

    async def fail_together() -> None:
        await all_called.wait()
        fail()

    contents = [str(number) for number in range(5)]
    await bench.send(*contents)
    async with bench.listener(fail_together, options(max_dequeue_count=1)):
        await bench.until(bench.is_empty)
    assert sorted(await bench.buried()) == contents


async def test_a_crash_once_is_not_a_crash_for_ever(bench: Bench) -> None:
    await bench.send("work")
    async with bench.listener(lambda: fail() if len(bench.calls) < 2 else None):
        await bench.until_called(2)
        await bench.until(bench.is_empty)
    assert await bench.buried() == []


async def test_after_a_crash_a_message_is_invisible_for_the_visibility_timeout(
    bench: Bench,
) -> None:
    times: list[datetime] = []

    def note() -> None:
        times.append(datetime.now(UTC))
        fail()

    await bench.send("work")
    settings = options(max_dequeue_count=2, visibility_timeout=timedelta(seconds=1))
    async with bench.listener(note, settings):
        await bench.until_called(2)
        await bench.until(bench.is_empty)
    # A little less, for the service counts from its own time, which it rounds.
    assert times[1] - times[0] > timedelta(seconds=0.9)


async def test_a_message_whose_last_try_nobody_saw_the_end_of_is_poison_without_another(
    bench: Bench,
) -> None:
    await bench.send("work")
    for _ in range(2):
        # As a host would that is killed, whose lease then ends.
        message = await bench.queue.receive_message(visibility_timeout=30)
        assert message is not None
        await bench.queue.update_message(message.id, message.pop_receipt, visibility_timeout=0)
    async with bench.listener(settings=options(max_dequeue_count=2)):
        await bench.until(lambda: _is(bench.buried(), ["work"]))
        await bench.until(bench.is_empty)
    assert bench.calls == []


async def test_base64_is_decoded_and_what_is_not_base64_is_poison_at_once(bench: Bench) -> None:
    good = base64.b64encode("w\u00f6rk".encode()).decode()
    await bench.send("not base64!", good)
    async with bench.listener(settings=options(base64=True)):
        await bench.until(lambda: _is(bench.buried(), ["not base64!"]))
        await bench.until(bench.is_empty)
    assert bench.bodies == ["w\u00f6rk"]


async def test_poison_keeps_its_encoding(bench: Bench) -> None:
    encoded = base64.b64encode(b"work").decode()
    await bench.send(encoded)
    async with bench.listener(fail, options(base64=True, max_dequeue_count=1)):
        await bench.until(lambda: _is(bench.buried(), [encoded]))
    assert bench.bodies == ["work"]


async def test_a_body_that_is_no_text_fails_without_a_call(bench: Bench) -> None:
    encoded = base64.b64encode(b"\xff\xfe").decode()
    await bench.send(encoded)
    async with bench.listener(settings=options(base64=True, max_dequeue_count=2)):
        await bench.until(lambda: _is(bench.buried(), [encoded]))
    assert bench.calls == []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """Has renewals come at once, and gives the pauses that there would be before each of them.

    A lease that is short in fact ends by chance, on a machine that is busy for as long.
    """
    asked_for: list[timedelta] = []

    async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
        asked_for.append(timedelta(seconds=seconds))
        await clock.wait_for_event(event, 0.01)

    monkeypatch.setattr(queue_messages, "wait_for_event", wait_for_event)
    return asked_for


async def test_a_message_stays_invisible_for_as_long_as_its_function_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, pauses: list[timedelta]
) -> None:
    left: list[timedelta] = []
    update_message = QueueClient.update_message

    async def noted(*arguments: Any, **keywords: Any) -> QueueMessage:
        began = datetime.now(UTC)
        updated = await update_message(*arguments, **keywords)
        assert updated.next_visible_on is not None
        left.append(updated.next_visible_on - began)
        return updated

    monkeypatch.setattr(QueueClient, "update_message", noted)
    await bench.send("work")

    async def outlast_renewals() -> None:
        await bench.until(lambda: len(left) >= 3)

    async with bench.listener(outlast_renewals), bench.listener(outlast_renewals):
        await bench.until_called()
        await bench.until(bench.is_empty)
    assert len(bench.calls) == 1
    # After half of a lease it has a whole one again, less what the service rounds off.
    assert set(pauses) == {LEASE / 2}
    assert min(left) > LEASE - timedelta(seconds=2)


async def test_a_message_that_another_host_took_over_is_left_to_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.send("work")

    async def take_over() -> None:
        message = bench.calls[0]
        assert message.id
        await bench.queue.update_message(message.id, message.pop_receipt, visibility_timeout=30)

    async with bench.listener(take_over):
        await bench.until(lambda: "now belongs to another host" in caplog.text)
    assert not await bench.is_empty()


async def test_no_more_than_a_batch_and_the_threshold_are_processed_at_once(bench: Bench) -> None:
    running, most = 0, 0
    release = asyncio.Event()

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1

    await bench.send(*(str(number) for number in range(8)))
    async with bench.listener(count, options(batch_size=2, new_batch_threshold=1)):
        # A batch of 2, above the threshold: no more is fetched.
        await bench.until_called(2)
        release.set()
        await bench.until_called(8)
        await bench.until(bench.is_empty)
    assert most <= 3
    assert sorted(bench.bodies) == [str(number) for number in range(8)]


async def test_a_function_that_never_returns_does_not_hold_up_other_messages(bench: Bench) -> None:
    never = asyncio.Event()

    async def hang_once() -> None:
        if len(bench.calls) == 1:
            await never.wait()

    settings = options(batch_size=1, new_batch_threshold=1)
    async with bench.listener(hang_once, settings):
        await bench.send("hangs")
        await bench.until_called()
        await bench.send("a", "b", "c")
        await bench.until_called(4)
        never.set()


async def test_a_listener_told_to_stop_ends_its_calls_and_takes_no_more(bench: Bench) -> None:
    release = asyncio.Event()
    await bench.send("first")
    async with bench.listener(release.wait) as stopping:
        await bench.until_called()
        stopping.set()
        await bench.send("second")
        release.set()
    assert bench.bodies == ["first"]
    assert [message.content for message in await bench.queue.peek_messages()] == ["second"]


async def test_a_message_that_comes_after_the_order_to_stop_is_given_back_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = QueueListener._receive
    received: list[QueueMessage] = []

    async def receive_too_late(listener: QueueListener, queue: QueueClient) -> list[QueueMessage]:
        received.extend(await receive(listener, queue))
        if received:
            stopping.set()
        return received

    monkeypatch.setattr(QueueListener, "_receive", receive_too_late)
    async with bench.listener() as stopping:
        await bench.send("work")
        await bench.until(lambda: bool(received))
    assert bench.calls == []
    assert [message.content for message in await bench.queue.peek_messages()] == ["work"]


async def test_a_renewal_that_fails_is_tried_again_before_the_lease_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, pauses: list[timedelta]
) -> None:
    update_message, attempts = QueueClient.update_message, 0

    async def fail_at_first(*arguments: Any, **keywords: Any) -> QueueMessage:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ServiceRequestError("on purpose")
        return await update_message(*arguments, **keywords)

    monkeypatch.setattr(QueueClient, "update_message", fail_at_first)

    async def until_renewed() -> None:
        await bench.until(lambda: attempts >= 2)

    await bench.send("work")
    async with bench.listener(until_renewed):
        await bench.until_called()
        await bench.until(bench.is_empty)
    assert len(bench.calls) == 1
    assert sum(pauses[:2], timedelta()) < LEASE


async def test_a_poison_queue_has_no_poison_queue(azurite: Azurite) -> None:
    async with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        bench = Bench(azurite, service)
        bench.queue, bench.name = bench.poison, bench.poison.queue_name
        await bench.queue.create_queue()
        await bench.send("work")
        async with bench.listener(fail, options(max_dequeue_count=2), lease=timedelta(seconds=1)):
            await bench.until_called(2)
        assert not await bench.is_empty()
    assert [call.dequeue_count for call in bench.calls] == [1, 2]


async def test_what_is_not_base64_stays_in_a_poison_queue_unseen_by_a_function_on_it(
    bench: Bench, azurite: Azurite
) -> None:
    await bench.send("not base64!")
    settings = options(base64=True)
    async with bench.listener(settings=settings):
        await bench.until(lambda: _is(bench.buried(), ["not base64!"]))
    async with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        poisoned = Bench(azurite, service)
        poisoned.queue, poisoned.name = bench.poison, bench.poison.queue_name
        await poisoned.send(base64.b64encode(b"good").decode())
        async with poisoned.listener(settings=settings, lease=timedelta(seconds=1)):
            # It was taken up with the other, or before it.
            await poisoned.until_called()
        assert poisoned.bodies == ["good"]
        await bench.until(lambda: _is(bench.buried(), ["not base64!"]))
    assert bench.calls == []


async def test_trouble_with_the_service_is_logged_and_outlived(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "devhost")
    delete_message, refused = QueueClient.delete_message, False

    async def refuse_once(*arguments: Any, **keywords: Any) -> None:
        nonlocal refused
        if not refused:
            refused = True
            raise ResourceExistsError("on purpose")
        await delete_message(*arguments, **keywords)

    monkeypatch.setattr(QueueClient, "delete_message", refuse_once)
    await bench.send("work")
    # The shortest lease there is, and whoever takes the message over has it for long.
    async with bench.listener(lease=timedelta(seconds=1)):
        await bench.until(lambda: "stays in the queue" in caplog.text)
    async with bench.listener():
        await bench.until_called(2)
        await bench.until(bench.is_empty)
    assert [call.dequeue_count for call in bench.calls] == [1, 2]
