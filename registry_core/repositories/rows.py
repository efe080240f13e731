"""What the rows of table `repositories` hold, and how they are read back.

h                        the repository        hw                       it may be written to
m:<digest>               a manifest            t:<tag>                  a tag
g:<digest>:<tag>         a manifest's tags     c:<child>:<parent>       an index's children
T:<inverted time>:<tag>  tags by time          M:<inverted time>:<digest>  manifests by time
s:<subject>:<digest>     a referrer
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from registry_core.model.attributes import Attributes
from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest, Platform
from registry_core.model.names import RepositoryName, Tag
from registry_core.storage import keys, tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Change, Row

TABLE = "repositories"
REPOSITORY = "h"
"""The repository's own row."""
WRITABLE = "hw"
"""Exists while the repository may be written to."""
_LATEST = (1 << 63) - 1

INLINE_BYTES = 512 * 1024
"""Manifests up to this size lie in their row; larger ones are blobs."""
_PROPERTY_BYTES = 64 * 1024
_ANNOTATION_CHARACTERS = 8 * 1024

GONE = "Gone"
"""The column of a tombstone: all that a deletion leaves of `h` and `m:`.

It stays until no push can be under way that had read the row before the deletion, or read that
there was none: such a push fails on the row, and so does a transaction that storage applies late.
"""
MANIFEST_FACTS = (
    GONE,
    "Created",
    "Updated",
    "Stamp",
    "DeleteEnabled",
    "WriteEnabled",
    "ReadEnabled",
)
"""The columns of `m:` that a push or a deletion decides by; none of the bytes."""


def live(row: Row | None) -> Row | None:
    """The row `h` or `m:`, unless it is a tombstone."""
    return None if row is None or row.values.get(GONE) else row


def bury(row: Row) -> Change:
    """Leaves a tombstone in the place of a row, if it is still as it was read."""
    return tables.replace(row.key, row.etag, **{GONE: True})


def partition(name: RepositoryName) -> str:
    """Partition of `repositories`, and row key in `catalog`."""
    return keys.encode(name.text)


def manifest_key(digest: Digest) -> str:
    """`m:<digest>`."""
    return f"m:{digest}"


def tag_key(name: Tag | str) -> str:
    """`t:<tag>`."""
    return f"t:{name}"


def manifest_tags(digest: Digest | str) -> str:
    """`g:<digest>:`, what the tag rows of a manifest begin with."""
    return f"g:{digest}:"


def manifest_tag(digest: Digest | str, name: Tag | str) -> str:
    """`g:<digest>:<tag>`."""
    return f"g:{digest}:{name}"


def inverted(time: datetime) -> str:
    """A time as 19 digits that sort the latest first: 2^63 - 1 - microseconds since 1970."""
    return f"{_LATEST - microseconds(time):019d}"


def tag_time(time: datetime, name: Tag | str) -> str:
    """`T:<inverted time>:<tag>`."""
    return f"T:{inverted(time)}:{name}"


def manifest_time(time: datetime, digest: Digest | str) -> str:
    """`M:<inverted time>:<digest>`."""
    return f"M:{inverted(time)}:{digest}"


def child_parents(child: Digest) -> str:
    """`c:<child>:`, what the rows of the indexes that hold a manifest begin with."""
    return f"c:{child}:"


def child(digest: Digest, parent: Digest) -> str:
    """`c:<child>:<parent>`."""
    return f"c:{digest}:{parent}"


def referrers(subject: Digest) -> str:
    """`s:<subject>:`, what the rows of a subject's referrers begin with."""
    return f"s:{subject}:"


def referrer(subject: Digest, digest: Digest | str) -> str:
    """`s:<subject>:<digest>`."""
    return f"s:{subject}:{digest}"


def microseconds(time: datetime) -> int:
    """Microseconds since 1970, exactly."""
    delta = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds


@dataclass(frozen=True)
class StoredManifest:
    """A manifest as its row has it."""

    digest: str
    media_type: str
    size: int
    attributes: Attributes
    timestamp: datetime
    content: bytes | None
    """None for one too large for its row: it lies at `location`."""
    location: Location | None

    @classmethod
    def from_row(cls, row: Row) -> StoredManifest:
        """The manifest in a row `m:`."""
        location = row.text("Location")
        return cls(
            digest=row.key.removeprefix("m:"),
            media_type=row.text("MediaType"),
            size=row.number("Size"),
            attributes=Attributes.from_row(row.values),
            timestamp=row.timestamp,
            content=None if location else _join_bytes(row.values),
            location=Location.parse(location) if location else None,
        )


@dataclass(frozen=True)
class StoredTag:
    """A tag as its row has it."""

    name: str
    digest: Digest
    media_type: str
    size: int
    updated: datetime
    stamp: str
    attributes: Attributes
    etag: str

    @classmethod
    def from_row(cls, row: Row) -> StoredTag:
        """The tag in a row `t:`."""
        return cls(
            name=row.key.removeprefix("t:"),
            digest=Digest.parse(row.text("Digest")),
            media_type=row.text("MediaType"),
            size=row.number("Size"),
            updated=row.time("Updated"),
            stamp=row.text("Stamp"),
            attributes=Attributes.from_row(row.values),
            etag=row.etag,
        )


def manifest_changes(
    manifest: Manifest,
    platform: Platform,
    location: Location | None,
    known: Row | None,
    now: datetime,
    stamp: str,
) -> list[Change]:
    """Writes `m:` and `M:`. Every push of a tag does, so that a deletion under way sees it.

    `known` is the row `m:` as it was read, a tombstone too.
    """
    moment = tables.time_value(now)
    values: dict[str, Any] = {"Updated": moment, "Stamp": stamp, "Untagged": ""}
    by_time = tables.insert(manifest_time(now, manifest.digest))
    if known is not None and live(known):
        changes = [tables.merge(manifest_key(manifest.digest), known.etag, **values)]
        before = manifest_time(known.time("Updated"), manifest.digest)
        # Within one microsecond the row by time is the same one and stays.
        return changes if before == by_time.key else [*changes, tables.delete(before), by_time]
    values |= {
        "Created": moment,
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
    }
    if location:
        values["Location"] = str(location)
    else:
        values |= _split_bytes(manifest.content)
    if known is not None:
        return [tables.replace(known.key, known.etag, **values), by_time]
    return [tables.insert(manifest_key(manifest.digest), **values), by_time]


def tag_changes(
    tag: Tag, manifest: Manifest, known: StoredTag | None, now: datetime, stamp: str
) -> list[Change]:
    """Points a tag at a manifest: writes `t:`, `g:` and `T:`, and takes what it pointed at away."""
    moment = tables.time_value(now)
    facts = {
        "Digest": str(manifest.digest),
        "MediaType": manifest.media_type,
        "Size": tables.int64(len(manifest.content)),
        "Updated": moment,
        "Stamp": stamp,
    }
    by_time, listed = (
        tag_time(now, tag),
        manifest_tag(manifest.digest, tag),
    )
    if known is None:
        return [
            tables.insert(tag_key(tag), Created=moment, **facts),
            tables.upsert(by_time, Digest=str(manifest.digest)),
            tables.upsert(listed, Updated=moment),
        ]
    changes = [
        tables.merge(tag_key(tag), known.etag, **facts),
        tables.upsert(listed, Updated=moment),
    ]
    before = tag_time(known.updated, tag)
    if before != by_time:
        changes.append(tables.delete(before))
    changes.append(tables.upsert(by_time, Digest=str(manifest.digest)))
    if known.digest != manifest.digest:
        changes.append(tables.delete(manifest_tag(known.digest, tag)))
    return changes


def untag_changes(tag: StoredTag) -> list[Change]:
    """Takes a tag away, if it is still as it was read."""
    return [
        tables.delete(tag_key(tag.name), tag.etag),
        tables.delete(manifest_tag(tag.digest, tag.name)),
        tables.delete(tag_time(tag.updated, tag.name)),
    ]


def referrer_changes(manifest: Manifest) -> list[Change]:
    """Writes `s:`, the descriptor that lists a manifest among its subject's referrers."""
    if manifest.subject is None:
        return []
    values: dict[str, Any] = {
        "MediaType": manifest.media_type,
        "Size": tables.int64(len(manifest.content)),
        "ArtifactType": manifest.artifact_type,
    }
    annotations = json.dumps(dict(manifest.annotations)) if manifest.annotations else ""
    if len(annotations) <= _ANNOTATION_CHARACTERS:
        values["Annotations"] = annotations
    else:
        values["AnnotationsInManifest"] = True
    return [tables.upsert(referrer(manifest.subject.digest, manifest.digest), **values)]


def referrer_descriptor(row: Row) -> dict[str, Any]:
    """The descriptor in a row `s:` (distribution-spec, "Listing Referrers").

    Annotations that lie in the manifest are left to the caller.
    """
    descriptor: dict[str, Any] = {
        "mediaType": row.text("MediaType"),
        "digest": referrer_digest(row),
        "size": row.number("Size"),
    }
    if row.text("ArtifactType"):
        descriptor["artifactType"] = row.text("ArtifactType")
    if row.text("Annotations"):
        descriptor["annotations"] = json.loads(row.text("Annotations"))
    return descriptor


def referrer_digest(row: Row) -> str:
    """The digest at the end of a row's key `s:<subject>:<digest>`."""
    return ":".join(row.key.rsplit(":", 2)[-2:])


def _split_bytes(content: bytes) -> dict[str, bytes]:
    starts = range(0, len(content), _PROPERTY_BYTES)
    return {f"Bytes{i}": content[s : s + _PROPERTY_BYTES] for i, s in enumerate(starts)}


def _join_bytes(values: Mapping[str, Any]) -> bytes:
    count = INLINE_BYTES // _PROPERTY_BYTES
    return b"".join(values.get(f"Bytes{i}", b"") for i in range(count))
