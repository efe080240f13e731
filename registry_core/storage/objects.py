"""The objects of a container: written as append blobs or at once, and read in ranges.

An object is written once, as an append blob that an upload fills or as one Put Blob, and never
copied or renamed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

from registry_core.errors import SizeInvalid
from registry_core.storage.budget import attempts, current, repeated
from registry_core.storage.calls import Answer, Request
from registry_core.storage.connection import Connection
from registry_core.storage.contents import Contents
from registry_core.storage.faults import (
    Ambiguous,
    ConditionFailed,
    Full,
    RowExists,
    RowMissing,
)

APPEND_BLOCK = 8 * 1024 * 1024
"""How many bytes one append carries, except the last of a request."""
READ_BLOCK = 4 * 1024 * 1024
"""How many bytes of content one read call brings, at most."""
_ATTEMPTS = 4
"""How often a write is sent whose answers are lost."""
_METADATA = "x-ms-meta-"
_APPEND_BLOB = {"x-ms-blob-type": "AppendBlob"}
_BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}
_IF_MISSING = {"If-None-Match": "*"}


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


def address(service_url: str, container: str, name: str) -> str:
    """The address of an object, unsigned."""
    return f"{service_url}/{quote(container)}/{quote(name, safe='/~')}"


class AppendRefused(Exception):
    """The object is not where the caller's state says: it has grown, changed or gone."""


class Objects:
    """The objects of one container of this account."""

    def __init__(self, connection: Connection, container: str) -> None:
        self._account = connection.account
        self._name = container
        self._blobs = connection.blobs

    def location(self, name: str) -> Location:
        """The location of the object `name` here."""
        return Location(self._account, self._name, name)

    def url(self, location: Location) -> str:
        """The address of the object at `location`, unsigned."""
        if (location.account, location.container) != (self._account, self._name):
            raise LookupError(f"no access to content in {location.account}/{location.container}")
        return self._url(location.name)

    def _url(self, name: str) -> str:
        return address(self._blobs.url, self._name, name)

    async def _put(
        self, name: str, query: str, headers: Mapping[str, str], body: bytes | memoryview = b""
    ) -> str:
        """Writes to an object, once; answers its new ETag."""
        answer = await self._blobs.write(
            Request("PUT", f"{self._url(name)}{query}", dict(headers), body)
        )
        return _etag(answer)

    async def create(self, name: str, metadata: Mapping[str, str]) -> str:
        """Creates an empty append blob that must not exist; answers its ETag.

        A lost answer is resolved by the metadata: the object is ours, or there is none and the
        call is sent again. Raises `RowExists`, and `Unavailable` when storage stays unreachable.
        """
        headers = _APPEND_BLOB | _IF_MISSING | metadata_headers(metadata)
        etag, _ = await self._make(name, 0, metadata, lambda: self._put(name, "", headers))
        return etag

    async def _make(
        self,
        name: str,
        size: int,
        metadata: Mapping[str, str],
        send: Callable[[], Awaitable[str]],
    ) -> tuple[str, bool]:
        """Makes the object that `send` asks for on the condition that there is none.

        It is ours if it has this size and this metadata, which nobody else's has. Answers its
        ETag, and whether it is known that it was not there before.
        """
        unsure = False
        async for _ in attempts(most=_ATTEMPTS):
            try:
                return await send(), True
            except (Ambiguous, RowExists) as fault:
                if isinstance(fault, RowExists) and not unsure:
                    raise
                unsure = True
                found = await self.state(name)
                if found and found.size == size and dict(found.metadata) == dict(metadata):
                    return found.etag, False
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
        headers = {"x-ms-blob-condition-appendpos": str(offset), "If-Match": etag}
        unsure = False
        async for _ in attempts(most=_ATTEMPTS):
            try:
                return await self._put(name, "?comp=appendblock", headers, data)
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

    async def put(self, name: str, data: bytes, metadata: Mapping[str, str]) -> bool:
        """Writes an object that must not exist in one call. Raises `RowExists`.

        A lost answer is resolved by size and metadata: the object is ours, or there is none and the
        call is sent again. Ours may have been there for long then: False where that is not known.
        Raises `Unavailable` when storage stays unreachable.
        """
        headers = _BLOCK_BLOB | _IF_MISSING | metadata_headers(metadata)
        _, is_new = await self._make(
            name, len(data), metadata, lambda: self._put(name, "", headers, data)
        )
        return is_new

    async def state(self, name: str) -> ObjectState | None:
        """Size, ETag and metadata of an object; None if there is none."""
        try:
            return await self._blobs.read(Request("HEAD", self._url(name)), _state)
        except RowMissing:
            return None

    async def set_metadata(self, name: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replaces the metadata of version `etag`; the ETag answered outdates all before it.

        After a lost answer it is sent again if the object is still that version. Raises
        `ConditionFailed`, also where the lost one was applied; `RowMissing`; and `Unavailable` when
        storage stays unreachable.
        """
        headers = {"If-Match": etag} | metadata_headers(metadata)
        async for _ in attempts(most=_ATTEMPTS):
            try:
                return await self._put(name, "?comp=metadata", headers)
            except Ambiguous:
                found = await self.state(name)
                if found is None or found.etag != etag:
                    raise ConditionFailed("it was changed meanwhile") from None
        raise AssertionError("unreachable")

    async def empty(self, name: str, metadata: Mapping[str, str], etag: str) -> None:
        """Replaces version `etag` by an empty append blob; sent once.

        Raises `ConditionFailed`, `RowMissing` and `Ambiguous`.
        """
        await self._put(name, "", _APPEND_BLOB | {"If-Match": etag} | metadata_headers(metadata))

    async def remove(
        self, name: str, *, etag: str = "", unmodified_since: datetime | None = None
    ) -> bool:
        """Deletes an object that is version `etag`, or as it was at a time; False if there is none.

        After a lost answer it is sent again. Raises `ConditionFailed`, and `Unavailable` when
        storage stays unreachable.
        """
        headers = {"If-Match": etag} if etag else {}
        if unmodified_since is not None:
            # In whole seconds, as storage has the times of objects.
            time = unmodified_since.astimezone(UTC)
            headers["If-Unmodified-Since"] = format_datetime(time, usegmt=True)
        try:
            await repeated(
                lambda: self._blobs.write(Request("DELETE", self._url(name), dict(headers))),
                most=_ATTEMPTS,
            )
        except RowMissing:
            return False
        return True

    async def contents(self, prefix: str, delimiter: str = "") -> AsyncIterator[Contents]:
        """What has a name that begins so, in order, up to 5,000 a storage call.

        With a delimiter, names that go on after it are told once, as folders.
        """
        query = f"restype=container&comp=list&include=metadata&prefix={quote(prefix, safe='')}"
        if delimiter:
            query += f"&delimiter={quote(delimiter, safe='')}"
        following = ""
        while True:
            url = f"{self._blobs.url}/{quote(self._name)}?{query}{following}"
            page = await self._blobs.read(Request("GET", url), Contents.parse)
            yield page
            if not page.following:
                return
            following = f"&marker={quote(page.following, safe='')}"

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
        chunk, etag = b"", if_match
        if length > 0:
            chunk, etag = await self._block(location, offset, length, if_match)

        async def chunks(chunk: bytes = chunk) -> AsyncIterator[bytes]:
            sent = 0
            while chunk:
                yield chunk
                # Each chunk begins the budget anew, whoever takes how long to take it.
                current().renew()
                sent += len(chunk)
                if sent >= length:
                    return
                chunk, _ = await self._block(location, offset + sent, length - sent, etag)

        return chunks()

    async def _block(
        self, location: Location, offset: int, length: int, if_match: str | None
    ) -> tuple[bytes, str]:
        """The bytes from `offset`, as many as one call brings, and the object's version."""
        last = offset + min(length, READ_BLOCK) - 1
        headers = {"x-ms-range": f"bytes={offset}-{last}"}
        if if_match:
            headers["If-Match"] = if_match
        request = Request("GET", self.url(location), headers, is_content=True)
        return await self._blobs.read(request, lambda answer: (answer.body, _etag(answer)))

    async def read_all(self, location: Location, size: int) -> bytes:
        """The whole object, of `size` bytes. Only for what is known to be small."""
        return b"".join([chunk async for chunk in self.read(location, 0, size)])


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """The headers that give an object its metadata."""
    return {f"{_METADATA}{name}": value for name, value in metadata.items()}


def _etag(answer: Answer) -> str:
    """The object's version. Raises `Ambiguous` for an answer that has none: it is not storage's."""
    etag = answer.headers.get("ETag")
    if not etag:
        raise Ambiguous("storage's answer has no ETag")
    return etag


def _state(answer: Answer) -> ObjectState:
    metadata = {
        name[len(_METADATA) :]: value
        for name, value in answer.headers.items()
        if name.lower().startswith(_METADATA)
    }
    size = int(answer.headers.get("Content-Length", 0))
    return ObjectState(size, _etag(answer), metadata)
