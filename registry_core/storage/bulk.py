"""Whole objects of any size: brought to a container by storage itself, or sent from here.

An object is there once all of it is. Each step can be repeated, and one that gets no answer is. The
operations are Put Block From URL, Put Block, Put Block List and Put Blob (Azure Storage REST
reference): the first takes any part of any kind of object from any account.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import quote

from registry_core.storage.budget import Budget, budgeted, repeated
from registry_core.storage.calls import Request
from registry_core.storage.connection import Connection
from registry_core.storage.objects import address, metadata_headers
from registry_core.storage.pacing import together

COPIED_BLOCK = 64 * 1024 * 1024
"""How much storage copies in one call. An object has 50,000 blocks at most: 3 TiB."""
SENT_BLOCK = 8 * 1024 * 1024
"""How much is sent in one call: of an object up to this size all of it."""
_COPY_SECONDS = 120.0
"""How long storage may take to copy a block: a busy account gives little to each."""
_ATTEMPTS = 4

Moved = Callable[[int], None]
"""Is told of so many bytes that have arrived."""


class Bulk:
    """Brings objects into one container."""

    def __init__(self, connection: Connection, container: str) -> None:
        self._blobs = connection.blobs
        self._container = container

    async def copy(
        self,
        source: Callable[[], Awaitable[str]],
        name: str,
        size: int,
        metadata: Mapping[str, str],
        moved: Moved,
    ) -> None:
        """Has storage copy `size` bytes from a signed address, which `source` makes for each block.

        Raises `SourceUnreachable`, and `Unavailable` when storage stays unreachable.
        """
        starts = range(0, size, COPIED_BLOCK)

        async def copy_block(number: int, start: int) -> None:
            end = min(size, start + COPIED_BLOCK)
            headers = {
                "x-ms-copy-source": await source(),
                "x-ms-source-range": f"bytes={start}-{end - 1}",
            }
            with budgeted(Budget(_COPY_SECONDS, sys.maxsize, _COPY_SECONDS)):
                await self._put(name, _block_query(number), headers)
            moved(end - start)

        await together(copy_block(*each) for each in enumerate(starts))
        await self._commit(name, len(starts), metadata)

    async def write(
        self, name: str, chunks: AsyncIterator[bytes], metadata: Mapping[str, str], moved: Moved
    ) -> None:
        """Sends an object. What `chunks` raises is raised, and then there is no object."""
        count, held = 0, bytearray()
        async for chunk in chunks:
            held += chunk
            while len(held) > SENT_BLOCK:
                await self._send(name, _block_query(count), {}, bytes(held[:SENT_BLOCK]), moved)
                del held[:SENT_BLOCK]
                count += 1
        if not count:
            headers = {"x-ms-blob-type": "BlockBlob", **metadata_headers(metadata)}
            await self._send(name, "", headers, bytes(held), moved)
            return
        await self._send(name, _block_query(count), {}, bytes(held), moved)
        await self._commit(name, count + 1, metadata)

    async def _send(
        self, name: str, query: str, headers: Mapping[str, str], body: bytes, moved: Moved
    ) -> None:
        await self._put(name, query, headers, body)
        moved(len(body))

    async def _commit(self, name: str, count: int, metadata: Mapping[str, str]) -> None:
        blocks = "".join(f"<Latest>{each}</Latest>" for each in map(_block_id, range(count)))
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{blocks}</BlockList>'
        await self._put(name, "?comp=blocklist", metadata_headers(metadata), body.encode())

    async def _put(
        self, name: str, query: str, headers: Mapping[str, str], body: bytes = b""
    ) -> None:
        url = f"{address(self._blobs.url, self._container, name)}{query}"
        await repeated(
            lambda: self._blobs.write(Request("PUT", url, dict(headers), body)), most=_ATTEMPTS
        )


async def whole(content: bytes) -> AsyncIterator[bytes]:
    """Bytes that are here, as chunks."""
    yield content


def nothing_moved(_: int) -> None:
    """For who does not want to know."""


def _block_id(number: int) -> str:
    """All of an object's have to be of one length."""
    return b64encode(f"{number:06d}".encode()).decode()


def _block_query(number: int) -> str:
    return f"?comp=block&blockid={quote(_block_id(number), safe='')}"
