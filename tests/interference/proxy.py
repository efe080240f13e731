"""A service that accepts connections and never answers: a proxy in front of it that can freeze."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PIECE = 65536


class FreezableProxy:
    """Passes bytes on to a port of this machine and back, until it is frozen.

    Then it still accepts connections, takes as many bytes as fit into the sockets, and passes none
    on. Thawed, it goes on where it was: what was sent to it meanwhile arrives late.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._left: int | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    def freeze(self, *, after: int | None = None) -> None:
        """Passes nothing on from now, or once `after` more bytes of answers have been passed on."""
        self._left = after
        if after is None:
            self._thawed.clear()

    def thaw(self) -> None:
        """Passes everything on again."""
        self._left = None
        self._thawed.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection to its end, or the proxy's."""
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        writers = [writer]
        try:
            await self._thawed.wait()
            back, forth = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(forth)
            await asyncio.gather(
                self._pump(reader, forth, is_answer=False), self._pump(back, writer, is_answer=True)
            )
        except (OSError, asyncio.CancelledError):  # Either side has gone, or the test is over.
            pass
        finally:
            self._connections.discard(task)
            for each in writers:
                each.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while data := await reader.read(_PIECE):
            await self._thawed.wait()
            if is_answer and self._left is not None:
                self._left -= len(data)
                if self._left <= 0:
                    self.freeze()
            writer.write(data)
            await writer.drain()
        writer.close()

    async def close(self) -> None:
        """Breaks all connections off."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections)


@asynccontextmanager
async def freezable(target: int) -> AsyncIterator[FreezableProxy]:
    """A proxy in front of the port `target`."""
    proxy = FreezableProxy(target)
    async with await asyncio.start_server(proxy.connected, "127.0.0.1", 0) as server:
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            await proxy.close()
