"""The connections that are kept, by where they lead."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from registry_core.storage.client.connection import HttpConnection, Reply
from registry_core.storage.client.connections import (
    CONNECT_SECONDS,
    MOST_CONNECTIONS,
    Connections,
)
from registry_core.storage.client.heads import Origin, origin, request_head

_KEPT_SECONDS = 15.0
"""For how long a connection is kept that nobody uses."""
_MARGIN_SECONDS = 1.0
"""How long before the server does we let go of one."""
_RACE_SECONDS = 0.25
"""After which the next address of a name is tried beside the one before (RFC 8305, 5)."""
_ADDRESS = re.compile(r"[\d.]+|.*:.*")
"""An IP address, where a name could be."""
_KEEP_ALIVE = re.compile(r"timeout=(\d{1,6})")


@cache
def trust() -> ssl.SSLContext:
    """Which certificates are believed: the system's, or those that `SSL_CERT_FILE` names."""
    return ssl.create_default_context()


@dataclass
class _Place:
    """The connections to one origin."""

    kept: list[HttpConnection] = field(default_factory=list)
    """Those in nobody's hands; the one that was used last is last."""
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_CONNECTIONS))


class Pool(Connections):
    """Connections that lead there directly, and are kept for the next request."""

    def __init__(self) -> None:
        self._places: dict[Origin, _Place] = {}
        self._used: set[HttpConnection] = set()

    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | memoryview = b"",
        moved: Callable[[], None] | None = None,
        most: int | None = None,
    ) -> Reply:
        """As `Connections` says."""
        where, host, target = origin(url)
        head = request_head(method, host, target, headers, len(body))
        place = self._places.setdefault(where, _Place())
        async with place.room:
            connection = self._kept(place) or await self._connect(where)
            self._used.add(connection)
            try:
                reply = await connection.exchange(method, head, body, moved, most)
            finally:
                self._used.discard(connection)
            if connection.is_open:
                connection.since = asyncio.get_running_loop().time()
                connection.patience = _patience(reply.headers)
                place.kept.append(connection)
            return reply

    async def close(self) -> None:
        """Closes every connection."""
        for place in self._places.values():
            while place.kept:
                place.kept.pop().abort()
        for connection in tuple(self._used):
            connection.abort()
        await asyncio.sleep(0)  # The loop closes their sockets.

    def _kept(self, place: _Place) -> HttpConnection | None:
        now = asyncio.get_running_loop().time()
        while place.kept:
            connection = place.kept.pop()
            if connection.is_open and now - connection.since < connection.patience:
                self._let_go(place, now)
                return connection
            connection.abort()
        return None

    def _let_go(self, place: _Place, now: float) -> None:
        """Closes the one that nobody has used for longest, if it is too old."""
        if place.kept and now - place.kept[0].since >= place.kept[0].patience:
            place.kept.pop(0).abort()

    @staticmethod
    async def _connect(where: Origin) -> HttpConnection:
        context = trust() if where.is_secure else None
        # Who is cancelled while addresses are raced leaves a socket to the garbage collector
        # (asyncio.staggered), so there is no race where there is one address.
        delay = None if _ADDRESS.fullmatch(where.host) else _RACE_SECONDS
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, connection = await asyncio.get_running_loop().create_connection(
                HttpConnection, where.host, where.port, ssl=context, happy_eyeballs_delay=delay
            )
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection


def _patience(headers: Mapping[str, str]) -> float:
    """For how long a connection is good, of which the server says when it closes it.

    To be a little sooner than the server keeps a request from meeting the end of its connection.
    """
    said = _KEEP_ALIVE.search(headers.get("keep-alive", ""))
    if said is None:
        return _KEPT_SECONDS
    return min(_KEPT_SECONDS, max(0.0, int(said[1]) - _MARGIN_SECONDS))
