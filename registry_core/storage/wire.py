"""HTTP to the services of a storage account: each request is signed, counted, and sent in time.

The registry's everyday calls are few and simple, and are written here rather than by the SDKs: an
SDK takes several times the CPU of the request itself. What is rare stays with them (`sdk.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from registry_core import __version__
from registry_core.errors import Unavailable
from registry_core.storage.budget import current
from registry_core.storage.calls import Answer, CallHook, Request
from registry_core.storage.client.choice import connections
from registry_core.storage.client.connection import PIECE
from registry_core.storage.client.connections import Connections
from registry_core.storage.faults import Ambiguous, refusal

READ_BACK_OFF_SECONDS = 1.0
"""How long a read waits before it is tried again, on average, the first time; then twice that."""
_READ_ATTEMPTS = 3
_USER_AGENT = f"slipway/{__version__}"

T = TypeVar("T")
Sign = Callable[[Request], Awaitable[None]]
"""Adds to a request what proves who sends it, and the version of the service's interface."""


class Wire:
    """The connections to a storage account. Used on one event loop; `close` when done."""

    def __init__(self, hook: CallHook) -> None:
        self.hook = hook
        self._connections: Connections | None = None

    async def exchange(self, request: Request) -> Answer:
        """Sends a signed request once. Raises `Ambiguous` where no answer came."""
        moved = current().renew if request.is_content or request.size > PIECE else None
        request.headers["User-Agent"] = _USER_AGENT
        if self._connections is None:
            self._connections = connections()
        try:
            reply = await self._connections.exchange(
                request.method, request.url, request.headers, request.body, moved
            )
        except OSError as error:
            raise Ambiguous(f"{type(error).__name__}: {error}") from error
        return Answer(reply.status, reply.headers, reply.body)

    async def close(self) -> None:
        """Closes every connection."""
        if self._connections is not None:
            await self._connections.close()


class Service:
    """One service of a storage account: its blobs, or its tables."""

    def __init__(self, wire: Wire, url: str, sign: Sign) -> None:
        self.url = url
        """Without a slash at the end."""
        self._wire = wire
        self._sign = sign

    async def read(self, request: Request, parse: Callable[[Answer], T]) -> T:
        """Sends what changes nothing, up to three times; answers what `parse` makes of the answer.

        Raises the `StorageFault` that a refusal is, and `Unavailable` where no answer came, or none
        that `parse` can read (`Ambiguous`).
        """
        for attempt in itertools.count(1):
            try:
                return parse(await self.write(request))
            except Ambiguous as fault:
                wait = READ_BACK_OFF_SECONDS * attempt * random.uniform(0.5, 1.5)  # noqa: S311
                if attempt == _READ_ATTEMPTS or wait >= current().left:
                    raise Unavailable from fault
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def write(self, request: Request) -> Answer:
        """Sends a request once; answers what storage answered.

        Raises the `StorageFault` that a refusal is: `Ambiguous` where nobody knows whether it was
        applied.
        """
        await self._sign(request)
        answer = await self._wire.hook.send(request, self._wire.exchange)
        if answer.status >= 300:
            raise refusal(answer.status, answer.headers, answer.body)
        return answer
