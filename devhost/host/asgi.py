"""The Functions host as an ASGI application: from a request to a call of the function, and back."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from devhost.host import headers
from devhost.host.app import FunctionApp
from devhost.host.bodies import ClientGoneError, SpooledBody
from devhost.host.paths import BadPathError, decode_path, encode_path
from devhost.triggers.worker import Function, Worker

DEFAULT_BODY_LIMIT = 2 * 1024**3
# Azure's load balancer drops a connection on which nothing moved for this long.
IDLE_TIMEOUT = 230.0

_log = logging.getLogger("devhost")


class ConnectionAbortedByHost(BaseException):
    """Raised into the server to make it drop the connection.

    Not an Exception, so that nothing on the way handles it.
    """


class FunctionsHost:
    """Routes requests to the functions of one app.

    `body_limit` is in octets and bounds every request body; `idle_timeout` is in seconds and ends a
    request during which nothing was sent or received for that long.
    """

    def __init__(
        self,
        app: FunctionApp,
        worker: Worker,
        *,
        body_limit: int = DEFAULT_BODY_LIMIT,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        self._app = app
        self._worker = worker
        self._body_limit = body_limit
        self._idle_timeout = idle_timeout
        # Functions that run on after their request was given up. The event loop itself holds tasks
        # only weakly.
        self._abandoned: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        began = time.monotonic()
        exchange = _Exchange(
            receive,
            send,
            self._body_limit,
            expects_continue=headers.expects_continue(scope["headers"]),
        )
        try:
            await self._serve(scope, exchange)
        finally:
            milliseconds = round((time.monotonic() - began) * 1000)
            raw_path = scope["raw_path"].decode("latin-1")
            # What a function answered, it tells of itself.
            answered = exchange.is_functions and exchange.given_up is None
            _log.log(
                logging.DEBUG if answered else logging.INFO,
                "%s %s %s in %d ms",
                scope["method"],
                raw_path,
                exchange.status or "aborted",
                milliseconds,
            )

    async def _serve(self, scope: Scope, exchange: "_Exchange") -> None:
        try:
            path = decode_path(scope["raw_path"])
        except BadPathError:
            await exchange.answer(400)
            return
        found = self._app.routes.find(scope["method"], path)
        if found is None:
            await exchange.answer(404)
            return
        route, parameters = found
        function = self._app.http_functions[route.function_name]
        incoming: headers.Headers = list(scope["headers"])
        spool = not headers.is_chunked(incoming) and _content_length(incoming) > 0
        if spool and _content_length(incoming) > self._body_limit:
            # The host meets the limit while it binds the request to the function's argument, hence
            # no 413.
            text = f"Exception binding parameter '{function.parameter}'. Request body too large."
            await exchange.answer(
                500, f"{text} The max request body size is {self._body_limit} bytes.", close=True
            )
            return
        inner = _function_scope(scope, path, parameters, incoming)
        task = asyncio.create_task(_invoke(self._worker, function, inner, exchange, spool=spool))
        await self._supervise(task, exchange)

    async def _supervise(self, task: asyncio.Task[None], exchange: "_Exchange") -> None:
        """Wait for the function, or until the request has to be given up without it."""
        watch = asyncio.create_task(exchange.watch(self._idle_timeout))
        try:
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            watch.cancel()
        if watch.done():
            exchange.give_up(watch.result())
        if exchange.given_up is None:
            task.result()
            return
        # As in Azure, the function is not told and runs to its end; what it answers goes nowhere.
        self._abandoned.add(task)
        task.add_done_callback(self._forget)
        if exchange.status is not None:
            raise ConnectionAbortedByHost
        await exchange.answer(exchange.given_up, close=True)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()


class _Exchange:
    """One request and its response, as the host sees them pass by."""

    def __init__(
        self, receive: Receive, send: Send, body_limit: int, *, expects_continue: bool
    ) -> None:
        self._receive = receive
        self._send = send
        self._body_limit = body_limit
        # The client has been told nothing yet, and to receive would tell it to send.
        self._is_unanswered = expects_continue
        self._received = 0
        self._too_large = asyncio.Event()
        self._last_activity = time.monotonic()
        self.status: int | None = None
        # Whether that is a function's answer and not the host's own.
        self.is_functions = False
        # The status with which the host ends the request, whatever the function says from then on.
        self.given_up: int | None = None

    async def receive(self) -> Message:
        """Receive from the client; what was given up or is too large looks like a disconnect."""
        if self.given_up is not None:
            return {"type": "http.disconnect"}
        self._is_unanswered = False
        message = await self._receive()
        self._last_activity = time.monotonic()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self._body_limit:
                self.give_up(413)
                self._too_large.set()
                return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Send to the client what the function answers."""
        if self.given_up is not None:
            return
        if message["type"] == "http.response.start":
            self.status, self.is_functions = message["status"], True
            fields = headers.to_client(message.get("headers", ()))
            if self._is_unanswered:
                # The body is not going to come, and the next request not to be told from it.
                fields.append((b"connection", b"close"))
            message = {**message, "headers": fields}
        await self._send(message)
        self._last_activity = time.monotonic()

    async def answer(self, status: int, text: str = "", *, close: bool = False) -> None:
        """Answer in the host's own name."""
        self.status = status
        body = text.encode()
        fields: headers.Headers = [(b"content-length", str(len(body)).encode())]
        if body:
            fields.append((b"content-type", b"text/plain; charset=utf-8"))
        if close:
            fields.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def watch(self, idle_timeout: float) -> int:
        """Return the status to give up with, once there is reason to."""
        while True:
            remaining = self._last_activity + idle_timeout - time.monotonic()
            if remaining <= 0:
                return 504
            try:
                async with asyncio.timeout(remaining):
                    await self._too_large.wait()
            except TimeoutError:
                continue
            return 413

    def give_up(self, status: int) -> None:
        """From now on, receive nothing for the function and send nothing from it."""
        self.given_up = status


async def _invoke(
    worker: Worker, function: Function, scope: Scope, exchange: _Exchange, *, spool: bool
) -> None:
    """Bind the request, call the function and send what it returns."""
    with SpooledBody() as body:
        if spool:
            try:
                await body.fill(exchange.receive)
            except ClientGoneError:
                return
        try:
            await _call(
                worker,
                function,
                scope,
                _replay(body, exchange) if spool else exchange.receive,
                exchange.send,
            )
        except ClientDisconnect:
            _log.info("%s: the client went away", function.name)
        except Exception:  # noqa: BLE001 - whatever it is, the host answers
            _log.exception("%s: the function failed", function.name)
        else:
            return
    if exchange.given_up is not None:
        return
    if exchange.status is not None:
        raise ConnectionAbortedByHost
    await exchange.answer(500, "Internal Server Error")


async def _call(
    worker: Worker, function: Function, scope: Scope, receive: Receive, send: Send
) -> None:
    response = await worker.call(function, Request(scope, receive))
    if not isinstance(response, Response):
        raise TypeError(
            f"function {function.name} must return a Response, not {type(response).__name__}"
        )
    await response(scope, receive, send)


def _replay(body: SpooledBody, exchange: _Exchange) -> Receive:
    ended = False

    async def receive() -> Message:
        nonlocal ended
        if ended:
            return await exchange.receive()
        message = await body.read()
        ended = not message["more_body"]
        return message

    return receive


def _function_scope(
    scope: Scope, path: str, parameters: Mapping[str, str], incoming: headers.Headers
) -> dict[str, Any]:
    return {
        **scope,
        "scheme": headers.scheme(incoming, scope["scheme"]),
        "path": path,
        "raw_path": encode_path(path),
        "root_path": "",
        "headers": headers.to_function(incoming, str(uuid.uuid4())),
        "path_params": dict(parameters),
    }


def _content_length(incoming: headers.Headers) -> int:
    lengths = headers.values(incoming, b"content-length")
    return int(lengths[0]) if lengths else 0
