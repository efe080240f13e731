"""Queues: messages that become visible later. Here they are sent; the Functions host takes them.

"Put Message", "Delete Message", "Create Queue" and "Get Queue Metadata", Azure Storage REST
reference.
"""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from datetime import timedelta
from urllib.parse import quote

from registry_core.storage.budget import attempts
from registry_core.storage.calls import Request
from registry_core.storage.faults import Ambiguous, RowExists, StoreMissing
from registry_core.storage.wire import Service

LONGEST = timedelta(days=7)
"""For so long a message can be kept from sight, and no longer."""
MESSAGE_BYTES = 48 * 1024
"""The most that a message holds: 64 KiB as it is sent, in base64."""
_ATTEMPTS = 4
"""How often a message is sent whose answers are lost."""


class Queue:
    """One queue. It is made with the tables, or when the first message finds it missing."""

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._url = f"{service.url}/{name}"

    async def send(self, text: str, delay: timedelta) -> None:
        """Sends a message that is seen after `delay`, seven days at most, and never expires.

        After a lost answer it is sent again: whoever takes it may meet it twice. Raises
        `Unavailable` when storage stays unreachable, and `Refused`.
        """
        is_missing = False
        async for _ in attempts(most=_ATTEMPTS):
            try:
                if is_missing:
                    await self.make()
                await self._put(text, delay)
                return
            except StoreMissing:
                is_missing = True
            except Ambiguous:
                continue

    async def _put(self, text: str, delay: timedelta) -> None:
        seconds = max(0, round(min(delay, LONGEST).total_seconds()))
        # By itself a message expires after seven days: one that waits so long would never be seen.
        url = f"{self._url}/messages?visibilitytimeout={seconds}&messagettl=-1"
        # The host expects base64 ("messageEncoding" in host.json).
        encoded = b64encode(text.encode()).decode()
        body = f"<QueueMessage><MessageText>{encoded}</MessageText></QueueMessage>"
        headers = {"Content-Type": "application/xml"}
        await self._service.write(Request("POST", url, headers, body.encode()))

    async def delete(self, message: str, receipt: str) -> None:
        """Deletes a message by its id and the receipt that who took it got. Raises `RowMissing`."""
        url = f"{self._url}/messages/{message}?popreceipt={quote(receipt, safe='')}"
        await self._service.write(Request("DELETE", url))

    async def count(self) -> int:
        """About how many messages there are, seen and unseen. Raises `StoreMissing`."""
        return await self._service.read(
            Request("GET", f"{self._url}?comp=metadata"),
            lambda answer: int(answer.headers.get("x-ms-approximate-messages-count", 0)),
        )

    async def make(self) -> None:
        """Makes the queue; one that exists is left as it is."""
        with suppress(RowExists):
            await self._service.write(Request("PUT", self._url))
