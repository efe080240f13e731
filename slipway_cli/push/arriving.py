"""An archive that comes once and in order, as from `docker save`: nothing of it can be read again.

What is needed of it is known at its end only, where its manifests are. So each large file becomes
an upload while it comes, hashed on the way. One that is named by its digest, as in OCI layouts,
becomes a blob at once: a push that is repeated finds it there, and one that no manifest needs goes
with the garbage. Of the others, those become blobs that a manifest turns out to need. What is small
is kept in memory, `MAX_HELD` bytes at most. Nothing is written to disk.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from registry_core.model.digest import Digest
from slipway_cli.output.cells import short_digest
from slipway_cli.output.text import clean
from slipway_cli.output.transfers import MOUNTED, SENT, THERE, Transfer, Transfers
from slipway_cli.push.archives.contents import MAX_DOCUMENT, File, Held, Members
from slipway_cli.push.archives.errors import ArchiveError
from slipway_cli.push.archives.measure import Compression, Measure
from slipway_cli.push.archives.sources import PIECE, Flow
from slipway_cli.push.archives.tar import Member, Tar
from slipway_cli.push.destination import Destination
from slipway_cli.relay.session import Session
from slipway_cli.relay.uploads import Upload

MAX_HELD = 64 * 1024 * 1024
"""How many bytes of small files are kept in memory."""
_SMALL = 64 * 1024
"""Up to how many bytes a file is kept that is no JSON."""
_BLOBS = "blobs/"
_DIGEST = re.compile(r"blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.tar")
"""Of a file in an OCI layout, or of a layer as podman and skopeo name it."""


@dataclass(frozen=True, eq=False)
class Arrived(File):
    """A large file, which has gone to the registry."""

    measure: Measure
    session: Session | None
    """The upload, where it is no blob yet."""

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many bytes it had."""
        return self.measure.size

    def document(self) -> bytes:
        """It was too long to be one. Raises `ArchiveError`."""
        raise ArchiveError(f"a document of {self.size:,} bytes is too long to be one of JSON")

    def compression(self) -> Compression:
        """How it was compressed."""
        return self.measure.compression

    def measured(self) -> Measure:
        """What it was by all of its bytes."""
        return self.measure


class Arrival:
    """Takes in an archive."""

    def __init__(self, flow: Flow, destination: Destination, transfers: Transfers) -> None:
        self._flow = flow
        self._destination = destination
        self._transfers = transfers
        self._held = 0

    async def members(self) -> Members:
        """All that there is in it, once all of it has come. Raises `CommandError`."""
        tar, found = Tar(self._flow), Members()
        while member := await asyncio.to_thread(tar.next):
            if member.target is None:
                found.add(member.name, await self._take(tar, member))
            else:
                found.link(member)
        await asyncio.to_thread(self._flow.end)
        return found

    async def _take(self, tar: Tar, member: Member) -> File:
        if member.size > MAX_DOCUMENT:
            return await self._send(member, lambda: tar.read(PIECE))
        content = await asyncio.to_thread(lambda: b"".join(iter(lambda: tar.read(PIECE), b"")))
        is_document = content.lstrip()[:1] in (b"{", b"[")
        if not is_document and len(content) > _SMALL:
            pieces = iter((content,))
            return await self._send(member, lambda: next(pieces, b""))
        self._held += len(content)
        if self._held > MAX_HELD:
            raise ArchiveError(
                f"the archive has small files of more than {MAX_HELD:,} bytes together: unpack it, "
                "and push it as a folder"
            )
        return Held(content)

    async def _send(self, member: Member, read: Callable[[], bytes]) -> Arrived:
        digest = _named(member.name)
        name = short_digest(str(digest)) if digest else member.name
        # Of what has a digest in its name, that is what is held against it.
        measure = Measure(looks_inside=not member.name.startswith(_BLOBS))
        content = _measured(read, measure)
        with self._transfers.begin(name, member.size) as transfer:
            is_there = digest is not None and await self._destination.has(digest)
            session = None if is_there else await self._destination.begin(digest)
            how = THERE if is_there else SENT if session else MOUNTED
            if session is None:
                async for _ in content:
                    pass
            else:
                await _upload(session, content, transfer)
            if digest and measure.digest == str(digest):
                if session is not None:
                    await session.commit(str(digest), None)
                    session = None
            elif digest and (session is None or member.name.startswith(_BLOBS)):
                raise ArchiveError(
                    f"{clean(member.name)} in the archive has another digest: it is damaged"
                )
            transfer.end(how, member.size)
        return Arrived(measure, session)


def left_over(members: Members, needed: set[File]) -> Iterator[Session]:
    """The uploads that became no blob."""
    for file in members.files():
        if isinstance(file, Arrived) and file.session is not None and file not in needed:
            yield file.session


def _named(name: str) -> Digest | None:
    """The digest that a file has by its name, if the name is one."""
    found = _DIGEST.fullmatch(name)
    return Digest.parse(f"sha256:{found[1] or found[2]}") if found else None


async def _measured(read: Callable[[], bytes], measure: Measure) -> AsyncIterator[bytes]:
    def measured() -> bytes:
        content = read()
        measure.update(content)
        return content

    while content := await asyncio.to_thread(measured):
        yield content


async def _upload(session: Session, content: AsyncIterator[bytes], transfer: Transfer) -> None:
    session.report = transfer.at
    async with Upload(session) as upload:
        await upload.write(content)
        await upload.flush()
