"""One address before several servers, each request going to the next of them.

`python -m tests.e2e.balancer PORT URL...` prints a line for each request: the number of the server,
the method and the path. Whatever a client does on one connection, its requests are spread, as those
of Azure's front end are: nothing of a session may depend on where the last request went.
"""

from __future__ import annotations

import itertools
import socket
import sys
from collections.abc import AsyncIterator

import aiohttp
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from devhost.sockets import IDLE_CONNECTION_SECONDS

READY = "balancer ready"
_HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding"}


class Balancer:
    """An ASGI application that hands each request to the next server, as it streams."""

    def __init__(self, servers: list[str]) -> None:
        self._turns = itertools.cycle(enumerate(servers))
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        number, server = next(self._turns)
        raw_path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        print(number, scope["method"], raw_path, flush=True)
        assert self._session
        async with self._session.request(
            scope["method"],
            f"{server}{raw_path}" + (f"?{query}" if query else ""),
            headers=[
                (name.decode(), value.decode())
                for name, value in scope["headers"]
                if name not in _HOP_BY_HOP
            ],
            data=_body(receive) if _has_body(scope) else None,
            allow_redirects=False,
        ) as answer:
            headers = [
                (name.lower(), value)
                for name, value in answer.raw_headers
                if name.lower() not in _HOP_BY_HOP
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            async for part in answer.content.iter_any():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return bool(names & {b"content-length", b"transfer-encoding"})


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message: Message = await receive()
        if message["type"] != "http.request":
            raise ConnectionError("the client went away")
        yield message.get("body", b"")
        more = message.get("more_body", False)


class _Server(uvicorn.Server):
    """Says that it is ready once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(READY, flush=True)


if __name__ == "__main__":
    _Server(
        uvicorn.Config(
            Balancer(sys.argv[2:]),
            port=int(sys.argv[1]),
            log_level="warning",
            server_header=False,
            timeout_keep_alive=IDLE_CONNECTION_SECONDS,
        )
    ).run()
