"""A connection to a registry that is cut now and then, and counts what went through."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

_PIECE = 64 * 1024


@dataclass
class Fate:
    """When a connection ends."""

    octets: int
    """After so many that the client has sent."""
    loses_answer: bool
    """With the answer that comes next, and not at once."""
    passed: int = 0


@dataclass
class Cutting:
    """Hands octets on to a server; cuts connections after random amounts, `most` at the most.

    A third of the cuts come when all was sent and the server begins to answer, so that the answer
    is lost. After `cuts` of them it cuts no more. Begins as a server on a port of its own.
    """

    target: str
    """`http://127.0.0.1:<port>`; it may change meanwhile."""
    seed: int
    most: int
    cuts: int
    port: int = 0
    made: int = 0
    """How many connections were cut."""
    octets_in: int = 0
    """How many octets the server was sent."""
    _server: asyncio.Server | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def has_passed(self, octets: int) -> bool:
        """Whether the server was sent more than so many."""
        return self.octets_in > octets

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._begin())
        self._loop.run_forever()
        assert self._server is not None
        self._server.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._is_ready.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self.target)
        try:
            server, to_server = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            writer.transport.abort()
            return
        fate = Fate(self._random.randrange(self.most), self._random.randrange(3) == 0)
        ways = [
            asyncio.create_task(self._there(reader, to_server, fate)),
            asyncio.create_task(self._back(server, writer, fate)),
        ]
        with suppress(asyncio.CancelledError):  # By the end of the test.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for each in (writer, to_server):
            each.transport.abort()
        await asyncio.gather(writer.wait_closed(), to_server.wait_closed(), return_exceptions=True)

    async def _there(
        self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter, fate: Fate
    ) -> None:
        while piece := await reader.read(_PIECE):
            is_cut = not fate.loses_answer and fate.passed + len(piece) > fate.octets
            if is_cut and self._may_cut():
                piece = piece[: fate.octets - fate.passed]
                await self._send(to_server, piece, fate)
                return
            await self._send(to_server, piece, fate)

    async def _send(self, to_server: asyncio.StreamWriter, piece: bytes, fate: Fate) -> None:
        fate.passed += len(piece)
        self.octets_in += len(piece)
        to_server.write(piece)
        await to_server.drain()

    async def _back(
        self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: Fate
    ) -> None:
        while piece := await server.read(_PIECE):
            if fate.loses_answer and fate.passed > fate.octets and self._may_cut():
                return
            writer.write(piece)
            await writer.drain()

    def _may_cut(self) -> bool:
        if self.made >= self.cuts:
            return False
        self.made += 1
        return True
