"""What a message says is to be done, done when it is due. The Functions host takes it from a queue.

It may come twice, or twice at once, or early: whatever is done here can be repeated. One that
cannot be done fails, and the host brings it again; after a few times it goes to the poison queue.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from registry_core.model.messages import Kind, Message
from registry_core.repositories.messages import QUEUE, Messages
from registry_core.settings import Settings
from registry_core.storage.connection import Connection

_LOGGER = logging.getLogger("slipway")
_EARLY = timedelta(minutes=1)
"""A message that comes no earlier than this is done: clocks differ by less."""

Now = Callable[[], datetime]


async def take(
    connection: Connection,
    settings: Settings,
    body: bytes,
    now: Now = lambda: datetime.now(UTC),
) -> None:
    """Does what a message of the queue says, or sends it on until it is due.

    A wait of more than seven days is more than storage grants a message at once. Raises
    `ValueError` for a message that cannot be read, and `Unavailable` where storage fails.
    """
    try:
        message = Message.parse(body.decode())
    except ValueError as error:
        _LOGGER.warning("a message of the queue cannot be read: %s: %.200r", error, body)
        raise
    if message.due > now() + _EARLY:
        await Messages(connection.queue(QUEUE), settings.gc_grace, now).send(message)
        return
    await _WORK[message.kind](connection, settings, message, now)


async def _collect(connection: Connection, settings: Settings, message: Message, now: Now) -> None:
    # No instance for HTTP has to load this.
    from registry_core.lifecycle import measures  # noqa: PLC0415
    from registry_core.lifecycle.collection.freed import Freed  # noqa: PLC0415

    report = await Freed.of(connection, settings, now).collect(message)
    await measures.tell_freed(connection, settings, report.size)


_WORK: Mapping[Kind, Callable[[Connection, Settings, Message, Now], Awaitable[None]]] = {
    Kind.FREED: _collect,
}
