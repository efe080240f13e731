"""What the rows of manifests, tags and referrers say, in columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from registry_core.errors import ManifestInvalid
from registry_core.model.attributes import COLUMNS as ATTRIBUTES
from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest
from registry_core.model.names import Tag
from registry_core.repositories.rows.keys import last_digest
from registry_core.repositories.rows.packing import StoredBlob, packed, split_bytes
from registry_core.repositories.rows.stored import Described, StoredManifest, StoredTag
from registry_core.storage import tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row

_ANNOTATION_CHARACTERS = 8 * 1024


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
        **split_bytes("Blobs", packed(described.blobs)),
    }
    if described.location:
        return columns | {"Location": str(described.location)}
    return columns | split_bytes("Bytes", manifest.content)


def moved_blob(row: Row, digest: Digest, location: Location) -> dict[str, bytes]:
    """The columns of a row `m:` in which a blob that it names lies elsewhere."""
    blobs = StoredManifest.from_row(row).blobs
    moved = [replace(each, location=location) if each.digest == digest else each for each in blobs]
    columns = split_bytes("Blobs", packed(moved))
    left = [column for column in row.values if column.startswith("Blobs") and column not in columns]
    return columns | dict.fromkeys(left, b"")


def relocated(row: Row, where: Callable[[StoredBlob], Location | None]) -> dict[str, Any]:
    """All that a row `m:` says, of the same manifest whose blobs lie elsewhere."""
    manifest = StoredManifest.from_row(row)
    blobs = [replace(blob, location=where(blob)) for blob in manifest.blobs]
    old = split_bytes("Blobs", manifest.packed_blobs)
    columns = {name: value for name, value in row.values.items() if name not in old}
    columns |= split_bytes("Blobs", packed(blobs))
    if manifest.location is not None:
        own = next(blob.location for blob in blobs if blob.digest == manifest.digest)
        columns["Location"] = str(own)
    return columns


def listed_referrer_columns(row: Row, content: bytes) -> dict[str, Any]:
    """What `s:` says of a referrer, from its `m:` and its bytes."""
    try:
        return referrer_columns(Manifest.parse(content, row.text("MediaType")))
    except ManifestInvalid:  # An earlier release has taken it.
        return {
            "MediaType": row.text("MediaType"),
            "Size": tables.int64(row.number("Size")),
            "ArtifactType": row.text("ArtifactType"),
            "AnnotationsInManifest": True,
        }


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


def deleted_manifest_columns(row_columns: Mapping[str, Any], tags: Iterable[Tag]) -> dict[str, Any]:
    """For `DM:`: the tags that went in the transaction of their manifest.

    And, with the columns of a row `m:`, all else that a listing of what was deleted shows.
    """
    kinds = ("MediaType", "ConfigMediaType", "Os", "Architecture")
    shown = (*kinds, "Created", "Updated", *ATTRIBUTES)
    return {
        "ImageSize": tables.int64(int(row_columns.get("ImageSize", 0))),
        "Tags": " ".join(map(str, tags)),
        **{column: row_columns[column] for column in shown if column in row_columns},
    }


def deleted_tag_columns(tag: StoredTag, *, along: bool) -> dict[str, Any]:
    """For `d:`: what is needed to restore a tag. `along` says that it went with its manifest."""
    return {
        "MediaType": tag.media_type,
        "Size": tables.int64(tag.size),
        "Created": tables.time_value(tag.created),
        "Updated": tables.time_value(tag.updated),
        "Along": along,
        **tag.attributes.columns,
    }


def restored_tag_columns(row: Row, digest: Digest) -> dict[str, Any]:
    """What `t:` has again of a tag, from its row `d:`; but for its state and `Stamp`."""
    kept = ("MediaType", "Created", "Updated", *ATTRIBUTES)
    return {
        "Digest": str(digest),
        "Size": tables.int64(row.number("Size")),
        **{column: row.values[column] for column in kept if column in row.values},
    }


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
