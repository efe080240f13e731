"""A client that does as little as one can, on connections that are kept, for many requests at once.

What it takes itself is in every time that is measured, of every registry alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.client import UnexpectedAnswerError

HOST = "registry.test"
"""The name by which every registry is called; it is the audience of the token."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes

    @property
    def location(self) -> str:
        """Where to go on, as path and query: a registry may name itself in it."""
        parts = urlsplit(self.headers["location"])
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


class _Connection:
    """One connection, for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, address: str) -> _Connection:
        host, _, port = address.partition(":")
        return cls(*await asyncio.open_connection(host, int(port), limit=_LIMIT))

    @property
    def is_usable(self) -> bool:
        """Whether the server has not ended it while nothing was asked."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def ask(self, method: str, request: bytes) -> Answer:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
        fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return Answer(status, fields, await self._body(method, status, fields))

    async def _body(self, method: str, status: int, fields: Mapping[str, str]) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if fields.get("transfer-encoding") == "chunked":
            return b"".join([part async for part in self._chunks()])
        return await self._reader.readexactly(int(fields["content-length"]))

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int((await self._reader.readline()).partition(b";")[0], 16):
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        while (await self._reader.readline()).strip():
            pass

    def close(self) -> None:
        self._writer.close()


class Client:
    """Asks one server, on as many connections as there are requests at once."""

    def __init__(self, base_url: str) -> None:
        self.address = urlsplit(base_url).netloc
        """Host and port."""
        self._free: list[_Connection] = []

    async def ask(
        self,
        status: int | Collection[int],
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """The answer, which must have such a status. Raises `UnexpectedAnswerError`."""
        fields = {"Host": HOST, "User-Agent": "slipway-bench", **(headers or {})}
        if method in _WITH_BODY:
            fields["Content-Length"] = str(len(body))
        head = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
        connection = await self._connection()
        try:
            answer = await connection.ask(
                method, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body
            )
        except BaseException:
            connection.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            self._free.append(connection)
        if answer.status not in ((status,) if isinstance(status, int) else status):
            text = answer.body.decode(errors="replace")
            raise UnexpectedAnswerError(
                f"{method} {path[:200]} at {self.address}: "
                f"{answer.status} instead of {status}: {text[:500]}"
            )
        return answer

    async def _connection(self) -> _Connection:
        while self._free:
            connection = self._free.pop()
            if connection.is_usable:
                return connection
            connection.close()
        return await _Connection.open(self.address)

    def close(self) -> None:
        """Ends the connections."""
        for connection in self._free:
            connection.close()
        self._free.clear()
