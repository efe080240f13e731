"""Queue triggers: which function, which queue, and a client of it.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devhost.errors import AppError
from devhost.triggers.bindings import connection_string, resolve
from devhost.triggers.worker import Function

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient

_POISON = "-poison"
# https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata
_QUEUE_NAME = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class QueueFunction:
    """A function with a queue trigger; `connection` is a connection string."""

    function: Function
    queue_name: str
    connection: str

    @classmethod
    def parse(
        cls, function: Function, trigger: Mapping[str, Any], settings: Mapping[str, str]
    ) -> "QueueFunction":
        """Take it from the trigger's attributes.

        Raises:
            AppError: the queue or the connection cannot be used; the message names the function.
        """
        try:
            name = _valid_name(resolve(trigger["queueName"], settings).lower())
            connection = connection_string(trigger.get("connection") or "", settings)
            # Which looks at the string, but connects to nothing yet.
            queue_client(connection, name)
        except (AppError, ValueError) as error:
            raise AppError(f"function {function.name}: {error}") from None
        return cls(function, name, connection)

    @property
    def poison_queue_name(self) -> str | None:
        """The queue for messages that fail too often; a poison queue itself has none."""
        name = self.queue_name + _POISON
        if self.queue_name.endswith(_POISON) or not _QUEUE_NAME.fullmatch(name):
            return None
        return name


def _valid_name(name: str) -> str:
    if not _QUEUE_NAME.fullmatch(name):
        raise AppError(f"{name!r} is not a valid name for a queue")
    return name


def queue_client(connection: str, queue_name: str) -> "QueueClient":
    """A client of a queue; it connects to nothing yet. Raises `ValueError`."""
    # Not before it is needed: aiohttp, which it imports, looks only once at which certificates to
    # trust, and that is settled after this module has been imported. See devhost.run.
    from azure.storage.queue.aio import QueueClient  # noqa: PLC0415

    return QueueClient.from_connection_string(
        connection,
        queue_name,
        # A line in the log for each look at a queue is nothing to read.
        http_logging_level=logging.DEBUG,
        # In seconds. By default, who waits for an emulator that is gone waits for minutes.
        initial_backoff=1,
        increment_base=1,
        random_jitter_range=1,
    )
