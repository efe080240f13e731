"""Requests over kept connections, to a server that says what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from registry_core.storage.client.body import TooLarge
from registry_core.storage.client.connection import PIECE
from registry_core.storage.client.heads import ProtocolError
from registry_core.storage.client.pool import Pool

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request by the next of its answers; None breaks the connection off."""

    def __init__(self, answers: Iterable[bytes | None]) -> None:
        self._answers = iter(answers)
        self._serving: set[asyncio.Task[None]] = set()
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def ended(self) -> None:
        """Returns when every connection has been ended."""
        await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self.answer(reader, writer)
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            _, _, length = head.lower().partition("content-length: ")
            self.bodies.append(await reader.readexactly(int(length.partition("\r\n")[0] or 0)))
            answer = next(self._answers)
            if answer is None:
                return
            writer.write(answer)
            if b"Connection: close" in answer or b"until the end" in answer:
                return


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[tuple[Pool, str]]:
    listening = await asyncio.start_server(server.accept, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        async with Pool() as pool:
            yield pool, f"http://127.0.0.1:{port}/a"
        await server.ended()


async def test_one_request_after_another_takes_one_connection() -> None:
    server = Server([OK, OK, OK])
    async with serving(server) as (pool, url):
        replies = [await pool.exchange("PUT", url, {"x": "y"}, b"body") for _ in range(3)]
    assert [(reply.status, reply.body) for reply in replies] == [(200, b"ok")] * 3
    assert (server.connections, server.bodies) == (1, [b"body"] * 3)
    assert all("\r\nx: y\r\n" in head for head in server.heads)


async def test_requests_at_once_take_a_connection_each() -> None:
    server = Server([OK] * 3)
    async with serving(server) as (pool, url):
        await asyncio.gather(*(pool.exchange("GET", url, {}) for _ in range(3)))
    assert server.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["closed", "soon", "old"],
)
async def test_a_connection_that_the_server_will_close_is_not_used_again(answer: bytes) -> None:
    server = Server([answer, OK])
    async with serving(server) as (pool, url):
        for _ in range(2):
            assert (await pool.exchange("GET", url, {})).body == b"ok"
    assert server.connections == 2


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    server = Server([OK, None, OK])
    async with serving(server) as (pool, url):
        await pool.exchange("GET", url, {})
        with pytest.raises(ConnectionError):
            await pool.exchange("GET", url, {})
        assert (await pool.exchange("GET", url, {})).body == b"ok"
    # The request that broke is nowhere sent again: nobody knows whether it was applied.
    assert (server.connections, len(server.heads)) == (2, 3)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nok",
        b"HTTP/1.1 200 OK\r\nServer: Connection: close",
        b"Connection: close\r\n\r\n",
        None,
    ],
    ids=["short", "short-chunk", "half-a-head", "no-head", "nothing"],
)
async def test_half_a_response_is_none(answer: bytes | None) -> None:
    async with serving(Server([answer])) as (pool, url):
        with pytest.raises(ConnectionError):
            await pool.exchange("GET", url, {})


async def test_a_response_may_last_as_long_as_its_connection() -> None:
    server = Server([b"HTTP/1.1 200 OK\r\n\r\nuntil the end", OK])
    async with serving(server) as (pool, url):
        assert (await pool.exchange("GET", url, {})).body == b"until the end"
        assert (await pool.exchange("GET", url, {})).body == b"ok"
    assert server.connections == 2


async def test_what_only_announces_a_response_is_passed_over() -> None:
    async with serving(Server([b"HTTP/1.1 100 Continue\r\n\r\n" + OK])) as (pool, url):
        assert (await pool.exchange("GET", url, {})).status == 200


async def test_the_head_of_a_body_that_does_not_come_is_whole() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    server = Server([head, OK])
    async with serving(server) as (pool, url):
        reply = await pool.exchange("HEAD", url, {})
        assert (reply.headers["content-length"], reply.body) == ("5", b"")
        assert (await pool.exchange("GET", url, {})).body == b"ok"
    assert server.connections == 1


async def test_what_nobody_asked_for_ends_the_connection() -> None:
    server = Server([OK + OK, OK])
    async with serving(server) as (pool, url):
        with pytest.raises(ProtocolError):
            await pool.exchange("GET", url, {})
        assert (await pool.exchange("GET", url, {})).body == b"ok"
    assert server.connections == 2


async def test_a_response_of_more_than_the_caller_takes_is_refused() -> None:
    async with serving(Server([OK])) as (pool, url):
        with pytest.raises(TooLarge):
            await pool.exchange("GET", url, {}, most=1)


async def test_a_large_body_arrives_and_tells_how_it_moves() -> None:
    content = bytes(range(256)) * (3 * PIECE // 256) + b"end"
    server, moves = Server([OK]), []
    async with serving(server) as (pool, url):
        await pool.exchange("PUT", url, {}, memoryview(content), lambda: moves.append(1))
    assert server.bodies == [content]
    assert len(moves) >= 4


async def test_a_refusal_of_a_large_body_is_answered_before_all_of_it_is_sent() -> None:
    answered = asyncio.Event()

    class Refusing(Server):
        async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
            await answered.wait()  # Until then nobody reads, and the sockets between are full.
            while await reader.read(PIECE):
                self.bodies.append(b"")

    server = Refusing([])
    async with serving(server) as (pool, url):
        assert (await pool.exchange("PUT", url, {}, bytes(64 * PIECE))).status == 413
        answered.set()
        await server.ended()  # The connection is not kept: its other end waits for the rest.


async def test_who_gives_up_leaves_no_connection_behind() -> None:
    asked = asyncio.Event()

    class Halting(Server):
        async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK[:-1])
            asked.set()
            await reader.read()

    server = Halting([])
    async with serving(server) as (pool, url):
        asking = asyncio.create_task(pool.exchange("GET", url, {}))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.ended()


async def test_nobody_there_is_an_error_of_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    async with Pool() as pool:
        with pytest.raises(ConnectionRefusedError):
            await pool.exchange("GET", f"http://127.0.0.1:{port}/", {})


async def test_who_finds_no_room_waits_and_is_served() -> None:
    many = 150
    server = Server([OK] * many)
    async with serving(server) as (pool, url):
        replies = await asyncio.gather(*(pool.exchange("GET", url, {}) for _ in range(many)))
    assert len(replies) == many
    assert server.connections <= 100
