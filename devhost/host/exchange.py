"""One request and its response, as the Functions host sees them pass by."""

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass
from typing import NoReturn

from starlette.types import Message, Receive, Send

from devhost.host import headers
from devhost.host.protocol import HostProtocol

DEFAULT_BODY_LIMIT = 2 * 1024**3
# Azure's load balancer drops a connection on which nothing moved for this long.
IDLE_TIMEOUT = 230.0
# What a function streams goes out at once, but for its first part: what fails within this time, in
# seconds, reaches nobody.
_FIRST_PART_SECONDS = 0.01


class ConnectionAbortedByHost(BaseException):
    """Raised into the server to make it drop the connection.

    Not an Exception, so that nothing on the way handles it.
    """


@dataclass(frozen=True, slots=True)
class Manners:
    """How the host treats requests.

    `body_limit` is in octets and bounds every request body. A request on which nothing moves for
    `idle_timeout` seconds is ended, and so is one whose body comes with fewer than `slowest_body`
    octets a second, after the first `body_grace` seconds that were waited for it.

    With `keeps_headers`, functions see the `Host` and `X-Forwarded-*` that the host got. Otherwise
    they see its own; `worker_port` is the port of the worker in them. With `has_home_page`, `/` is
    the host's own page.
    """

    body_limit: int = DEFAULT_BODY_LIMIT
    idle_timeout: float = IDLE_TIMEOUT
    slowest_body: float = 240.0
    body_grace: float = 5.0
    first_part: float = _FIRST_PART_SECONDS
    keeps_headers: bool = False
    worker_port: int = 0
    has_home_page: bool = True


class Exchange:
    """One request and its response, as the host sees them pass by."""

    def __init__(
        self,
        fields: headers.Fields,
        connection: HostProtocol | None,
        receive: Receive,
        send: Send,
        manners: Manners,
    ) -> None:
        self._receive = receive
        self._send = send
        self._manners = manners
        # The server's connection, which can do more than ASGI tells of.
        self._connection = connection
        # The client has been told nothing yet, and to receive would tell it to send.
        self._is_unanswered = headers.expects_continue(fields)
        self._more_body = headers.is_chunked(fields) or headers.content_length(fields) > 0
        self._received = 0
        # In seconds: how long the body has been waited for, and since when it is now.
        self._waited = 0.0
        self._waits_since: float | None = None
        self._is_too_large = False
        self._broken = asyncio.Event()
        self._last_activity = time.monotonic()
        # The start and the first part of a response, which wait for more or for the end.
        self._held: list[Message] = []
        self._held_timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self.status: int | None = None
        # Whether that is a function's answer and not the host's own.
        self.is_functions = False
        # The status with which the host ends the request, whatever the function says from then on.
        self.given_up: int | None = None

    async def receive(self) -> Message:
        """Receive from the client; what was given up or is too large looks like a disconnect."""
        if self._held or self._flushing:
            await self._flush()
        if self._is_too_large:
            self.give_up(500)
            self._broken.set()
        if self.given_up is not None:
            return {"type": "http.disconnect"}
        self._is_unanswered = False
        began = self._waits_since = time.monotonic()
        message = await self._receive()
        self._last_activity = time.monotonic()
        self._waited += self._last_activity - began
        self._waits_since = None
        if message["type"] == "http.request":
            message = self._bounded(message)
        return message

    def _bounded(self, message: Message) -> Message:
        """Return the part of a body as far as the limit lets it pass."""
        body, left = message.get("body", b""), self._manners.body_limit - self._received
        self._received += len(body)
        self._more_body = message.get("more_body", False)
        if len(body) <= left:
            return message
        self._is_too_large = True
        return {**message, "body": body[:left], "more_body": True}

    async def send(self, message: Message) -> None:
        """Send to the client what the function answers."""
        if self.given_up is not None:
            return
        if message["type"] == "http.response.start":
            fields = headers.to_client(message.get("headers", ()))
            self.status, self.is_functions = message["status"], True
            if self._is_unanswered:
                # The body is not going to come, and the next request not to be told from it.
                fields.append((b"connection", b"close"))
            self._held.append({**message, "headers": fields})
            return
        if self._held and self._held_timer is None and message.get("more_body"):
            self._held.append(message)
            loop = asyncio.get_running_loop()
            self._held_timer = loop.call_later(self._manners.first_part, self._flush_by_timer)
            return
        if self._held or self._flushing:
            await self._flush()
        await self._send(message)
        self._last_activity = time.monotonic()

    async def _flush(self) -> None:
        if self._held_timer is not None:
            self._held_timer.cancel()
        if self._flushing is not None:
            await self._flushing
        await self._send_held()

    async def _send_held(self) -> None:
        held, self._held = self._held, []
        for message in held:
            await self._send(message)
            self._last_activity = time.monotonic()

    def _flush_by_timer(self) -> None:
        self._flushing = asyncio.get_running_loop().create_task(self._send_held())

    async def answer(
        self, status: int, text: str = "", *, media_type: str = "text/plain", close: bool = False
    ) -> None:
        """Answer in the host's own name."""
        self.status = status
        body = text.encode()
        fields: headers.Headers = []
        if status != 204:
            fields.append((b"content-length", str(len(body)).encode()))
        if body:
            fields.append((b"content-type", f"{media_type}; charset=utf-8".encode()))
        if close:
            fields.append((b"connection", b"close"))
            if self._connection is not None:
                self._connection.let_no_more_in()
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    def break_off(self) -> NoReturn:
        """Drop the connection, and what has not gone out yet."""
        self._held.clear()
        if self._connection is not None:
            self._connection.reset()
        raise ConnectionAbortedByHost

    async def leave_unanswered(self) -> NoReturn:
        """Wait until the client has gone, or as long as the host would for anything."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._manners.idle_timeout):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        self.break_off()

    async def watch(self) -> int:
        """Return the status to give up with, once there is reason to."""
        while True:
            now = time.monotonic()
            idle = self._last_activity + self._manners.idle_timeout - now
            slow = self._until_too_slow(now)
            if idle <= 0:
                return 504
            if slow <= 0:
                return 500
            try:
                async with asyncio.timeout(min(idle, slow)):
                    await self._broken.wait()
            except TimeoutError:
                continue
            return 500

    def _until_too_slow(self, now: float) -> float:
        """Return for how many seconds the body can stay away, or wait to be asked for."""
        if not self._more_body:
            return math.inf
        allowed = max(self._manners.body_grace, self._received / self._manners.slowest_body)
        if self._waits_since is None:
            # Nobody waits for it, so it is not the client that is slow.
            return max(allowed - self._waited, self._manners.body_grace)
        return allowed - self._waited - (now - self._waits_since)

    def give_up(self, status: int) -> None:
        """From now on, receive nothing for the function and send nothing from it."""
        self.given_up = status
        self._held.clear()
