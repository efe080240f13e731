"""Which columns are read for what."""

from __future__ import annotations

from registry_core.model.attributes import COLUMNS as ATTRIBUTES
from registry_core.repositories.rows.packing import INLINE_BYTES, MAX_BLOBS_BYTES, PROPERTY_BYTES
from registry_core.repositories.rows.states import DELETED, GONE, LIVE

MANIFEST_FACTS = (
    LIVE,
    GONE,
    DELETED,
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
    *(f"Blobs{number}" for number in range(MAX_BLOBS_BYTES // PROPERTY_BYTES)),
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
    *(f"Bytes{number}" for number in range(INLINE_BYTES // PROPERTY_BYTES)),
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

COUNTED_MANIFEST_FACTS = (
    LIVE,
    GONE,
    "Size",
    "Location",
    *(f"Blobs{part}" for part in range(MAX_BLOBS_BYTES // PROPERTY_BYTES)),
)
"""The columns of `m:` that its usage of storage is counted from."""

TAG_FACTS = (LIVE, "Digest", "MediaType", "Size", "Created", "Updated", "Stamp", *ATTRIBUTES)
"""The columns of `t:`, all of them but for tombstones."""
