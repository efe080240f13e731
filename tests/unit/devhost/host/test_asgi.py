import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from devhost.host.app import FunctionApp
from devhost.host.asgi import FunctionsHost
from devhost.host.exchange import ConnectionAbortedByHost, Manners
from devhost.host.routing import Route, RouteTable
from devhost.triggers.worker import Function, Worker

Handler = Callable[[Request], Awaitable[Response]]


def host(function: Handler, *, idle_timeout: float = 60, **manners: Any) -> FunctionsHost:
    table = RouteTable([Route.parse("f", "f", None)])
    app = FunctionApp({"f": Function("f", function, "req")}, table)
    given = Manners(body_limit=100, idle_timeout=idle_timeout, **manners)
    return FunctionsHost(app, Worker(), given)


def scope(**overrides: Any) -> dict[str, Any]:
    defaults = {"type": "http", "method": "GET", "raw_path": b"/f", "scheme": "http"}
    return {
        **defaults,
        "query_string": b"",
        "path": "/f",
        "asgi": {"spec_version": "2.3"},
        "client": ("192.0.2.1", 1),
        **overrides,
        "headers": [(b"host", b"x"), *overrides.get("headers", ())],
    }


async def receive_nothing() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_an_idle_request_is_given_up_while_its_function_runs_on() -> None:
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def function(req: Request) -> Response:
        await go_on.wait()
        ended.set()
        return Response("too late")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await host(function, idle_timeout=0.01)(scope(), receive_nothing, send)
    assert sent[0]["status"] == 504
    count = len(sent)
    go_on.set()
    await ended.wait()
    await asyncio.sleep(0)
    assert len(sent) == count


async def test_an_idle_request_whose_response_has_begun_is_dropped() -> None:
    async def function(req: Request) -> Response:
        return Begun()

    class Begun(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.Event().wait()

    async def send(message: Message) -> None:
        pass

    with pytest.raises(ConnectionAbortedByHost):
        await host(function, idle_timeout=0.01)(scope(), receive_nothing, send)


async def test_a_request_whose_body_never_came_does_not_reach_the_function() -> None:
    async def function(req: Request) -> Response:
        raise AssertionError

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await host(function)(scope(headers=[(b"content-length", b"5")]), receive, send)
    assert not sent


async def test_a_shutdown_cancels_the_function() -> None:
    running, cancelled = asyncio.Event(), asyncio.Event()

    async def function(req: Request) -> Response:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    task = asyncio.create_task(host(function)(scope(), receive_nothing, send))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await cancelled.wait()
