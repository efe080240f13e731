"""Manifests and tags, as their rows have them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from registry_core.model.attributes import Attributes
from registry_core.model.digest import Digest
from registry_core.model.manifest import Platform
from registry_core.model.names import Tag
from registry_core.repositories.rows.keys import MANIFESTS, TAGS, parse_digest
from registry_core.repositories.rows.packing import StoredBlob, join_bytes, unpacked
from registry_core.repositories.rows.states import State, deleted_at, state_of
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row


@dataclass(frozen=True)
class StoredManifest:
    """A manifest as its row has it."""

    digest: Digest
    media_type: str
    size: int
    subject: Digest | None
    updated: datetime
    attributes: Attributes
    timestamp: datetime
    content: bytes | None
    """None for one too large for its row, which lies at `location`; and if it was not read."""
    location: Location | None
    packed_blobs: bytes
    stamp: str
    etag: str
    deleted: datetime | None = None
    """When it was deleted softly; None while it is live."""

    @property
    def blobs(self) -> tuple[StoredBlob, ...]:
        """What it protects from deletion, itself too where it is a blob."""
        return unpacked(self.packed_blobs)

    @classmethod
    def from_row(cls, row: Row) -> StoredManifest:
        """The manifest in a row `m:`."""
        location, subject = row.text("Location"), row.text("Subject")
        return cls(
            digest=parse_digest(MANIFESTS.rest(row.key)),
            media_type=row.text("MediaType"),
            size=row.number("Size"),
            subject=parse_digest(subject) if subject else None,
            updated=row.time("Updated"),
            attributes=Attributes.from_row(row.values),
            timestamp=row.timestamp,
            content=None if location else join_bytes("Bytes", row.values),
            location=Location.parse(location) if location else None,
            packed_blobs=join_bytes("Blobs", row.values),
            stamp=row.text("Stamp"),
            etag=row.etag,
            deleted=deleted_at(row),
        )


@dataclass(frozen=True)
class StoredTag:
    """A tag as its row has it."""

    tag: Tag
    digest: Digest
    media_type: str
    size: int
    created: datetime
    updated: datetime
    attributes: Attributes
    stamp: str
    etag: str

    @classmethod
    def from_row(cls, row: Row) -> StoredTag:
        """The tag in a row `t:`."""
        return cls(
            tag=Tag(TAGS.rest(row.key)),
            digest=parse_digest(row.text("Digest")),
            media_type=row.text("MediaType"),
            size=row.number("Size"),
            created=row.time("Created"),
            updated=row.time("Updated"),
            attributes=Attributes.from_row(row.values),
            stamp=row.text("Stamp"),
            etag=row.etag,
        )


@dataclass(frozen=True)
class Held:
    """The bytes that a manifest keeps in storage."""

    digest: str
    state: State
    in_row: int
    """Its own, where they lie in its row."""
    blobs: Sequence[tuple[str, int]]
    """Digest and size of each blob that it needs and the repository has."""

    @classmethod
    def from_row(cls, row: Row) -> Held:
        """Those of a row `m:`."""
        packed = join_bytes("Blobs", row.values)
        document = json.loads(zlib.decompress(packed)) if packed else ()
        return cls(
            digest=MANIFESTS.rest(row.key),
            state=state_of(row),
            in_row=0 if row.text("Location") else row.number("Size"),
            blobs=[(digest, size) for digest, size, location in document if location],
        )

    @staticmethod
    def weight(row: Row) -> int:
        """How many bytes are worked on to read it."""
        return sum(len(each) for each in row.values.values() if isinstance(each, bytes))


@dataclass(frozen=True)
class Described:
    """What a push found out about a manifest beside its bytes."""

    platform: Platform
    blobs: tuple[StoredBlob, ...]
    location: Location | None = None
    """Of one too large for its row."""
