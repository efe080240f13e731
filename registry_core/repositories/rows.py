"""Table `repositories`: how its rows are spelt, in keys and in columns, both ways. Nothing else is.

Partition = repository.

h                        the repository        hw, hd     guards: it may be pushed to, deleted from
hu                       its last update       u          its usage, as last counted
m:<digest>               a manifest            t:<tag>                     a tag
g:<digest>:<tag>         a manifest's tags     c:<child>:<parent>          an index's children
T:<inverted time>:<tag>  tags by time          M:<inverted time>:<digest>  manifests by time
s:<subject>:<digest>     a referrer

Rows `h`, `m:` and `t:` are sources. The others follow from them, and are written with them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from registry_core.model.attributes import COLUMNS as ATTRIBUTES
from registry_core.model.attributes import Attributes
from registry_core.model.digest import DIGEST_ALPHABET, Digest
from registry_core.model.manifest import Manifest, Platform
from registry_core.model.names import TAG_ALPHABET, RepositoryName, Tag
from registry_core.storage import keys, tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row

TABLE = "repositories"
REPOSITORY = "h"
"""The repository's own row: when it was made, its attributes, whether it is being deleted."""
PUSH_GUARD = "hw"
"""Exists while the repository may be pushed to. Every push merges it, if it exists."""
DELETE_GUARD = "hd"
"""Exists while the repository may be deleted from. Every deletion merges it, if it exists."""
GUARDS = (PUSH_GUARD, DELETE_GUARD)
LAST_UPDATE = "hu"
"""When the repository was changed last. Every change writes it, and no lock does."""
USAGE = "u"
"""How many bytes and things it holds, as the nightly walk counted them."""

INLINE_BYTES = 512 * 1024
"""Manifests up to this size lie in their row; larger ones are blobs."""
_PROPERTY_BYTES = 64 * 1024
_MAX_BLOBS_BYTES = 384 * 1024
"""Room for the blobs of a manifest, which names 2,000 at most. A row holds 1 MiB in all."""
_ANNOTATION_CHARACTERS = 8 * 1024
LATEST = (1 << 63) - 1
"""The inverted time of 1970: no time is older."""

LIVE = "Live"
"""True in the rows `h`, `m:` and `t:` of what exists, and in no other."""
GONE = "Gone"
"""The time of a deletion, in the tombstone that it leaves of `h`, `m:` and `t:`, with its `Stamp`.

A tombstone stays until no change can be under way that had read the row before the deletion, or
read that there was none: such a change fails on the row, and so does one that storage applies late.
"""
DELETED = "Deleted"
"""The time of a soft deletion, in a row `m:` that keeps all it had and is not `Live`."""
DELETING = "Deleting"
"""The time from which a repository is being deleted with all that is in it."""

MANIFEST_FACTS = (
    LIVE,
    GONE,
    "Created",
    "Updated",
    "Stamp",
    "Subject",
    "MediaType",
    "Size",
    "Os",
    "Architecture",
    "OsVersion",
    "Variant",
    *ATTRIBUTES,
)
"""The columns of `m:` that a change decides by; none of the bytes."""

FREED_MANIFEST_FACTS = (
    *MANIFEST_FACTS,
    *(f"Blobs{number}" for number in range(_MAX_BLOBS_BYTES // _PROPERTY_BYTES)),
)
"""The same, and the blobs that it needs."""
MANIFEST_CONTENT = (
    LIVE,
    GONE,
    DELETED,
    "MediaType",
    "Size",
    "Updated",
    "Location",
    *(f"Bytes{number}" for number in range(INLINE_BYTES // _PROPERTY_BYTES)),
)
"""The columns of `m:` that its bytes are read from, or the place where they lie."""

LISTED_MANIFEST_FACTS = (
    LIVE,
    GONE,
    "MediaType",
    "ConfigMediaType",
    "ImageSize",
    "Os",
    "Architecture",
    "Created",
    "Updated",
    *ATTRIBUTES,
)
"""The columns of `m:` that a listing shows."""

TAG_FACTS = (LIVE, "Digest", "MediaType", "Size", "Created", "Updated", "Stamp", *ATTRIBUTES)
"""The columns of `t:`, all of them but for tombstones."""


class State(Enum):
    """How much there is of a repository, a manifest or a tag."""

    LIVE = "live"
    RESTORABLE = "restorable"
    """Deleted, with all that it needs kept: it can be brought back. Nobody sees it."""
    GONE = "gone"


def state_of(row: Row | None) -> State:
    """The state of what a row `h`, `m:` or `t:` is of."""
    if row is None or row.values.get(GONE):
        return State.GONE
    return State.LIVE if row.values.get(LIVE) is True else State.RESTORABLE


def is_live(row: Row | None) -> bool:
    """Whether it is there for everybody to see."""
    return state_of(row) is State.LIVE


def live(row: Row | None) -> Row | None:
    """The row, if it is of what is live."""
    return row if is_live(row) else None


# Keys.


@dataclass(frozen=True)
class Range:
    """The keys of one kind of row: from `first` to before `end`."""

    prefix: str

    @property
    def first(self) -> str:
        """The least key."""
        return self.prefix

    @property
    def end(self) -> str:
        """The least key after all of them."""
        return keys.end_of(self.prefix)

    def __contains__(self, key: str) -> bool:
        return key.startswith(self.prefix)

    def rest(self, key: str) -> str:
        """What a key says beside its kind."""
        return key.removeprefix(self.prefix)

    def after(self, last: str) -> str:
        """The least key of what comes after `last`, which need not exist, nor be a name at all."""
        alphabet = TAG_ALPHABET if self == TAGS else DIGEST_ALPHABET
        return f"{self.prefix}{keys.following(last, alphabet)}"


MANIFESTS, TAGS = Range("m:"), Range("t:")
TAG_TIMES, MANIFEST_TIMES = Range("T:"), Range("M:")
MANIFEST_TAGS, CHILDREN, REFERRERS = Range("g:"), Range("c:"), Range("s:")
INDEX_ROWS = (TAG_TIMES, MANIFEST_TIMES, MANIFEST_TAGS, CHILDREN, REFERRERS)
"""Those that follow from others."""


def kind(key: str) -> str:
    """What a key begins with, up to its first colon: keys of one kind stand together."""
    return key.partition(":")[0]


def partition(name: RepositoryName) -> str:
    """The partition of a repository."""
    return keys.encode(name.text)


def manifest_key(digest: Digest) -> str:
    """`m:<digest>`."""
    return f"{MANIFESTS.prefix}{digest}"


def tag_key(tag: Tag) -> str:
    """`t:<tag>`."""
    return f"{TAGS.prefix}{tag}"


def tags_of(digest: Digest) -> Range:
    """`g:<digest>:`, the tags of a manifest."""
    return Range(f"{MANIFEST_TAGS.prefix}{digest}:")


def manifest_tag(digest: Digest, tag: Tag) -> str:
    """`g:<digest>:<tag>`."""
    return f"{tags_of(digest).prefix}{tag}"


def inverted(time: datetime) -> str:
    """A time as 19 digits that sort the latest first: 2^63 - 1 - microseconds since 1970."""
    return f"{LATEST - microseconds(time):019d}"


def microseconds(time: datetime) -> int:
    """Microseconds since 1970, exactly."""
    delta = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds


def tag_time(time: datetime, tag: Tag) -> str:
    """`T:<inverted time>:<tag>`."""
    return f"{TAG_TIMES.prefix}{inverted(time)}:{tag}"


def manifest_time(time: datetime, digest: Digest) -> str:
    """`M:<inverted time>:<digest>`."""
    return f"{MANIFEST_TIMES.prefix}{inverted(time)}:{digest}"


def time_in(key: str) -> datetime:
    """The time in a key `T:` or `M:`."""
    _, digits, _ = key.split(":", 2)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=LATEST - int(digits))


def name_in(key: str) -> str:
    """The tag or the digest in a key `T:` or `M:`."""
    return key.split(":", 2)[2]


def parents_of(child: Digest) -> Range:
    """`c:<child>:`, the indexes that hold a manifest."""
    return Range(f"{CHILDREN.prefix}{child}:")


def child(digest: Digest, parent: Digest) -> str:
    """`c:<child>:<parent>`."""
    return f"{parents_of(digest).prefix}{parent}"


def referrers_of(subject: Digest) -> Range:
    """`s:<subject>:`, the referrers of a manifest."""
    return Range(f"{REFERRERS.prefix}{subject}:")


def referrer(subject: Digest, digest: Digest) -> str:
    """`s:<subject>:<digest>`."""
    return f"{referrers_of(subject).prefix}{digest}"


def _digest(text: str) -> Digest:
    """A digest as a row has it: it was right when it was written."""
    algorithm, _, encoded = text.partition(":")
    return Digest(algorithm, encoded)


def last_digest(key: str) -> Digest:
    """The digest at the end of a key `c:`, `s:` or `M:`."""
    return _digest(":".join(key.rsplit(":", 2)[-2:]))


def subject_of(key: str) -> Digest:
    """The subject in a key `s:<subject>:<digest>`."""
    own = str(last_digest(key))
    return _digest(REFERRERS.rest(key).removesuffix(f":{own}"))


# Columns.


def tombstone(now: datetime, stamp: str, updated: datetime | None = None) -> dict[str, Any]:
    """What a deletion leaves of a row.

    Of a manifest and a tag also when it was updated last: a listing by time goes on from there.
    """
    left = {GONE: tables.time_value(now), "Stamp": stamp}
    return left | {"Updated": tables.time_value(updated)} if updated else left


@dataclass(frozen=True)
class StoredBlob:
    """A blob that a manifest needs, as the manifest's row names it."""

    digest: Digest
    size: int
    location: Location | None
    """None where the repository does not have it: a layer that need not be pushed."""


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

    @property
    def blobs(self) -> tuple[StoredBlob, ...]:
        """What it protects from deletion, itself too where it is a blob."""
        return _unpack_blobs(self.packed_blobs)

    @classmethod
    def from_row(cls, row: Row) -> StoredManifest:
        """The manifest in a row `m:`."""
        location, subject = row.text("Location"), row.text("Subject")
        return cls(
            digest=_digest(MANIFESTS.rest(row.key)),
            media_type=row.text("MediaType"),
            size=row.number("Size"),
            subject=_digest(subject) if subject else None,
            updated=row.time("Updated"),
            attributes=Attributes.from_row(row.values),
            timestamp=row.timestamp,
            content=None if location else _join_bytes("Bytes", row.values),
            location=Location.parse(location) if location else None,
            packed_blobs=_join_bytes("Blobs", row.values),
            stamp=row.text("Stamp"),
            etag=row.etag,
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
            digest=_digest(row.text("Digest")),
            media_type=row.text("MediaType"),
            size=row.number("Size"),
            created=row.time("Created"),
            updated=row.time("Updated"),
            attributes=Attributes.from_row(row.values),
            stamp=row.text("Stamp"),
            etag=row.etag,
        )


@dataclass(frozen=True)
class Described:
    """What a push found out about a manifest beside its bytes."""

    platform: Platform
    blobs: tuple[StoredBlob, ...]
    location: Location | None = None
    """Of one too large for its row."""


def manifest_columns(manifest: Manifest, described: Described) -> dict[str, Any]:
    """All that `m:` says of a manifest that is new, but for its times, state and `Stamp`."""
    platform = described.platform
    columns = {
        "MediaType": manifest.media_type,
        "ConfigMediaType": manifest.config.media_type if manifest.config else "",
        "ArtifactType": manifest.artifact_type,
        "Subject": str(manifest.subject.digest) if manifest.subject else "",
        "Os": platform.os,
        "Architecture": platform.architecture,
        "OsVersion": platform.os_version,
        "Variant": platform.variant,
        "ImageSize": tables.int64(manifest.image_size),
        "Size": tables.int64(len(manifest.content)),
        **_split_bytes("Blobs", _pack_blobs(described.blobs)),
    }
    if described.location:
        return columns | {"Location": str(described.location)}
    return columns | _split_bytes("Bytes", manifest.content)


def moved_blob(row: Row, digest: Digest, location: Location) -> dict[str, bytes]:
    """The columns of a row `m:` in which a blob that it names lies elsewhere."""
    blobs = StoredManifest.from_row(row).blobs
    moved = [replace(each, location=location) if each.digest == digest else each for each in blobs]
    columns = _split_bytes("Blobs", _pack_blobs(moved))
    left = [column for column in row.values if column.startswith("Blobs") and column not in columns]
    return columns | dict.fromkeys(left, b"")


def manifest_time_columns(manifest: Manifest, known: Mapping[str, Any]) -> dict[str, Any]:
    """All that a listing by time shows of a manifest, for `M:`, from the columns of its `m:`."""
    shown = ("Os", "Architecture", "OsVersion", "Variant", "Created", *ATTRIBUTES)
    return {
        "MediaType": manifest.media_type,
        "ConfigMediaType": manifest.config.media_type if manifest.config else "",
        "ArtifactType": manifest.artifact_type,
        "ImageSize": tables.int64(manifest.image_size),
        **{column: known[column] for column in shown if column in known},
    }


def listed_manifest_columns(row: Row, attributes: Mapping[str, bool]) -> dict[str, Any]:
    """The same from a row `m:`, with other `attributes`."""
    kinds = ("MediaType", "ConfigMediaType", "ArtifactType")
    shown = (*kinds, "Os", "Architecture", "OsVersion", "Variant", "Created", *ATTRIBUTES)
    known = {**row.values, **attributes}
    return {
        "ImageSize": tables.int64(row.number("ImageSize")),
        **{column: known[column] for column in shown if column in known},
    }


def tag_columns(manifest: Manifest) -> dict[str, Any]:
    """What `t:` says of the manifest that the tag points at."""
    return {
        "Digest": str(manifest.digest),
        "MediaType": manifest.media_type,
        "Size": tables.int64(len(manifest.content)),
    }


def tag_time_columns(digest: Digest, known: Mapping[str, Any]) -> dict[str, Any]:
    """All that a listing by time shows of a tag, for `T:`, from the columns of its `t:`."""
    shown = ("Created", *ATTRIBUTES)
    return {"Digest": str(digest), **{column: known[column] for column in shown if column in known}}


def referrer_columns(manifest: Manifest) -> dict[str, Any]:
    """The descriptor, for `s:`, that lists a manifest among its subject's referrers."""
    columns: dict[str, Any] = {
        "MediaType": manifest.media_type,
        "Size": tables.int64(len(manifest.content)),
        "ArtifactType": manifest.artifact_type,
    }
    annotations = json.dumps(dict(manifest.annotations)) if manifest.annotations else ""
    if len(annotations) <= _ANNOTATION_CHARACTERS:
        return columns | {"Annotations": annotations}
    return columns | {"AnnotationsInManifest": True}


def referrer_descriptor(row: Row) -> dict[str, Any]:
    """The descriptor in a row `s:` (distribution-spec, "Listing Referrers").

    Annotations that lie in the manifest are left to the caller.
    """
    descriptor: dict[str, Any] = {
        "mediaType": row.text("MediaType"),
        "digest": str(last_digest(row.key)),
        "size": row.number("Size"),
    }
    if row.text("ArtifactType"):
        descriptor["artifactType"] = row.text("ArtifactType")
    if row.text("Annotations"):
        descriptor["annotations"] = json.loads(row.text("Annotations"))
    return descriptor


def _pack_blobs(blobs: Iterable[StoredBlob]) -> bytes:
    """Digest, size and location of each blob, as JSON, compressed: locations are much alike."""
    document = [
        [str(blob.digest), blob.size, str(blob.location) if blob.location else ""] for blob in blobs
    ]
    packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode())
    if len(packed) > _MAX_BLOBS_BYTES:
        raise ValueError(f"the blobs of a manifest take {len(packed)} bytes")
    return packed


def _unpack_blobs(packed: bytes) -> tuple[StoredBlob, ...]:
    if not packed:
        return ()
    return tuple(
        StoredBlob(_digest(digest), size, Location.parse(location) if location else None)
        for digest, size, location in json.loads(zlib.decompress(packed))
    )


def _split_bytes(name: str, content: bytes) -> dict[str, bytes]:
    starts = range(0, len(content), _PROPERTY_BYTES)
    return {f"{name}{i}": content[s : s + _PROPERTY_BYTES] for i, s in enumerate(starts)}


def _join_bytes(name: str, values: Mapping[str, Any]) -> bytes:
    count = max(INLINE_BYTES, _MAX_BLOBS_BYTES) // _PROPERTY_BYTES
    return b"".join(values.get(f"{name}{i}", b"") for i in range(count))
