"""Request bodies: read with a bound, or passed on as they flow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from registry_core.errors import LengthInvalid, SizeInvalid
from registry_core.storage.budget import current

_RECEIVED = "slipway.received"
"""Where in its scope a request keeps how many bytes of its body have come, once it is read."""
_DRAIN_BYTES = 16 * 1024 * 1024
_DRAIN_SECONDS = 5


def content_length(request: Request) -> int | None:
    """The length that the client announced; None if it announced none."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


async def read_limited(request: Request, limit: int, what: str) -> bytes:
    """The whole body, of at most `limit` bytes. Raises `SizeInvalid` without reading further."""
    announced = content_length(request)
    if announced is not None and announced > limit:
        raise SizeInvalid(f"{what} is larger than {limit} bytes")
    body = bytearray()
    async for chunk in _counted(request):
        body += chunk
        if len(body) > limit:
            raise SizeInvalid(f"{what} is larger than {limit} bytes")
    return bytes(body)


async def flow(request: Request, length: int | None = None) -> AsyncIterator[bytes]:
    """The body as it arrives, of `length` bytes, or as many as the request announces.

    Raises `LengthInvalid` if it ends before that, or does not end there; `ClientDisconnect` if the
    client goes away.
    """
    announced = content_length(request) if length is None else length
    async for chunk in _counted(request):
        if announced is not None and received(request) > announced:
            raise LengthInvalid(f"Content-Length is {announced}, but the body is longer")
        if chunk:
            yield chunk
    came = received(request)
    if announced is not None and came != announced:
        raise LengthInvalid(f"Content-Length is {announced}, but the body has {came} bytes")


def received(request: Request) -> int:
    """How many bytes of the body have been taken in."""
    return int(request.scope.get(_RECEIVED, 0))


async def _counted(request: Request) -> AsyncIterator[bytes]:
    request.scope.setdefault(_RECEIVED, 0)
    async for chunk in request.stream():
        current().renew()  # Waiting for a client is not waiting for storage.
        request.scope[_RECEIVED] += len(chunk)
        yield chunk


class EarlyAnswer(Response):
    """An answer that does not wait for the request's body, which is read off after it was sent.

    Clients that write a body to its end before they read the answer would see a broken connection
    instead. Bounded: a large upload sent without signing in is cut off. A client that waits to be
    told to send (`Expect: 100-continue`, RFC 9110, 10.1.1) is told not to, by the answer alone.
    """

    def __init__(self, answer: Response, request: Request) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = answer.raw_headers
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - its shape is given
        """Sends all of the answer, then sees to the request's body, then ends."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if not _waits_to_be_told(self._request):
            await _read_off(self._request)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _waits_to_be_told(request: Request) -> bool:
    """Whether the client has been told nothing yet: to read the first bytes tells it to send."""
    expects = request.headers.get("expect", "").lower() == "100-continue"
    return expects and _RECEIVED not in request.scope


async def _read_off(request: Request) -> None:
    drained = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in request.stream():
                drained += len(chunk)
                if drained > _DRAIN_BYTES:
                    return
    except (ClientDisconnect, RuntimeError, TimeoutError):
        return  # RuntimeError: it was read to the end already.
