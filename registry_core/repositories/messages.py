"""Deletions announce what they free, before they free it: afterwards nothing would name it.

The queue is the timer: a message is seen when the grace period is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from registry_core.model.digest import Digest
from registry_core.model.messages import Kind, Message
from registry_core.model.names import RepositoryName
from registry_core.storage.pacing import together
from registry_core.storage.queues import MESSAGE_BYTES, Queue

QUEUE = "slipway-work"


class Messages:
    """Sends messages to who works after the answer (`lifecycle/messages.py`)."""

    def __init__(
        self,
        queue: Queue,
        grace: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._queue = queue
        self._grace = grace
        self._now = now

    async def send(self, message: Message) -> None:
        """Sends one, to be seen when it is due; in parts, where it is too long for one.

        Raises `Unavailable` where storage does not take it.
        """
        delay = message.due - self._now()
        await together(self._queue.send(str(part), delay) for part in message.split(MESSAGE_BYTES))

    async def freed(self, repository: RepositoryName, digests: Iterable[Digest]) -> None:
        """Announces what a deletion is about to free."""
        due = self._now() + self._grace
        await self.send(Message(Kind.FREED, repository, tuple(digests), due))


class Announcement:
    """Of one deletion: however often it begins anew, it is made once, and each digest named once.

    A deletion ends long before the grace period does, so one that was announced early in it is
    looked at after it all the same.
    """

    def __init__(self, messages: Messages, repository: RepositoryName) -> None:
        self._messages = messages
        self._repository = repository
        self._named: set[Digest] | None = None
        """None while nothing was announced."""

    def has(self, digests: Iterable[Digest]) -> bool:
        """Whether all of them were announced, and be it that there are none."""
        return self._named is not None and self._named.issuperset(digests)

    async def make(self, digests: Iterable[Digest]) -> None:
        """Announces what was not yet. Raises `Unavailable`: then nothing may be deleted."""
        wanted = list(dict.fromkeys(digests))
        if self.has(wanted):
            return
        named = self._named or set()
        await self._messages.freed(
            self._repository, [digest for digest in wanted if digest not in named]
        )
        self._named = named.union(wanted)
