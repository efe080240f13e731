"""HTTP to the services of a storage account: each request is signed, counted, and sent in time.

The registry's everyday calls are few and simple, and are written here rather than by the SDKs: an
SDK takes several times the CPU of the request itself. What is rare stays with them (`sdk.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import aiohttp
from yarl import URL

from registry_core import __version__
from registry_core.errors import Unavailable
from registry_core.storage.budget import current
from registry_core.storage.calls import Answer, CallHook, Request
from registry_core.storage.faults import Ambiguous, refusal

READ_BACK_OFF_SECONDS = 1.0
"""How long a read waits before it is tried again, on average, the first time; then twice that."""
_READ_ATTEMPTS = 3
_CONNECT_SECONDS = 5
_CONNECTIONS = 100
"""The most connections to one service."""
_PIECE = 512 * 1024
"""How many bytes of a body the transport is given at a time. Of what it cannot send at once it
makes a copy; yet each piece waits its turn on the event loop, while storage waits for it."""
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_USER_AGENT = f"slipway/{__version__}"

T = TypeVar("T")
Sign = Callable[[Request], Awaitable[None]]
"""Adds to a request what proves who sends it, and the version of the service's interface."""


class Wire:
    """The connections to a storage account. Used on one event loop; `close` when done."""

    def __init__(self, hook: CallHook) -> None:
        self.hook = hook
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, request: Request) -> Answer:
        """Sends a signed request once. Raises `Ambiguous` where no answer came."""
        try:
            async with self._open().request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=_body_of(request),
                allow_redirects=False,
            ) as response:
                body = await _read(response, is_content=request.is_content)
        except (aiohttp.ClientError, OSError) as error:
            raise Ambiguous(f"{type(error).__name__}: {error}") from error
        return Answer(response.status, response.headers, body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                # What a whole call may take is `calls.in_time`'s.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                # To look for a proxy at every call costs more than the call.
                trust_env=any(map(_is_set, _PROXIES)),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
                headers={"User-Agent": _USER_AGENT},
            )
            # aiohttp by itself sends an idempotent request again when a kept connection breaks
            # off, and so would apply a PUT twice and report the second answer: "the condition is
            # not met", for a write that succeeded. It has no public switch.
            self._session._retry_connection = False  # noqa: SLF001
        return self._session

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()


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


def _is_set(variable: str) -> bool:
    return bool(os.environ.get(variable) or os.environ.get(variable.upper()))


def _body_of(request: Request) -> bytes | memoryview | AsyncIterator[memoryview] | None:
    if request.size > _PIECE:
        request.headers["Content-Length"] = str(request.size)  # Else it were sent in chunks.
        return _pieces(memoryview(request.body))
    return request.body or None


async def _pieces(data: memoryview) -> AsyncIterator[memoryview]:
    """`data` as a body that shares its memory, and is sent as fast as the connection takes it."""
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
        current().renew()


async def _read(response: aiohttp.ClientResponse, *, is_content: bool) -> bytes:
    if not is_content:
        return await response.read()
    pieces = []
    async for piece in response.content.iter_any():
        pieces.append(piece)
        current().renew()
    return b"".join(pieces)
