"""What becomes of one queue message: from its encoding to its deletion, or to the poison queue.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger
https://github.com/Azure/azure-sdk-for-net: Microsoft.Azure.WebJobs.Extensions.Storage.Common,
Queues/QueueProcessor.cs and QueueListener.cs
"""

import asyncio
import base64
import binascii
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import azure.functions as func
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.functions.meta import Datum
from azure.functions.queue import QueueMessageInConverter

from devhost.host_json import QueuesOptions
from devhost.triggers.clock import wait_for_event
from devhost.triggers.worker import Function, Worker

if TYPE_CHECKING:
    # See devhost.triggers.queues, which imports it when it is needed.
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueClient

# For how long a message is invisible while its function runs. It is renewed at half of that, so the
# function may take longer; if the host dies, another one sees the message only then.
LEASE = timedelta(minutes=10)

# What says that the message is not ours any more, beside 404: it was taken over after its lease,
# changed by the function, or its queue is being deleted.
_LOST = frozenset({"PopReceiptMismatch", "QueueBeingDeleted", "QueueDisabled"})
# The blank space that .NET's decoder passes over.
_BLANK = re.compile(r"[ \t\r\n]+")

_log = logging.getLogger("devhost")


class QueueProcessor:
    """Calls one function with the messages of one queue.

    `poison` is None for a queue that has no poison queue of its own. `lease` is for how long
    messages were made invisible when they were received.
    """

    def __init__(
        self,
        function: Function,
        worker: Worker,
        queue: "QueueClient",
        poison: "QueueClient | None",
        options: QueuesOptions,
        lease: timedelta,
    ) -> None:
        self._function = function
        self._worker = worker
        self._queue = queue
        self._poison = poison
        self._options = options
        self._lease = lease

    async def process(self, message: "QueueMessage") -> None:
        """Call the function with the message, then delete it, release it, or declare it poison."""
        if (message.dequeue_count or 0) > self._options.max_dequeue_count:
            # Its last try was cut off, so that nobody noticed that it had been the last.
            await self._bury(message, f"was tried {self._options.max_dequeue_count} times")
            return
        try:
            body = decode(message.content, self._options)
        except ValueError:
            # The function is not asked, and there is no second try.
            await self._bury(message, "is not valid base64")
            return
        async with self._renewed(message):
            succeeded = await self._call(message, body)
        if succeeded:
            await self._delete(message)
        elif (message.dequeue_count or 0) >= self._options.max_dequeue_count:
            await self._bury(message, f"failed {self._options.max_dequeue_count} times")
        elif self._poison is not None:
            # Without a poison queue it stays invisible, lest it came back again and again at once.
            await self.release(message, self._options.visibility_timeout)

    async def release(self, message: "QueueMessage", after: timedelta) -> None:
        """Make the message visible again after so long."""
        with _unless_lost(message):
            await self._queue.update_message(
                message.id, message.pop_receipt, visibility_timeout=round(after.total_seconds())
            )

    async def _call(self, message: "QueueMessage", body: bytes) -> bool:
        try:
            argument = trigger_message(message, body)
        except UnicodeDecodeError as error:
            _log.error("%s: message %s: %s", self._function.name, message.id, error)
            return False
        return await self._worker.succeeds(self._function, argument)

    async def _bury(self, message: "QueueMessage", why: str) -> None:
        if self._poison is None:
            return
        _log.warning(
            "%s: message %s %s and goes to %s",
            self._function.name,
            message.id,
            why,
            self._poison.queue_name,
        )
        # First there, then gone from here: twice is better than never.
        try:
            await self._poison.send_message(message.content)
        except ResourceNotFoundError:
            await create_if_missing(self._poison)
            await self._poison.send_message(message.content)
        await self._delete(message)

    async def _delete(self, message: "QueueMessage") -> None:
        with _unless_lost(message):
            await self._queue.delete_message(message.id, message.pop_receipt)

    @asynccontextmanager
    async def _renewed(self, message: "QueueMessage") -> AsyncIterator[None]:
        """Keep the message invisible, and its pop receipt up to date, for the time of the block."""
        done = asyncio.Event()
        renewal = asyncio.create_task(self._renew(message, done))
        try:
            yield
            # A renewal under way is waited for: only its answer has the receipt that now counts.
            done.set()
            await renewal
        finally:
            renewal.cancel()

    async def _renew(self, message: "QueueMessage", done: asyncio.Event) -> None:
        half = self._lease.total_seconds() / 2
        pause = half
        while True:
            await wait_for_event(done, pause)
            if done.is_set():
                return
            try:
                renewed = await self._queue.update_message(
                    message.id,
                    message.pop_receipt,
                    visibility_timeout=round(self._lease.total_seconds()),
                )
            except AzureError as error:
                if _is_lost(error):
                    _log.warning(
                        "%s: message %s now belongs to another receiver",
                        self._function.name,
                        message.id,
                    )
                    return
                pause = half / 5
            else:
                message.pop_receipt = renewed.pop_receipt
                message.next_visible_on = renewed.next_visible_on
                pause = half


async def create_if_missing(queue: "QueueClient") -> None:
    """Make the queue, unless it is there or somebody else has just made it."""
    with suppress(ResourceExistsError):
        await queue.create_queue()


def decode(content: str | None, options: QueuesOptions) -> bytes:
    """Return the body of a message whose text is `content`.

    Raises:
        ValueError: it is not base64, though it should be.
    """
    text = content or ""
    if not options.base64:
        return text.encode()
    text = _BLANK.sub("", text)
    if len(text) % 4:
        # Python passes over padding beyond the end, .NET does not.
        raise binascii.Error("incorrect padding")
    return base64.b64decode(text, validate=True)


def trigger_message(message: "QueueMessage", body: bytes) -> func.QueueMessage:
    """Return what a function is called with, made by the worker's own code from the host's data.

    Raises:
        UnicodeDecodeError: the body is not text, which is how the host hands it over.
    """
    metadata: Mapping[str, Datum] = {
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "InsertionTime": _time(message.inserted_on),
        "ExpirationTime": _time(message.expires_on),
        "NextVisibleTime": _time(message.next_visible_on),
    }
    made: func.QueueMessage = QueueMessageInConverter.decode(
        Datum(body.decode(), "string"), trigger_metadata=metadata
    )
    return made


def _time(moment: object) -> Datum:
    return Datum(str(moment).replace(" ", "T"), "string")


@contextmanager
def _unless_lost(message: "QueueMessage") -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        if not _is_lost(error):
            raise
        _log.warning("message %s now belongs to another host", message.id)


def _is_lost(error: AzureError) -> bool:
    """Tell whether the error means that the message is not ours any more."""
    if isinstance(error, ResourceNotFoundError):
        return True
    return isinstance(error, HttpResponseError) and getattr(error, "error_code", "") in _LOST
