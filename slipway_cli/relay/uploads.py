"""One blob on its way to a registry: in chunks that fit, and on from where a connection broke.

    async with await Upload.begin(upstream, "team/web") as upload:
        await upload.write(pieces)
        await upload.commit(digest)

or all of it by `send`. The pieces are taken once. A chunk is kept until the registry has all of it,
and the next one is taken in meanwhile; nothing is written to disk.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from slipway_cli.command import CommandError
from slipway_cli.registry.server import Answer
from slipway_cli.relay.chunks import Chunk
from slipway_cli.relay.session import Session
from slipway_cli.relay.upstream import Upstream


class Upload:
    """A blob on its way. Only one may write to it at a time."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.received = session.has
        """How many bytes were taken in."""
        self._room = session.upstream.room
        self._filling: Chunk | None = None
        self._delivered: Chunk | None = None
        self._delivery: asyncio.Task[None] | None = None
        self._is_open = True
        self._room.enter()

    @classmethod
    async def begin(
        cls, upstream: Upstream, repository: str, query: Mapping[str, str] | None = None
    ) -> Upload:
        """A new one; `query` may announce the algorithm of the digest. Raises `CommandError`."""
        return cls(await Session.begin(upstream, repository, query))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Gives up what is under way, and all memory. The session stays as the registry has it."""
        if not self._is_open:
            return
        self._is_open = False
        if self._delivery is not None:
            self._delivery.cancel()
            with suppress(asyncio.CancelledError, CommandError):
                await self._delivery
        for chunk in (self._filling, self._delivered):
            if chunk is not None:  # The second only if its delivery had not begun.
                self._room.give_back(chunk)
        self._filling = self._delivered = self._delivery = None
        self._room.leave()

    async def write(self, content: AsyncIterator[bytes]) -> None:
        """Takes in all of `content`; some of it may still be on its way at the end.

        Raises `CommandError`, whereupon the upload is lost.
        """
        async for piece in content:
            left = memoryview(piece)
            while left:
                chunk = self._filling or await self._begin_chunk()
                count = chunk.take(left)
                left = left[count:]
                self.received += count
                if chunk.is_full:
                    await self._hand_over()

    async def rest(self) -> None:
        """Sends on what would only take up memory while nothing comes. Raises `CommandError`.

        A small blob waits for its commit: it goes in one request with it.
        """
        chunk, least = self._filling, self.session.lengths.least
        if chunk is None:
            return
        if chunk.start == 0 and chunk.end < least:
            self._room.shrink(chunk, least)
        else:
            await self._hand_over()

    async def flush(self) -> None:
        """Returns when the registry has all that was taken in. Raises `CommandError`."""
        await self._hand_over()
        await self._settle()

    async def commit(self, digest: str) -> Answer:
        """Sends what is left, and makes the blob; the registry's answer. Raises `CommandError`.

        A digest that does not match is refused by the registry: `Refused` has its answer.
        """
        await self._settle()
        return await self.session.commit(digest, self._filling)

    async def cancel(self) -> None:
        """Ends the upload for good, as far as the registry can be asked to."""
        await self.close()
        with suppress(CommandError):  # What is left of it goes in time.
            await self.session.cancel()

    async def _begin_chunk(self) -> Chunk:
        lengths = self.session.lengths
        self._filling = await self._room.take(
            self.received, lengths.wanted, lengths.least, is_first=lambda: self._delivered is None
        )
        return self._filling

    async def _hand_over(self) -> None:
        """The chunk that was filled goes out, once the one before has. Raises `CommandError`."""
        if self._filling is None:
            return
        await self._settle()
        self._delivered, self._filling = self._filling, None
        self._delivery = asyncio.create_task(self._deliver(self._delivered))
        # Whoever waits for it next is told; it may be that nobody does.
        self._delivery.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _settle(self) -> None:
        if self._delivery is not None:
            await asyncio.shield(self._delivery)

    async def _deliver(self, chunk: Chunk) -> None:
        try:
            await self.session.deliver(chunk)
        finally:  # Where it failed, nobody has a use for it either.
            self._delivered = None
            self._room.give_back(chunk)


async def send(
    upstream: Upstream,
    repository: str,
    content: AsyncIterator[bytes],
    digest: str = "",
    report: Callable[[int], None] = lambda _: None,
) -> str:
    """Sends a whole blob; answers its digest, which is computed if none is given.

    `report` is told how many bytes of it have gone out. Raises `CommandError`; `Refused`, with the
    registry's answer, where it says no, as to a digest that does not match.
    """
    async with await Upload.begin(upstream, repository) as upload:
        upload.session.report = report
        hashed = hashlib.sha256()
        await upload.write(content if digest else _hashed(content, hashed))
        digest = digest or f"sha256:{hashed.hexdigest()}"
        await upload.commit(digest)
        return digest


async def _hashed(content: AsyncIterator[bytes], hash_: Any) -> AsyncIterator[bytes]:
    async for piece in content:
        hash_.update(piece)
        yield piece
