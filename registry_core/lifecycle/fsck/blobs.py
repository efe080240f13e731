"""Looking at the rows of a digest, and at the object that they name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

from registry_core.blobs import rows
from registry_core.blobs.check import check_links
from registry_core.blobs.rows import Link
from registry_core.errors import DigestInvalid
from registry_core.lifecycle.collection.partition import Partition, partitions
from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.fsck.parsing import why_unreadable_blob
from registry_core.lifecycle.fsck.settle import Unsettled, settled, version
from registry_core.model.digest import Digest
from registry_core.model.invariants import Finding, Invariant, same
from registry_core.storage import keys
from registry_core.storage.objects import Location, ObjectState
from registry_core.storage.tables import Row

COLUMNS = ("Location", "Size", rows.GOING, rows.RELEASED)


@dataclass(frozen=True)
class Object:
    """A content object; None where the name leads nowhere."""

    location: Location
    state: ObjectState | None


@dataclass(frozen=True)
class Blob:
    """The rows of a digest, and the object that `blob` names."""

    digest: str
    rows: Mapping[str, Row]
    found: Object | None = None
    """What lies there."""

    @property
    def versions(self) -> Mapping[object, str]:
        """The version of each row and of the object."""
        found: dict[object, str] = {key: version(row) for key, row in self.rows.items()}
        state = self.found.state if self.found else None
        return found | {"object": state.etag if state else ""}

    @property
    def readable(self) -> dict[str, Row]:
        """The rows that can be read."""
        return {key: row for key, row in self.rows.items() if not why_unreadable_blob(row)}

    @property
    def content(self) -> Link | None:
        """Where the blob lies, and its size."""
        row = self.readable.get(rows.BLOB)
        return Link.from_row(row) if row else None

    @property
    def links(self) -> list[Row]:
        """The links, as far as they can be read."""
        return [row for key, row in self.readable.items() if key.startswith(rows.LINKS)]

    @property
    def own(self) -> list[Row]:
        """The row of the content, and the markers."""
        found = self.rows.items()
        return [row for key, row in found if key == rows.BLOB or key.startswith(rows.MARKERS)]

    def still(self, finding: Finding) -> Finding | None:
        """The same finding, if it is true of these rows."""
        return same(self.findings(), finding)

    def findings(self) -> Iterable[Finding]:
        """All that is wrong."""
        for key, row in self.rows.items():
            if why := why_unreadable_blob(row):
                text = f"it cannot be read ({why})"
                yield Finding(Invariant.READABLE, key, text, digest=self.digest)
        if rows.BLOB not in self.rows or self.content:
            yield from check_links(self.digest, self.readable)
        content, found = self.content, self.found
        if content and found and found.location == content.location:
            yield from self._object(content, found.state)

    def _object(self, content: Link, state: ObjectState | None) -> Iterable[Finding]:
        name, wrong = content.location.name, ""
        if state is None:
            wrong = f"its object is not at {content.location}"
        elif state.size != content.size:
            wrong = f"its object {name} has {state.size} bytes, and its row says {content.size}"
        elif state.metadata.get(rows.COMMITTED_AS) != self.digest:
            wrong = f"its object {name} is not marked with its digest"
        if wrong:
            yield Finding(Invariant.OBJECTS, rows.BLOB, wrong, digest=self.digest)


class Blobs:
    """Looks at the blobs of one registry."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def pages(self) -> AsyncIterator[list[Partition]]:
        """The rows of all digests, in order, those of some digests at a time."""
        rest: list[Row] = []
        async for page in self._stores.blobs.scan("\x20", keys.AFTER_ALL, COLUMNS):
            found = list(partitions([*rest, *page]))
            rest = list(found.pop().rows) if found else []  # It may go on in the next page.
            yield found
        yield list(partitions(rest))

    async def look(self, found: Partition) -> Blob:
        """The rows that were read, and the object that they name. Raises `Unavailable`."""
        return await self._with_object(Blob(found.digest, {row.key: row for row in found.rows}))

    async def settled(self, digest: str, finding: Finding | None = None) -> Blob | Unsettled:
        """The rows and the object as they were at one moment. Raises `Unavailable`."""
        return await settled(
            lambda: self.read(digest),
            lambda blob: finding is not None and blob.still(finding) is None,
        )

    async def read(self, digest: str) -> Blob:
        """The rows, but for those of needs, and the object. Raises `Unavailable`."""
        found = await self._stores.blobs.query(digest, rows.FIRST, rows.NEEDS, COLUMNS)
        return await self._with_object(Blob(digest, {row.key: row for row in found}))

    async def _with_object(self, blob: Blob) -> Blob:
        content = blob.content
        if content is None or not is_digest(blob.digest):
            return blob
        return Blob(blob.digest, blob.rows, await self.object_at(content.location))

    def is_ours(self, location: Location) -> bool:
        """Whether it is in the account and the container that are looked at."""
        return location == self._stores.content.location(location.name)

    async def object_at(self, location: Location) -> Object:
        """The object at a location; one of another account is not there for us."""
        if not self.is_ours(location):
            return Object(location, None)
        return Object(location, await self._stores.content.state(location.name))


def is_digest(text: str) -> bool:
    """Whether it is a digest that a blob can have."""
    try:
        Digest.parse(text)
    except DigestInvalid:
        return False
    return True
