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
from devhost.host.exchange import Exchange, Manners
from devhost.host.paths import BadPathError, decode_path, encode_path
from devhost.triggers.worker import Function, Worker

_WORKER = "127.0.0.1"
_HOME_PAGE = "<html><body>Your Functions host is up and running.</body></html>"
_OF_THE_HOST = ("/admin/", "/runtime/")

_log = logging.getLogger("devhost")


class FunctionsHost:
    """Routes requests to the functions of one app."""

    def __init__(self, app: FunctionApp, worker: Worker, manners: Manners | None = None) -> None:
        self._app = app
        self._worker = worker
        self._manners = manners or Manners()
        # Functions that run on after their request was given up. The event loop itself holds tasks
        # only weakly.
        self._abandoned: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        began = time.monotonic()
        fields = headers.fields_of(scope["headers"])
        connection = scope.get("devhost.connection")
        exchange = Exchange(fields, connection, receive, send, self._manners)
        try:
            await self._serve(scope, fields, exchange)
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

    async def _serve(self, scope: Scope, fields: headers.Fields, exchange: Exchange) -> None:
        try:
            path = decode_path(scope["raw_path"])
        except BadPathError:
            await exchange.answer(400)
            return
        if not headers.called(fields):
            await exchange.answer(500, close=True)
            return
        found = None if self._is_its_own(path) else self._app.routes.find(scope["method"], path)
        if found is None:
            await self._answer_itself(path, exchange)
            return
        if headers.is_websocket(fields):
            await exchange.leave_unanswered()
        route, parameters = found
        function = self._app.http_functions[route.function_name]
        length = headers.content_length(fields)
        if length > self._manners.body_limit:
            # The host meets the limit while it binds the request to the function's argument, hence
            # no 413.
            text = f"Exception binding parameter '{function.parameter}'. Request body too large."
            await exchange.answer(
                500,
                f"{text} The max request body size is {self._manners.body_limit} bytes.",
                close=True,
            )
            return
        inner = _function_scope(scope, path, parameters, self._forwarded(scope, fields))
        task = asyncio.create_task(
            _invoke(self._worker, function, inner, exchange, spool=length > 0)
        )
        await self._supervise(task, exchange)

    def _is_its_own(self, path: str) -> bool:
        """Whether no function is asked for this path."""
        if path == "/":
            return self._manners.has_home_page
        return path.lower().startswith(_OF_THE_HOST)

    async def _answer_itself(self, path: str, exchange: Exchange) -> None:
        if path != "/":
            await exchange.answer(401 if self._is_its_own(path) else 404)
        elif self._manners.has_home_page:
            await exchange.answer(200, _HOME_PAGE, media_type="text/html")
        else:
            await exchange.answer(204)

    def _forwarded(self, scope: Scope, fields: headers.Fields) -> dict[str, Any]:
        """Return what the function's scope has of the way to it."""
        port = self._manners.worker_port
        scheme = headers.scheme(fields, scope["scheme"])
        if self._manners.keeps_headers:
            hop, peer = None, headers.peer(fields)
        else:
            peer = (scope.get("client") or ("127.0.0.1",))[0]
            hop = headers.Hop(f"{_WORKER}:{port}", peer, scheme)
        invocation_id = str(uuid.uuid4())
        return {
            "scheme": scheme,
            "server": (_WORKER, port),
            "client": (peer, 0),
            "headers": headers.to_function(fields, invocation_id, method=scope["method"], hop=hop),
        }

    async def _supervise(self, task: asyncio.Task[None], exchange: Exchange) -> None:
        """Wait for the function, or until the request has to be given up without it."""
        watch = asyncio.create_task(exchange.watch())
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
            exchange.break_off()
        await exchange.answer(exchange.given_up, close=True)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()


async def _invoke(
    worker: Worker, function: Function, scope: Scope, exchange: Exchange, *, spool: bool
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
        exchange.break_off()
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


def _replay(body: SpooledBody, exchange: Exchange) -> Receive:
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
    scope: Scope, path: str, parameters: Mapping[str, str], forwarded: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **scope,
        **forwarded,
        "path": path,
        "raw_path": encode_path(path),
        "root_path": "",
        "path_params": dict(parameters),
    }
