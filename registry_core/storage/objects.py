"""The objects of a container: written as append blobs or at once, and read in ranges.

An object is written once, as an append blob that an upload fills or as one Put Blob, and never
copied or renamed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from azure.core import MatchConditions
from azure.storage.blob import BlobType
from azure.storage.blob.aio import BlobClient, StorageStreamDownloader

from registry_core.errors import SizeInvalid
from registry_core.storage.budget import attempts, current
from registry_core.storage.connection import Connection
from registry_core.storage.faults import (
    NO_RETRY,
    Ambiguous,
    ConditionFailed,
    Full,
    RowExists,
    RowMissing,
    reading,
    translated,
)

APPEND_BLOCK = 8 * 1024 * 1024
"""How many bytes one append carries, except the last of a request. A request holds two such."""
_PIECE = 1024 * 1024
"""How many bytes of a block the transport is given at a time. Of what it cannot send at once it
makes a copy; yet each piece waits its turn on the event loop, while storage waits for it."""
_ATTEMPTS = 4
"""How often a write is sent whose answers are lost."""


@dataclass(frozen=True)
class Location:
    """Where an object lies: it names its account and container, so that one day another may."""

    account: str
    container: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Location:
        """The location that `str()` wrote."""
        return cls(*text.split("/", 2))

    def __str__(self) -> str:
        return f"{self.account}/{self.container}/{self.name}"


@dataclass(frozen=True)
class ObjectState:
    """What storage says of an object."""

    size: int
    etag: str
    metadata: Mapping[str, str]


class AppendRefused(Exception):
    """The object is not where the caller's state says: it has grown, changed or gone."""


class Objects:
    """The objects of one container of this account."""

    def __init__(self, connection: Connection, container: str) -> None:
        self._account = connection.account
        self._name = container
        self._container = connection.container(container)

    def location(self, name: str) -> Location:
        """The location of the object `name` here."""
        return Location(self._account, self._name, name)

    def client(self, location: Location) -> BlobClient:
        """The client of the object at `location`."""
        if (location.account, location.container) != (self._account, self._name):
            raise LookupError(f"no access to content in {location.account}/{location.container}")
        return self._container.get_blob_client(location.name)

    async def create(self, name: str, metadata: Mapping[str, str]) -> str:
        """Creates an empty append blob that must not exist; answers its ETag.

        A lost answer is resolved by the metadata: the object is ours, or there is none and the
        call is sent again. Raises `RowExists`, and `Unavailable` when storage stays unreachable.
        """
        client = self._container.get_blob_client(name)

        async def send() -> Mapping[str, Any]:
            return await client.create_append_blob(
                metadata=dict(metadata), match_condition=MatchConditions.IfMissing, **NO_RETRY
            )

        return await self._make(name, 0, metadata, send)

    async def _make(
        self,
        name: str,
        size: int,
        metadata: Mapping[str, str],
        send: Callable[[], Awaitable[Mapping[str, Any]]],
    ) -> str:
        """Makes the object that `send` asks for on the condition that there is none.

        It is ours if it has this size and this metadata, which nobody else's has.
        """
        unsure = False
        async for _ in attempts(most=_ATTEMPTS):
            try:
                with translated():
                    return str((await send())["etag"])
            except (Ambiguous, RowExists) as fault:
                if isinstance(fault, RowExists) and not unsure:
                    raise
                unsure = True
                found = await self.state(name)
                if found and found.size == size and dict(found.metadata) == dict(metadata):
                    return found.etag
                if found:
                    raise
        raise AssertionError("unreachable")

    async def append(self, name: str, data: memoryview, offset: int, etag: str) -> str:
        """Appends `data` at `offset` to the object whose version is `etag`; answers the new ETag.

        A lost answer is resolved by reading back: the bytes at `offset` are ours, or there are
        none and the append is sent again. Once sent again, it can be refused because the first
        one was applied late: that is resolved in the same way. Raises `AppendRefused`, and
        `Unavailable` when storage stays unreachable.
        """
        client = self._container.get_blob_client(name)
        unsure = False
        async for _ in attempts(most=_ATTEMPTS):
            try:
                with translated():
                    answer = await client.append_block(
                        cast("Any", _pieces(data)),  # Its type knows no asynchronous bodies.
                        length=len(data),
                        appendpos_condition=offset,
                        etag=etag,
                        match_condition=MatchConditions.IfNotModified,
                        **NO_RETRY,
                    )
                    return str(answer["etag"])
            except Full as fault:
                raise SizeInvalid(
                    f"the blob has 50,000 parts after {offset} bytes, and storage allows no more: "
                    "send it again in larger chunks"
                ) from fault
            except (ConditionFailed, RowMissing, Ambiguous) as fault:
                if not unsure and not isinstance(fault, Ambiguous):
                    raise AppendRefused(str(fault)) from fault
                unsure = True
                applied = await self._resolve(name, data, offset, etag)
                if applied:
                    return applied
        raise AssertionError("unreachable")

    async def _resolve(self, name: str, data: memoryview, offset: int, etag: str) -> str | None:
        """The ETag after our append if it was applied, None if not. Raises `AppendRefused`."""
        found = await self.state(name)
        if found is None:
            raise AppendRefused("the object no longer exists")
        if found.size == offset and found.etag == etag:
            return None
        if found.size == offset + len(data):
            position = 0
            async for chunk in self.read(
                self.location(name), offset, len(data), if_match=found.etag
            ):
                if data[position : position + len(chunk)] != chunk:
                    break
                position += len(chunk)
            if position == len(data):
                return found.etag
        raise AppendRefused("other bytes were appended")

    async def put(self, name: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Writes an object that must not exist in one call. Raises `RowExists`.

        A lost answer is resolved by size and metadata: the object is ours, or there is none and the
        call is sent again. Raises `Unavailable` when storage stays unreachable.
        """
        client = self._container.get_blob_client(name)

        async def send() -> Mapping[str, Any]:
            return await client.upload_blob(
                data,
                blob_type=BlobType.BLOCKBLOB,
                length=len(data),
                metadata=dict(metadata),
                overwrite=False,
                max_concurrency=1,
                **NO_RETRY,
            )

        await self._make(name, len(data), metadata, send)

    async def state(self, name: str) -> ObjectState | None:
        """Size, ETag and metadata of an object; None if there is none."""
        try:
            with reading():
                found = await self._container.get_blob_client(name).get_blob_properties()
        except RowMissing:
            return None
        return ObjectState(found.size, str(found.etag), found.metadata or {})

    async def set_metadata(self, name: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replaces the metadata of version `etag`; the ETag answered outdates all before it.

        After a lost answer it is sent again if the object is still that version. Raises
        `ConditionFailed`, also where the lost one was applied; `RowMissing`; and `Unavailable` when
        storage stays unreachable.
        """
        client = self._container.get_blob_client(name)
        async for _ in attempts(most=_ATTEMPTS):
            try:
                with translated():
                    answer = await client.set_blob_metadata(
                        dict(metadata),
                        etag=etag,
                        match_condition=MatchConditions.IfNotModified,
                        **NO_RETRY,
                    )
                return str(answer["etag"])
            except Ambiguous:
                found = await self.state(name)
                if found is None or found.etag != etag:
                    raise ConditionFailed("it was changed meanwhile") from None
        raise AssertionError("unreachable")

    async def empty(self, name: str, metadata: Mapping[str, str], etag: str) -> None:
        """Replaces version `etag` by an empty append blob; sent once.

        Raises `ConditionFailed`, `RowMissing` and `Ambiguous`.
        """
        with translated():
            await self._container.get_blob_client(name).create_append_blob(
                metadata=dict(metadata),
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
                **NO_RETRY,
            )

    async def read(
        self, location: Location, offset: int, length: int, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        """The `length` bytes from `offset`, in chunks of at most `READ_BLOCK`.

        Raises `RowMissing` if the object is not there, `ConditionFailed` if it is another version
        than `if_match` or has no byte at `offset`.
        """
        async for chunk in await self.open(location, offset, length, if_match):
            yield chunk

    async def open(
        self, location: Location, offset: int, length: int, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        """As `read`, and raises what it raises before the first chunk: that one is there then."""
        if length <= 0:
            return _chunks(None)
        options: dict[str, Any] = (
            {"etag": if_match, "match_condition": MatchConditions.IfNotModified} if if_match else {}
        )
        with reading():
            stream = await self.client(location).download_blob(
                offset=offset, length=length, max_concurrency=1, **options
            )
        return _chunks(stream)

    async def read_all(self, location: Location, size: int) -> bytes:
        """The whole object, of `size` bytes. Only for what is known to be small."""
        return b"".join([chunk async for chunk in self.read(location, 0, size)])


async def _chunks(stream: StorageStreamDownloader[bytes] | None) -> AsyncIterator[bytes]:
    """What storage sends. Each chunk begins the budget anew, whoever takes how long to take it."""
    if stream is None:
        return
    with reading():
        async for chunk in stream.chunks():
            yield chunk
            current().renew()


async def _pieces(data: memoryview) -> AsyncIterator[memoryview]:
    """`data` as a body that shares its memory, and is sent as fast as the connection takes it."""
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
        current().renew()
