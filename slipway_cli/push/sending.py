"""Sends what is planned: blobs first and several at once, then manifests, the named one last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress

from slipway_cli.command import CommandError
from slipway_cli.output.cells import short_digest
from slipway_cli.output.transfers import MOUNTED, SENT, THERE, Transfer, Transfers
from slipway_cli.push.archives.contents import Readable
from slipway_cli.push.archives.errors import ArchiveError
from slipway_cli.push.arriving import Arrived
from slipway_cli.push.destination import Destination
from slipway_cli.push.plan import Blob, Plan
from slipway_cli.registry.client import Refused, refusal
from slipway_cli.relay.session import Session
from slipway_cli.relay.uploads import Upload

AT_ONCE = 4
"""How many blobs are under way at most."""


class Sender:
    """Sends to one repository."""

    def __init__(self, destination: Destination, transfers: Transfers) -> None:
        self._destination = destination
        self._transfers = transfers
        self._room = asyncio.Semaphore(AT_ONCE)

    async def send(self, plan: Plan, tag: str) -> None:
        """All of it; without a tag, the last manifest goes by its digest. Raises `CommandError`."""
        await all_of(self._blob(blob) for blob in plan.blobs)
        for manifest in plan.manifests:
            named = tag if manifest is plan.root else manifest.tag
            reference = named or str(manifest.digest)
            content = await asyncio.to_thread(manifest.file.document)
            await self._destination.put(manifest, content, reference)

    async def cancel(self, sessions: Iterable[Session]) -> None:
        """Gives up uploads, as far as the registry can be asked to."""
        await all_of(self._cancel(session) for session in sessions)

    async def _cancel(self, session: Session) -> None:
        async with self._room:
            with suppress(CommandError):  # What is left of it goes in time.
                await session.cancel()

    async def _blob(self, blob: Blob) -> None:
        async with self._room:
            try:
                if isinstance(blob.file, Arrived):
                    if blob.file.session is not None:
                        await blob.file.session.commit(str(blob.digest), None)
                elif isinstance(blob.file, Readable):
                    await self._send(blob, blob.file)
            except Refused as error:
                if refusal(error.answer).startswith("DIGEST_INVALID"):
                    raise ArchiveError(
                        f"the content of {blob.digest} is another: the archive is damaged"
                    ) from error
                raise

    async def _send(self, blob: Blob, file: Readable) -> None:
        with self._transfers.begin(short_digest(str(blob.digest)), blob.size) as transfer:
            transfer.end(await self._sent(blob, file, transfer), blob.size)

    async def _sent(self, blob: Blob, file: Readable, transfer: Transfer) -> str:
        if await self._destination.has(blob.digest):
            return THERE
        session = await self._destination.begin(blob.digest)
        if session is None:
            return MOUNTED
        session.report = transfer.at
        async with Upload(session) as upload:
            await upload.write(_flowing(file))
            await upload.commit(str(blob.digest))
        return SENT


async def all_of(work: Iterable[Awaitable[None]]) -> None:
    """Does it all at once; where one fails, the others are given up. Raises the error."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _flowing(file: Readable) -> AsyncIterator[bytes]:
    """The content of a file, read in a thread."""
    pieces = file.pieces()
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
