"""What the host takes from a connection and what it refuses, octet by octet."""

import asyncio
import contextlib

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from devhost.host.protocol import HEADER_COUNT_LIMIT, HEADERS_LIMIT, REQUEST_LINE_LIMIT
from tests.integration.devhost.conftest import Talk
from tests.integration.devhost.octets import (
    PATIENCE,
    connected,
    outlast_the_limit,
    request,
    serving,
    told,
    values,
)


def test_a_trailer_is_not_a_header_to_the_function(talk: Talk) -> None:
    sent = request(
        "transfer-encoding: chunked",
        line="PUT /echo HTTP/1.1",
        body=b"3\r\nabc\r\n0\r\nauthorization: Basic x\r\nx-late: 1\r\n\r\n",
    )
    status, body = talk(sent)
    assert (status, told(body)["size"]) == (200, 3)
    assert values(body, "authorization") == values(body, "x-late") == []


def test_a_header_sent_twice_reaches_the_function_as_one(talk: Talk) -> None:
    _, body = talk(request("authorization: Basic a", "x: 1", "Authorization: Basic b"))
    assert values(body, "authorization") == ["Basic a, Basic b"]


def test_a_number_sign_in_the_target_is_part_of_the_path(talk: Talk) -> None:
    _, body = talk(request(line="GET /echo/a#b HTTP/1.1"))
    assert told(body)["path"] == "a#b"


@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 414)])
def test_a_request_line_is_served_up_to_the_limit(talk: Talk, excess: int, status: int) -> None:
    around = len("GET /echo? HTTP/1.1\r\n")
    query = "q" * (REQUEST_LINE_LIMIT - around + excess)
    assert talk(request(line=f"GET /echo?{query} HTTP/1.1"))[0] == status


@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 431)])
def test_headers_are_served_up_to_the_limit_of_their_size(
    talk: Talk, excess: int, status: int
) -> None:
    around = len(request("x: ")) - len("GET /echo HTTP/1.1\r\n")
    value = "v" * (HEADERS_LIMIT - around + excess)
    assert talk(request(f"x: {value}"))[0] == status


@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 431)])
def test_headers_are_served_up_to_the_limit_of_their_number(
    talk: Talk, excess: int, status: int
) -> None:
    others = ("host", "connection")
    fields = [f"x{number}: 1" for number in range(HEADER_COUNT_LIMIT - len(others) + excess)]
    assert talk(request(*fields))[0] == status


@pytest.mark.parametrize(
    ("line", "named", "status"),
    [
        ("GET /every HTTP/1.1", None, 400),
        ("GET /every HTTP/1.1", "host: x\r\nHost: y", 400),
        ("GET /every HTTP/1.0", "host: x\r\nHost: y", 400),
        ("GET /every HTTP/1.0", None, 500),
        ("GET /every HTTP/1.0", "host: x", 200),
        ("GET /every HTTP/2.0", "host: x", 505),
    ],
)
def test_a_request_names_one_host_and_a_version_that_is_served(
    talk: Talk, line: str, named: str | None, status: int
) -> None:
    assert talk(request(line=line, named=named))[0] == status


# From here on with a server in the test's own event loop.


async def served(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(b"<" + body + b">")(scope, receive, send)


WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
# For a head, in seconds.
LIMIT = 0.2


@pytest.mark.parametrize(
    ("before", "part"),
    [(b"", b"\r\n"), (b"", b"G"), (b"", WHOLE[:-2]), (WHOLE, b"G"), (WHOLE, WHOLE[:-2])],
)
async def test_a_head_that_is_never_finished_ends_the_connection(
    before: bytes, part: bytes
) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        serving(served, LIMIT) as address,
        connected(address, before + part) as (reader, _),
    ):
        assert (await reader.read()).endswith(b"<>" if before else b"")


async def test_a_connection_that_says_nothing_is_ended() -> None:
    async with asyncio.timeout(PATIENCE), serving(served, LIMIT) as address:
        await outlast_the_limit(address)


async def test_a_head_that_comes_in_octet_by_octet_gets_no_more_time() -> None:
    async with (
        asyncio.timeout(PATIENCE),
        serving(served, LIMIT) as address,
        connected(address, WHOLE[:-2] + b"x") as (reader, writer),
    ):
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LIMIT / 10):
                        assert await reader.read() == b""


async def test_a_body_may_take_longer_than_a_head() -> None:
    async with asyncio.timeout(PATIENCE), serving(served, LIMIT) as address:
        head = b"PUT / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n"
        async with connected(address, head + b"a") as (reader, writer):
            await outlast_the_limit(address)
            writer.write(b"b")
            assert (await reader.read()).endswith(b"<ab>")


async def test_a_connection_between_two_requests_may_rest_longer_than_a_head_takes() -> None:
    async with (
        asyncio.timeout(PATIENCE),
        serving(served, LIMIT) as address,
        connected(address, WHOLE) as (reader, writer),
    ):
        await reader.readuntil(b"<>")
        await outlast_the_limit(address)
        writer.write(WHOLE)
        await reader.readuntil(b"<>")


@pytest.mark.parametrize("after", [b"GET / HT", b"GET / HTTP/1.1\r\n\r\n", b"!\r\n\r\n"])
async def test_a_request_is_answered_whatever_its_client_sends_after_it(after: bytes) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        running.set()
        await go_on.wait()
        await served(scope, receive, send)

    async with (
        asyncio.timeout(PATIENCE),
        serving(waiting, LIMIT) as address,
        connected(address, WHOLE + after) as (reader, _),
    ):
        await running.wait()
        await outlast_the_limit(address)
        go_on.set()
        received = await reader.read()
        assert received.startswith(b"HTTP/1.1 200 ")
        assert received.endswith(b"<>")


async def test_no_second_response_is_written_into_one_that_has_begun() -> None:
    begun = asyncio.Event()

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        begun.set()
        await Request(scope, receive).body()

    async with (
        asyncio.timeout(PATIENCE),
        serving(streaming) as address,
        connected(address, CHUNKED) as (reader, writer),
    ):
        await begun.wait()
        writer.write(b"no chunk\r\n")
        received = await reader.read()
        assert received.count(b"HTTP/1.1") == 1
        assert received.endswith(b"begun\r\n")


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"", id="empty lines"),
        pytest.param(b"GET /", id="request line"),
        pytest.param(WHOLE[:-2] + b"x: ", id="header"),
        pytest.param(CHUNKED + b"1;x=", id="chunk extension"),
        pytest.param(CHUNKED + b"1\r\na\r\n0\r\nx: ", id="trailer"),
    ],
)
async def test_what_does_not_end_is_refused_before_it_fills_the_memory(start: bytes) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        serving(served) as address,
        connected(address, start) as (reader, writer),
    ):
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write((b"x" if start else b"\r\n") * 4096)
                await writer.drain()


async def test_a_long_chunked_body_is_no_long_head() -> None:
    async with asyncio.timeout(PATIENCE), serving(served) as address:
        # More than the server receives at once.
        size = 1024 * 1024
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size)
        async with connected(address, CHUNKED) as (reader, writer):
            writer.write(body)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
