"""One connection to storage: a request, then its response, then the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from registry_core.storage.client.body import Body, body_of
from registry_core.storage.client.heads import Head, Headers, ProtocolError, response_head

PIECE = 512 * 1024
"""How many bytes of a body the transport is given at a time. Of what it cannot send at once it
makes a copy; yet each piece waits its turn on the event loop, while storage waits for it."""
_LONGEST_HEAD = 64 * 1024
_HEAD_END = b"\r\n\r\n"


class Reply(NamedTuple):
    """A response, whole."""

    status: int
    headers: Headers
    body: bytes


class HttpConnection(asyncio.Protocol):
    """A connection to one origin; `exchange` one at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self._writable: asyncio.Future[None] | None = None
        """Waited for by who writes while the transport has enough."""
        self._method = ""
        self._moved: Callable[[], None] | None = None
        self._start = b""
        """What came of a head that is not complete."""
        self._head: Head | None = None
        self._body = Body(0)
        self._most: int | None = None
        self._is_last = False
        """Whether it takes no further request."""
        self.since = 0.0
        """When it was last put back, by the loop's clock."""
        self.patience = float("inf")
        """For how many seconds the server keeps it open unused, as it said."""

    @property
    def is_open(self) -> bool:
        """Whether it can take a request."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(
        self,
        method: str,
        head: bytes,
        body: bytes | memoryview,
        moved: Callable[[], None] | None,
        most: int | None,
    ) -> Reply:
        """Sends a request and answers the response, of at most so many bytes.

        `moved` is called whenever bytes have gone out or come in.

        Raises `OSError` if the connection breaks, `ProtocolError` among them. Afterwards, and if
        it is cancelled, the connection is closed unless the response came whole.
        """
        if self._transport is None:
            raise ConnectionResetError("the connection was closed")
        waiter = self._waiter = self._loop.create_future()
        self._method, self._moved, self._most, self._head = method, moved, most, None
        reply: Reply | None = None
        try:
            if len(body) <= PIECE:
                self._transport.write(b"".join((head, body)) if body else head)
            else:
                await self._write(self._transport, head, memoryview(body), waiter)
            reply = await waiter
            return reply
        finally:
            self._waiter = self._moved = None
            if reply is None or self._is_last:
                self.abort()

    async def _write(
        self,
        transport: asyncio.Transport,
        head: bytes,
        body: memoryview,
        waiter: asyncio.Future[Reply],
    ) -> None:
        """Writes it as fast as it goes out, until all is written or the response is there."""
        transport.write(head)
        for start in range(0, len(body), PIECE):
            transport.write(body[start : start + PIECE])
            if self._writable is not None:
                await self._writable
            if waiter.done():
                # A refusal, most likely. The connection waits for the rest, which nobody sends.
                self._is_last = True
                return
            if self._moved is not None:
                self._moved()

    def abort(self) -> None:
        """Closes it at once."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream, it is one
        self._transport = transport

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._waiter is None or self._waiter.done():
            self.abort()  # Nobody asked for it: what it would answer to is anybody's guess.
            return
        try:
            is_whole = self._take(data)
        except ProtocolError as error:
            self._fail(error)
        else:
            if is_whole:
                self._succeed()

    def _take(self, data: bytes) -> bool:
        while self._head is None:
            data = self._start + data
            end = data.find(_HEAD_END)
            if end < 0:
                if len(data) > _LONGEST_HEAD:
                    raise ProtocolError("a head without an end")
                self._start = data
                return False
            head = response_head(data[:end], self._method)
            self._start, data = b"", data[end + len(_HEAD_END) :]
            if head.status >= 200:  # Others announce the response itself (RFC 9110, 15.2).
                self._head, self._body = head, body_of(head, self._most)
                self._is_last = head.is_last
            elif not data:
                return False
        if self._moved is not None:
            self._moved()
        return self._body.feed(data)

    def eof_received(self) -> None:
        """Called by the event loop; the transport then closes."""
        if self._waiter is not None and not self._waiter.done():
            if self._head is not None and self._body.end():
                self._succeed()
            else:
                self._fail(ConnectionResetError("the connection ended before the response"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        self._fail(exc or ConnectionResetError("the connection broke"))

    def _succeed(self) -> None:
        if self._head is not None and self._waiter is not None:
            reply = Reply(self._head.status, self._head.headers, self._body.content)
            self._waiter.set_result(reply)
            self._body = Body(0)
        self.resume_writing()

    def _fail(self, error: Exception) -> None:
        self._head = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.resume_writing()
