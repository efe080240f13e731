"""Where content and documents lie: a container of any account, or a folder. Each names them alike.

A registry's own content is such a container as well.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

from registry_core.lifecycle.backup.documents import Damaged
from registry_core.model.digest import Digest
from registry_core.storage.budget import current
from registry_core.storage.bulk import Bulk, Moved, nothing_moved, whole
from registry_core.storage.connection import Connection
from registry_core.storage.faults import (
    RowMissing,
    SourceUnreachable,
    StoreMissing,
    Taken,
)
from registry_core.storage.lease import Lease
from registry_core.storage.objects import READ_BLOCK, Location, Objects
from registry_core.storage.sas import SasSigner

_BUSY = "busy"
"""What a shelf is locked by."""
_SCRATCH = re.compile(r"\.[0-9a-f]{16}\.part$")

Check = Callable[[], None]
"""Raises `Taken` where the shelf may be another's by now."""
Source = Callable[[], Awaitable[str]]
"""Makes a signed address."""


class NoPlace(Exception):
    """There is no such folder or container. The text names it."""


class Shelf(ABC):
    """What a container and a folder have in common. As text, it is where it lies."""

    @abstractmethod
    async def check(self) -> None:
        """Raises `NoPlace` where there is no such folder or container. Makes nothing."""

    @abstractmethod
    async def names(self, prefix: str = "") -> Mapping[str, int]:
        """The size of each object whose name begins so."""

    @abstractmethod
    async def read(self, name: str) -> bytes | None:
        """A document; None if there is none."""

    @abstractmethod
    async def remove(self, name: str) -> None:
        """Deletes an object, if it is there."""

    @abstractmethod
    def open(self, name: str, size: int) -> AsyncIterator[bytes]:
        """The bytes of an object. Raises `RowMissing`."""

    @abstractmethod
    async def receive(
        self, name: str, chunks: AsyncIterator[bytes], metadata: Mapping[str, str], moved: Moved
    ) -> None:
        """Writes an object. What `chunks` raises is raised, and then there is no object."""

    @abstractmethod
    def locked(self) -> AbstractAsyncContextManager[Check]:
        """One process at a time has it. Raises `Taken` if that is another."""

    async def write(self, name: str, content: bytes) -> None:
        """Writes a document, whole."""
        await self.receive(name, whole(content), {}, nothing_moved)

    async def copy(
        self,
        source: Source,  # noqa: ARG002 - for those who derive from this class
        name: str,  # noqa: ARG002
        size: int,  # noqa: ARG002
        metadata: Mapping[str, str],  # noqa: ARG002
        moved: Moved,  # noqa: ARG002
    ) -> bool:
        """Has storage copy an object from a signed address; False where that is not possible."""
        return False

    def address(self, name: str) -> Source | None:  # noqa: ARG002 - for those who derive
        """What makes a signed address of an object; None where there is no such thing."""
        return None


class Container(Shelf):
    """A container, or what in it has a name that begins so."""

    def __init__(self, connection: Connection, container: str, prefix: str = "") -> None:
        self._connection = connection
        self._container = container
        self._prefix = prefix
        self._objects = Objects(connection, container)
        self._bulk = Bulk(connection, container)
        self._signer = SasSigner(connection)
        self._copies = True

    def __str__(self) -> str:
        return f"{self._connection.blobs.url}/{self._container}/{self._prefix}".rstrip("/")

    async def check(self) -> None:
        """Raises `NoPlace` where there is no such container. Makes nothing."""
        try:
            async for _ in self._objects.contents(self._prefix):
                return
        except StoreMissing as error:
            raise NoPlace(f"there is no container {self}") from error

    async def names(self, prefix: str = "") -> Mapping[str, int]:
        """The size of each object whose name begins so."""
        try:
            pages = [page async for page in self._objects.contents(f"{self._prefix}{prefix}")]
        except StoreMissing:
            return {}
        return {
            each.name.removeprefix(self._prefix): each.size
            for page in pages
            for each in page.objects
        }

    async def read(self, name: str) -> bytes | None:
        """A document; None if there is none."""
        try:
            state = await self._objects.state(f"{self._prefix}{name}")
            if state is None:
                return None
            return await self._objects.read_all(self._location(name), state.size)
        except (RowMissing, StoreMissing):
            return None

    async def remove(self, name: str) -> None:
        """Deletes an object, if it is there."""
        await self._objects.remove(f"{self._prefix}{name}")

    def open(self, name: str, size: int) -> AsyncIterator[bytes]:
        """The bytes of an object. Raises `RowMissing`."""
        return self._objects.read(self._location(name), 0, size)

    async def receive(
        self, name: str, chunks: AsyncIterator[bytes], metadata: Mapping[str, str], moved: Moved
    ) -> None:
        """Writes an object. What `chunks` raises is raised, and then there is no object."""
        await self._bulk.write(f"{self._prefix}{name}", chunks, metadata, moved)

    async def copy(
        self, source: Source, name: str, size: int, metadata: Mapping[str, str], moved: Moved
    ) -> bool:
        """Has storage copy an object from a signed address; False where that is not possible.

        Once it was not, as between accounts with a firewall, it is not tried again.
        """
        if not self._copies:
            return False
        try:
            await self._bulk.copy(source, f"{self._prefix}{name}", size, metadata, moved)
        except SourceUnreachable:
            self._copies = False
        return self._copies

    def address(self, name: str) -> Source | None:
        """What makes a signed address of an object."""
        location = self._location(name)
        return lambda: self._signer.url(location, "")

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[Check]:
        """One process at a time has it. Raises `Taken` if that is another."""
        await self._connection.make(containers=(self._container,))
        lease = Lease(self._connection, self._container, f"{self._prefix}{_BUSY}")
        async with lease.taken():
            yield lease.check

    def _location(self, name: str) -> Location:
        return self._objects.location(f"{self._prefix}{name}")


class Folder(Shelf):
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    async def check(self) -> None:
        """Raises `NoPlace` where there is no such folder. Makes nothing."""
        if not await asyncio.to_thread(self._path.is_dir):
            raise NoPlace(f"there is no folder {self}")

    async def names(self, prefix: str = "") -> Mapping[str, int]:
        """The size of each file whose name begins so."""
        return await asyncio.to_thread(lambda: dict(self._files(prefix)))

    def _files(self, prefix: str) -> Iterator[tuple[str, int]]:
        for root, _, files in os.walk(self._path / prefix.rpartition("/")[0]):
            for each in files:
                path = Path(root, each)
                name = path.relative_to(self._path).as_posix()
                if name.startswith(prefix) and name != _BUSY and not _SCRATCH.search(each):
                    yield name, path.stat().st_size

    async def read(self, name: str) -> bytes | None:
        """A document; None if there is none."""
        try:
            return await asyncio.to_thread((self._path / name).read_bytes)
        except FileNotFoundError:
            return None

    async def remove(self, name: str) -> None:
        """Deletes a file, if it is there."""
        await asyncio.to_thread((self._path / name).unlink, missing_ok=True)

    async def open(self, name: str, size: int) -> AsyncIterator[bytes]:  # noqa: ARG002
        """The bytes of a file, whatever its size. Raises `RowMissing`."""
        try:
            file = await asyncio.to_thread((self._path / name).open, "rb")
        except FileNotFoundError as error:
            raise RowMissing(name) from error
        with file:
            while chunk := await asyncio.to_thread(file.read, READ_BLOCK):
                yield chunk

    async def receive(
        self,
        name: str,
        chunks: AsyncIterator[bytes],
        metadata: Mapping[str, str],  # noqa: ARG002 - files have none
        moved: Moved,
    ) -> None:
        """Writes a file, which takes its name when it is whole and on the disk."""
        path = self._path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with _scratch(path) as part:
            with part.open("xb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
                    moved(len(chunk))
                await asyncio.to_thread(_sync, file.fileno())
                current().renew()
            part.replace(path)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[Check]:
        """One process at a time has it; a process that ends has it no more. Raises `Taken`.

        The file that it is locked by goes with the lock.
        """
        # Windows has none: a backup to a container works there.
        import fcntl  # noqa: PLC0415

        self._path.mkdir(parents=True, exist_ok=True)
        path = self._path / _BUSY
        while True:
            with path.open("wb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise Taken(f"another process uses {self._path}") from error
                if not _is_at(path, file.fileno()):
                    continue  # Its last owner has just taken it away: others lock a new one.
                try:
                    yield _always
                finally:
                    path.unlink(missing_ok=True)
                return


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file still has its name. Opened anew: so a network's folder tells as well."""
    try:
        with path.open("rb") as found:
            return os.path.samestat(os.fstat(found.fileno()), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _always() -> None:
    """A lock of the system is there until it is given back."""


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


async def transfer(
    source: Shelf,
    name: str,
    to: Shelf,
    as_name: str,
    digest: Digest,
    size: int,
    metadata: Mapping[str, str],
    moved: Moved,
) -> None:
    """Brings the bytes of a digest from one shelf to another.

    By storage itself where it can; else through this process, which then holds them against the
    digest. Raises `RowMissing`, and `Damaged` if they are others.
    """
    address = source.address(name)
    if address is not None and await to.copy(address, as_name, size, metadata, moved):
        return
    await to.receive(as_name, checked(source.open(name, size), digest, size), metadata, moved)


async def checked(chunks: AsyncIterator[bytes], digest: Digest, size: int) -> AsyncIterator[bytes]:
    """The same bytes. Raises `Damaged` at their end if they are not those of a digest."""
    found, count = hashlib.new(digest.algorithm, usedforsecurity=False), 0
    async for chunk in chunks:
        await asyncio.to_thread(found.update, chunk)
        count += len(chunk)
        # Where all of it is on this machine, nothing else tells that it goes on.
        current().renew()
        yield chunk
    if (count, found.hexdigest()) != (size, digest.hex):
        raise Damaged(f"{digest} is damaged: its bytes have another digest")
