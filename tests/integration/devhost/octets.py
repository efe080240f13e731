"""Talking to a server in octets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from devhost.host.protocol import HostProtocol

PATIENCE = 20


def exchange(base_url: str, *pieces: bytes) -> tuple[int, bytes]:
    """Send octets on a connection of their own; return the status and the body of the answer."""
    name, _, port = base_url.removeprefix("http://").partition(":")
    with socket.create_connection((name, int(port)), timeout=PATIENCE) as connection:
        # Each piece is a segment of its own.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
        except ConnectionError:
            pass  # It refuses what came already; its answer is on the way.
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:
            # It has closed the connection while the last pieces were on the way to it.
            if not received:
                raise
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


def request(
    *fields: str, line: str = "GET /echo HTTP/1.1", named: str | None = "host: x", body: bytes = b""
) -> bytes:
    """Return a request after whose answer the connection is closed."""
    lines = [line, *([named] if named else []), "connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def told(body: bytes) -> dict[str, Any]:
    """What the function `echo` says of the request."""
    answer: dict[str, Any] = json.loads(body)
    return answer


def values(body: bytes, name: str) -> list[str]:
    """The values of a header as the function `echo` has seen it."""
    return [value for key, value in told(body)["headers"] if key == name]


@asynccontextmanager
async def serving(
    application: ASGIApp, head_timeout: float = 60.0, drain_timeout: float = 0.5
) -> AsyncIterator[tuple[str, int]]:
    class Protocol(HostProtocol):
        pass

    Protocol.head_timeout, Protocol.drain_timeout = head_timeout, drain_timeout
    config = uvicorn.Config(
        application, http=Protocol, lifespan="off", log_config=None, timeout_keep_alive=600
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Protocol(config, state, {}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def connected(
    address: tuple[str, int], octets: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and send before the server, which runs in this thread, can see the connection."""
    connection = socket.create_connection(address, timeout=PATIENCE)
    connection.sendall(octets)
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        yield reader, writer
    finally:
        writer.close()


async def outlast_the_limit(address: tuple[str, int]) -> None:
    """Return when a connection that was made now, and says nothing, has been closed."""
    async with connected(address, b"") as (reader, _):
        assert await reader.read() == b""
