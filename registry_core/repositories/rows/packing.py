"""Values too large for one column: the bytes of a manifest, and the blobs that it needs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from registry_core.model.digest import Digest
from registry_core.repositories.rows.keys import parse_digest
from registry_core.storage.objects import Location

INLINE_BYTES = 512 * 1024
"""Manifests up to this size lie in their row; larger ones are blobs."""
PROPERTY_BYTES = 64 * 1024
"""The most bytes that one column holds."""
MAX_BLOBS_BYTES = 384 * 1024
"""Room for the blobs of a manifest, which names 2,000 at most. A row holds 1 MiB in all."""


@dataclass(frozen=True)
class StoredBlob:
    """A blob that a manifest needs, as the manifest's row names it."""

    digest: Digest
    size: int
    location: Location | None
    """None where the repository does not have it: a layer that need not be pushed."""


def packed(blobs: Iterable[StoredBlob]) -> bytes:
    """Digest, size and location of each blob, as JSON, compressed: locations are much alike."""
    document = [
        [str(blob.digest), blob.size, str(blob.location) if blob.location else ""] for blob in blobs
    ]
    found = zlib.compress(json.dumps(document, separators=(",", ":")).encode())
    if len(found) > MAX_BLOBS_BYTES:
        raise ValueError(f"the blobs of a manifest take {len(found)} bytes")
    return found


def unpacked(packed: bytes) -> tuple[StoredBlob, ...]:
    """The blobs that `packed` was given."""
    if not packed:
        return ()
    return tuple(
        StoredBlob(parse_digest(digest), size, Location.parse(location) if location else None)
        for digest, size, location in json.loads(zlib.decompress(packed))
    )


def split_bytes(name: str, content: bytes) -> dict[str, bytes]:
    """Bytes in as many columns as they need, `name` and a number each."""
    starts = range(0, len(content), PROPERTY_BYTES)
    return {f"{name}{i}": content[s : s + PROPERTY_BYTES] for i, s in enumerate(starts)}


def join_bytes(name: str, values: Mapping[str, Any]) -> bytes:
    """The bytes that `split_bytes` was given; none where the columns were not read."""
    count = max(INLINE_BYTES, MAX_BLOBS_BYTES) // PROPERTY_BYTES
    return b"".join(values.get(f"{name}{i}", b"") for i in range(count))
