"""The queue of a registry as the Functions host sees it: messages that are due, each once."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from azure.storage.queue.aio import QueueClient

from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.freed import Freed
from registry_core.lifecycle.collection.report import Report
from registry_core.model.clock import HybridClock
from registry_core.model.messages import Message
from registry_core.repositories import catalog, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.emptiness import Emptiness
from registry_core.repositories.executor import Executor
from registry_core.repositories.messages import QUEUE, Messages
from tests.integration.core.collection.support import NO_AGE, stores_of
from tests.integration.core.support import Client


class Mailbox:
    """Takes the messages of a registry's queue by the SDK, and no other way."""

    def __init__(self, connection_string: str) -> None:
        self._queue = QueueClient.from_connection_string(connection_string, QUEUE)

    async def bodies(self) -> list[bytes]:
        """Those that can be seen by now; they are gone from the queue."""
        found = []
        async for each in self._queue.receive_messages(messages_per_page=32):
            await self._queue.delete_message(each)
            found.append(b64decode(each.content, validate=True))
        return found

    async def messages(self) -> list[Message]:
        """The same, read."""
        return [Message.parse(body.decode()) for body in await self.bodies()]

    async def count(self) -> int:
        """How many there are, seen and unseen."""
        return (await self._queue.get_queue_properties()).approximate_message_count or 0

    async def delete(self) -> None:
        """Deletes the queue."""
        await self._queue.delete_queue()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._queue.close()


def freed(client: Client, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Freed:
    """Who collects what messages name, and to whom everything is old that was there at a moment."""
    connection = client.services.connection
    executor = Executor(connection.table(rows.TABLE), HybridClock("local"))
    return Freed(
        Collector(stores_of(client), NO_AGE),
        Emptiness(executor, Catalog(connection.table(catalog.TABLE)), client.services.soft_delete),
        client.services.bulk_deletions,
        Messages(connection.queue(QUEUE), timedelta(0)),
        "local",
        now,
    )


async def collect(client: Client, message: Message, **options: float) -> Report:
    """Does what a message says, as if it were due."""
    return await freed(client).collect(replace(message, due=datetime.now(UTC)), **options)
