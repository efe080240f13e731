"""Looking for messages in a queue, and handing as many at once to its function as may be.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger
https://github.com/Azure/azure-sdk-for-net: Microsoft.Azure.WebJobs.Extensions.Storage.Common,
Queues/QueueListener.cs
"""

import asyncio
import logging
import random
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ResourceNotFoundError

from devhost.host_json import QueuesOptions
from devhost.triggers import queue_messages
from devhost.triggers.clock import wait_for_event
from devhost.triggers.queue_messages import QueueProcessor, create_if_missing
from devhost.triggers.queues import QueueFunction, queue_client
from devhost.triggers.worker import Worker

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueClient

_log = logging.getLogger("devhost")


class Backoff:
    """Pauses in seconds between looks at an empty queue: longer and longer, up to `maximum`.

    Once there, they stay there: RandomizedExponentialBackoffStrategy.cs of the WebJobs SDK.
    """

    _MINIMUM = 0.1

    def __init__(self, maximum: timedelta) -> None:
        self._maximum = maximum.total_seconds()
        self.reset()

    def reset(self) -> None:
        """Begin with the shortest pause again, something having been found."""
        self._exponent = 0
        self._is_longest = False

    def next(self) -> float:
        """Return the next pause."""
        if self._is_longest:
            return self._maximum
        pause = self._MINIMUM
        if self._exponent:
            # Not the same in every instance, lest they all came at once.
            pause += random.uniform(0.8, 1.2) * 2 ** (self._exponent - 1) * self._MINIMUM  # noqa: S311
        if pause >= self._maximum:
            self._is_longest = True
            return self._maximum
        self._exponent += 1
        return pause


class QueueListener:
    """Calls one function with the messages of its queue, which is made if it is not there.

    `lease` is how long a message is invisible at first while its function runs.
    """

    def __init__(
        self,
        trigger: QueueFunction,
        worker: Worker,
        options: QueuesOptions,
        lease: timedelta | None = None,
    ) -> None:
        self._trigger = trigger
        self._worker = worker
        self._options = options
        self._lease = lease or queue_messages.LEASE
        self._processing: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        """Make the queue if it is not there; that this fails is logged, and tried again later."""
        async with queue_client(self._trigger.connection, self._trigger.queue_name) as queue:
            await self._create(queue)

    async def listen(self, stopping: asyncio.Event) -> None:
        """Process messages until `stopping` is set and the calls in progress are over."""
        async with AsyncExitStack() as stack:
            connection, poison_name = self._trigger.connection, self._trigger.poison_queue_name
            queue = await stack.enter_async_context(
                queue_client(connection, self._trigger.queue_name)
            )
            poison: QueueClient | None = None
            if poison_name is not None:
                poison = await stack.enter_async_context(queue_client(connection, poison_name))
            processor = QueueProcessor(
                self._trigger.function, self._worker, queue, poison, self._options, self._lease
            )
            try:
                await self._poll(queue, processor, stopping)
                await self._until_processing(0)
            finally:
                for task in self._processing:
                    task.cancel()
                await asyncio.gather(*self._processing, return_exceptions=True)

    async def _poll(
        self, queue: "QueueClient", processor: QueueProcessor, stopping: asyncio.Event
    ) -> None:
        backoff = Backoff(self._options.max_polling_interval)
        while not stopping.is_set():
            messages = await self._receive(queue)
            if stopping.is_set():
                # They came too late, but should not have to wait for the end of the lease.
                for message in messages:
                    await processor.release(message, timedelta(0))
            elif messages:
                backoff.reset()
                for message in messages:
                    task = asyncio.create_task(self._process(processor, message))
                    self._processing.add(task)
                    task.add_done_callback(self._processing.discard)
                await self._until_processing(self._options.new_batch_threshold)
            else:
                await wait_for_event(stopping, backoff.next())

    async def _receive(self, queue: "QueueClient") -> "list[QueueMessage]":
        try:
            pages = queue.receive_messages(
                messages_per_page=self._options.batch_size,
                visibility_timeout=round(self._lease.total_seconds()),
            ).by_page()
            async for page in pages:
                return [message async for message in page]
        except ResourceNotFoundError:
            # Deleted since; this is the way to empty a queue.
            await self._create(queue)
        except AzureError as error:
            _log.warning("%s: cannot read the queue: %s", self._trigger.function.name, error)
        return []

    async def _create(self, queue: "QueueClient") -> None:
        try:
            await create_if_missing(queue)
        except AzureError as error:
            _log.warning("%s: cannot make the queue: %s", self._trigger.function.name, error)

    async def _process(self, processor: QueueProcessor, message: "QueueMessage") -> None:
        try:
            await processor.process(message)
        except AzureError:
            # The message comes back after its lease.
            name = self._trigger.function.name
            _log.exception(
                "%s: message %s could not be handled and stays in the queue", name, message.id
            )

    async def _until_processing(self, number: int) -> None:
        """Wait until no more than so many messages are being processed."""
        while len(self._processing) > number:
            await asyncio.wait(self._processing, return_when=asyncio.FIRST_COMPLETED)
