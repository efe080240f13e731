"""What the real Functions host was seen to do with octets, where another server does otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from devhost.host.app import FunctionApp
from devhost.host.asgi import FunctionsHost
from devhost.host.exchange import Manners
from devhost.host.routing import Route, RouteTable
from devhost.processes.process import HostProcess
from devhost.triggers.worker import Function, Worker
from tests.integration.devhost.conftest import APP, Talk
from tests.integration.devhost.octets import (
    PATIENCE,
    connected,
    exchange,
    request,
    serving,
    told,
    values,
)

PUT = "PUT /echo HTTP/1.1"


# By which name, and from where


@pytest.fixture(scope="module")
def keeping() -> Iterator[HostProcess]:
    """A host that keeps the headers, and shows its own page."""
    environment = {
        "RegistryStorage": "none",
        "FORWARDED_HEADERS": "kept",
        "AzureWebJobsDisableHomepage": "false",
    }
    with HostProcess(APP, environment) as process:
        yield process


OF_THE_FRONT_END = (
    "DISGUISED-HOST: registry.test",
    "X-Forwarded-Proto: https",
    "X-Forwarded-For: 1.1.1.1, 203.0.113.7:51234",
    "CLIENT-IP: 203.0.113.7:51234",
    "X-Client-IP: 203.0.113.7",
)
OF_THE_CLIENT = ("X-Forwarded-Host: fake", "Forwarded: for=1.1.1.1")


def test_by_default_the_function_sees_the_hosts_own_headers(talk: Talk) -> None:
    _, body = talk(request(*OF_THE_FRONT_END, *OF_THE_CLIENT))
    (name,) = values(body, "host")
    assert name.startswith("127.0.0.1:")
    assert values(body, "x-forwarded-host") == ["registry.test"]
    assert values(body, "x-forwarded-for") == ["127.0.0.1"]
    assert values(body, "forwarded") == []
    assert values(body, "client-ip") == ["203.0.113.7:51234"]
    assert values(body, "x-client-ip") == ["203.0.113.7"]
    assert (values(body, "x-forwarded-proto"), told(body)["scheme"]) == (["https"], "https")
    assert told(body)["client"] == "127.0.0.1"
    assert name == told(body)["server"]


def test_without_a_front_end_they_tell_of_the_client_itself(host: HostProcess, talk: Talk) -> None:
    _, body = talk(request())
    assert values(body, "x-forwarded-host") == ["x"]
    assert values(body, "x-forwarded-proto") == ["http"]
    # The worker's port is not the host's.
    assert values(body, "host") != [host.base_url.removeprefix("http://")]


def test_a_host_that_keeps_headers_shows_those_of_the_front_end(keeping: HostProcess) -> None:
    _, body = exchange(keeping.base_url, request(*OF_THE_FRONT_END, *OF_THE_CLIENT))
    assert values(body, "host") == values(body, "disguised-host") == ["registry.test"]
    assert values(body, "x-forwarded-host") == ["fake"]
    assert values(body, "x-forwarded-for") == ["1.1.1.1, 203.0.113.7:51234"]
    assert values(body, "forwarded") == ["for=1.1.1.1"]
    assert values(body, "client-ip") == ["203.0.113.7:51234"]
    assert told(body)["scheme"] == "https"
    assert told(body)["client"] == "203.0.113.7"
    assert values(exchange(keeping.base_url, request())[1], "host") == ["x"]


# What it refuses, and what it takes


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("host: [::1]:7071", 200),
        ("host: registry.test:443", 200),
        ("host: a_b~c!", 200),
        ("host: a b", 400),
        ("host: a/b", 400),
        ("host: a:b", 400),
        ("host: a:", 400),
        ("host: :80", 400),
        ("host: [::1", 400),
        ("host: [x]", 400),
        ('host: "><script>', 400),
        ("host: user@registry.test", 400),
        ("host:", 500),
    ],
)
def test_a_host_that_is_none_is_refused(talk: Talk, field: str, status: int) -> None:
    assert talk(request(named=field))[0] == status


@pytest.mark.parametrize(
    "field",
    [
        b"a: b\r\n c",
        b"a: b\r\n\tc",
        b"a: \x01\r\n c",
        b"a : b",
        b"a\t: b",
        b"a: \xe9",
        b"\xe9: a",
        b"a: \x00",
        b"a",
        b": a",
    ],
)
def test_a_malformed_header_is_refused(talk: Talk, field: bytes) -> None:
    sent = request().replace(b"connection: close", b"connection: close\r\n" + field)
    assert talk(sent) == (400, b"")
    assert talk(*(sent[at : at + 1] for at in range(len(sent)))) == (400, b"")


@pytest.mark.parametrize("character", ["\x01", "\x0b", "\x1f", "\x7f"])
def test_a_control_character_in_a_header_is_served(talk: Talk, character: str) -> None:
    sent = request(f"x: a{character}b", "y: 1")
    for pieces in ([sent], [sent[at : at + 1] for at in range(len(sent))]):
        status, body = talk(*pieces)
        assert status == 200
        assert (values(body, "x"), values(body, "y")) == ([f"a{character}b"], ["1"])


def test_after_a_control_character_in_a_header_a_body_may_begin_as_a_folded_line_does(
    talk: Talk,
) -> None:
    fields = ("x: \x01", "content-length: 5")
    sent = request(*fields, line=PUT, body=b"\r\n ab")
    # In every way to cut it in two, that is.
    for at in range(len(sent)):
        status, body = talk(sent[:at], sent[at:])
        assert (status, told(body)["size"]) == (200, 5)


@pytest.mark.parametrize("method", ["get", "Get", "pOST", "propfind"])
def test_a_method_in_lower_case_is_served_in_upper_case(talk: Talk, method: str) -> None:
    sent = request(line=f"{method} /every HTTP/1.1")
    assert talk(sent) == (200, method.upper().encode())
    assert talk(*(sent[at : at + 1] for at in range(len(sent)))) == (200, method.upper().encode())


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_without_a_body_or_a_length_has_a_length_of_0(talk: Talk, method: str) -> None:
    _, body = talk(request(line=f"{method} /echo HTTP/1.1"))
    assert values(body, "content-length") == ["0"]
    assert values(talk(request())[1], "content-length") == []


CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        ("content-length: 7", "transfer-encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 7"),
    ],
)
def test_a_length_beside_a_coding_is_disregarded(talk: Talk, fields: tuple[str, str]) -> None:
    status, body = talk(request(*fields, line=PUT, body=CHUNKS))
    assert (status, told(body)["size"]) == (200, 3)
    assert values(body, "x-content-length") == ["7"]
    assert values(body, "content-length") == []


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-1\r\n", b"3\r\nabcdef\r\n"])
def test_a_bad_chunk_is_500_and_the_end_of_the_connection(talk: Talk, chunk: bytes) -> None:
    sent = request("transfer-encoding: chunked", line=PUT, body=b"3\r\nabc\r\n" + chunk)
    # Not that it is to be closed: that is the host's own decision.
    status, _ = talk(sent.replace(b"connection: close\r\n", b""))
    assert status == 500


def test_a_response_header_with_an_octet_above_127_is_500(talk: Talk) -> None:
    assert talk(request(line="GET /headers/wide HTTP/1.1"))[0] == 500


def test_an_early_answer_to_a_chunked_body_reaches_a_client_that_is_still_sending(
    talk: Talk,
) -> None:
    # More than the buffers of a connection take.
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (20_000_000, b"x" * 20_000_000)
    sent = request("transfer-encoding: chunked", line="PATCH /early HTTP/1.1", body=body)
    assert talk(sent) == (401, b"no")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_the_root_is_the_hosts_page_unless_that_is_disabled(
    keeping: HostProcess, talk: Talk, method: str
) -> None:
    sent = request(line=f"{method} / HTTP/1.1")
    status, body = exchange(keeping.base_url, sent)
    assert (status, body[:6]) == (200, b"<html>")
    assert talk(sent) == (204, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/admin/host/status", 401), ("/Runtime/webhooks/x", 401), ("/admin", 404), ("/adminx/", 404)],
)
def test_the_hosts_own_paths_need_a_key(talk: Talk, path: str, status: int) -> None:
    assert talk(request(line=f"GET {path} HTTP/1.1")) == (status, b"")


# From here on with a host in the test's own event loop.

Handler = Callable[[Request], Awaitable[Response]]
CHUNKED = b"PUT /f HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
WITH_LENGTH = b"PUT /f HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n"


@asynccontextmanager
async def hosting(handler: Handler, **manners: Any) -> AsyncIterator[tuple[str, int]]:
    """Serve one function, for as long as a test may take."""
    app = FunctionApp(
        {"f": Function("f", handler, "req")}, RouteTable([Route.parse("f", "f", None)])
    )
    host = FunctionsHost(app, Worker(), Manners(**manners))
    async with asyncio.timeout(PATIENCE), serving(host) as address:
        yield address


class Upload:
    """A function that takes in what comes."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def take(self, req: Request) -> Response:
        try:
            async for part in req.stream():
                self.received += part
        except ClientDisconnect:
            self.ended.set_result(False)
            raise
        self.ended.set_result(True)
        return Response("whole")


async def test_a_body_that_comes_too_slowly_is_500_and_the_function_has_what_came() -> None:
    upload = Upload()
    async with (
        hosting(upload.take, body_grace=0.2) as address,
        connected(address, CHUNKED + b"3\r\nabc\r\n") as (reader, _),
    ):
        assert (await reader.read()).startswith(b"HTTP/1.1 500 ")
        assert not await upload.ended
    assert upload.received == b"abc"


async def test_a_body_with_a_length_that_comes_too_slowly_is_500_before_any_function() -> None:
    upload = Upload()
    async with (
        hosting(upload.take, body_grace=0.2) as address,
        connected(address, WITH_LENGTH + b"abc") as (reader, _),
    ):
        assert (await reader.read()).startswith(b"HTTP/1.1 500 ")
    assert not upload.ended.done()


async def test_a_body_that_drips_fast_enough_is_taken_in_whole() -> None:
    """However long it takes: only the time is counted in which the body is waited for."""
    upload = Upload()
    async with (
        hosting(upload.take, body_grace=0.2, slowest_body=0.001) as address,
        connected(address, CHUNKED + b"1\r\na\r\n") as (reader, writer),
    ):
        # A part of the body, and then the grace of another request has passed twice.
        for _ in range(2):
            async with connected(address, WITH_LENGTH) as (slow, _w):
                assert (await slow.read()).startswith(b"HTTP/1.1 500 ")
        writer.write(b"1\r\nb\r\n0\r\n\r\n")
        assert await reader.readuntil(b"whole")
        assert await upload.ended
    assert upload.received == b"ab"


async def test_a_body_that_no_function_waits_for_is_not_slow() -> None:
    go_on = asyncio.Event()

    async def busy(req: Request) -> Response:
        await go_on.wait()
        return Response(await req.body())

    async with (
        hosting(busy, body_grace=0.1) as address,
        connected(address, CHUNKED) as (reader, writer),
    ):
        for _ in range(2):
            async with connected(address, WITH_LENGTH) as (slow, _w):
                assert (await slow.read()).startswith(b"HTTP/1.1 500 ")
        writer.write(CHUNKS)
        go_on.set()
        assert await reader.readuntil(b"abc")


async def test_of_a_chunked_body_above_the_limit_the_function_has_as_much_as_the_limit() -> None:
    upload = Upload()
    async with (
        hosting(upload.take, body_limit=10) as address,
        connected(address, CHUNKED + b"8\r\nabcdefgh\r\n8\r\nijklmnop\r\n") as (reader, _),
    ):
        assert (await reader.read()).startswith(b"HTTP/1.1 500 ")
        assert not await upload.ended
    assert upload.received == b"abcdefghij"


async def test_a_chunked_body_of_just_the_limit_is_taken() -> None:
    upload = Upload()
    async with (
        hosting(upload.take, body_limit=3) as address,
        connected(address, CHUNKED + CHUNKS) as (reader, _),
    ):
        assert await reader.readuntil(b"whole")
    assert upload.received == b"abc"


async def failing(req: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError("on purpose")

    return StreamingResponse(body())


async def test_of_a_stream_that_fails_at_once_nothing_is_delivered_but_a_reset() -> None:
    async with (
        hosting(failing, first_part=PATIENCE) as address,
        connected(address, b"GET /f HTTP/1.1\r\nhost: x\r\n\r\n") as (reader, _),
    ):
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_of_a_stream_that_fails_later_there_is_no_end() -> None:
    begun = asyncio.Event()

    async def late(req: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun"
            await begun.wait()
            raise RuntimeError("on purpose")

        return StreamingResponse(body())

    async with (
        hosting(late) as address,
        connected(address, b"GET /f HTTP/1.1\r\nhost: x\r\n\r\n") as (reader, _),
    ):
        # The first part goes out even if no other follows it.
        await reader.readuntil(b"begun\r\n")
        begun.set()
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_stream_arrives_whole_and_in_order() -> None:
    async def counting(req: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            for number in range(1000):
                yield b"%04d" % number * 100

        return StreamingResponse(body(), headers={"content-length": "400000"})

    async with (
        hosting(counting) as address,
        connected(address, b"GET /f HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n") as (
            reader,
            _,
        ),
    ):
        body = (await reader.read()).partition(b"\r\n\r\n")[2]
    assert body == b"".join(b"%04d" % number * 100 for number in range(1000))


async def test_a_websocket_is_never_answered_and_no_function_is_asked() -> None:
    async def never(req: Request) -> Response:
        raise AssertionError

    asking = b"GET /f HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n"
    async with (
        hosting(never, idle_timeout=0.2) as address,
        connected(address, asking) as (reader, _),
    ):
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_what_is_left_of_a_body_is_not_let_in_for_ever() -> None:
    async def early(req: Request) -> Response:
        return Response("no", status_code=401)

    sent = request("transfer-encoding: chunked", line="PUT /f HTTP/1.1")
    async with (
        hosting(early) as address,
        connected(address, sent) as (reader, writer),
    ):
        assert (await reader.read()).endswith(b"no")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(chunk)
                await writer.drain()
