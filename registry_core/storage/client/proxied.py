"""The same through a proxy, which the environment names: by a library that knows proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp
from yarl import URL

from registry_core.storage.client.body import Body
from registry_core.storage.client.connection import PIECE, Reply
from registry_core.storage.client.connections import (
    CONNECT_SECONDS,
    MOST_CONNECTIONS,
    Connections,
)
from registry_core.storage.client.heads import Headers


class ProxiedPool(Connections):
    """Connections of aiohttp's, which looks in the environment for a proxy at each request."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

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
        lengths = {"Content-Length": str(len(body))} if len(body) > PIECE else {}
        try:
            async with self._open().request(
                method,
                URL(url, encoded=True),
                headers={**headers, **lengths},
                data=_data(body, moved),
                allow_redirects=False,
            ) as response:
                content = Body(None, most)
                async for piece in response.content.iter_any():
                    content.feed(piece)
                    if moved is not None:
                        moved()
        except aiohttp.ClientError as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        fields = Headers(iter(response.headers.items()))
        return Reply(response.status, fields, content.content)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=MOST_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                # What a whole call may take is `calls.in_time`'s.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                trust_env=True,
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
            )
            # aiohttp by itself sends an idempotent request again when a kept connection breaks
            # off, and so would apply a PUT twice and report the second answer: "the condition is
            # not met", for a write that succeeded. It has no public switch.
            self._session._retry_connection = False  # noqa: SLF001
        return self._session

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()


def _data(
    body: bytes | memoryview, moved: Callable[[], None] | None
) -> bytes | memoryview | AsyncIterator[memoryview] | None:
    return _pieces(memoryview(body), moved) if len(body) > PIECE else body or None


async def _pieces(data: memoryview, moved: Callable[[], None] | None) -> AsyncIterator[memoryview]:
    """`data` as a body that shares its memory, and is sent as fast as the connection takes it."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]
        if moved is not None:
            moved()
