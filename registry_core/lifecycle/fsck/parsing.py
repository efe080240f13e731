"""Whether rows can be read, and whether a manifest is what its row says: pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from registry_core.blobs import rows as blob_rows
from registry_core.errors import DigestInvalid, NameInvalid, TagInvalid
from registry_core.model.attributes import COLUMNS as ATTRIBUTES
from registry_core.model.digest import Digest
from registry_core.model.invariants import Finding, Invariant
from registry_core.model.manifest import References
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.rows import State, StoredManifest, StoredTag, state_of
from registry_core.storage import keys
from registry_core.storage.tables import Row

UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    zlib.error,
    DigestInvalid,
    NameInvalid,
    TagInvalid,
)
"""What reading something raises that is not as it was written."""


def why_unreadable(row: Row) -> str:
    """Why a row of a repository cannot be read; empty if it can."""
    try:
        _read(row)
    except UNREADABLE as error:
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def _read(row: Row) -> None:
    key, state = row.key, state_of(row)
    if key in rows.MANIFESTS:
        Digest.parse(rows.MANIFESTS.rest(key))
        if state is not State.GONE:
            manifest = StoredManifest.from_row(row)
            row.time("Created")
            _blobs_of(manifest)
    elif key in rows.TAGS:
        Tag.parse(rows.TAGS.rest(key))
        if state is State.LIVE:
            Digest.parse(str(StoredTag.from_row(row).digest))
    elif key in rows.TAG_TIMES or key in rows.MANIFEST_TIMES:
        rows.time_in(key)
        rows.name_in(key)
    elif key in rows.DELETED_MANIFEST_TIMES:
        rows.deletion_time(key)
        Digest.parse(str(rows.last_digest(key)))
    elif key in rows.DELETED_TAG_TIMES or key in rows.DELETED_TAGS:
        Tag.parse(str(rows.DeletedTag.parse(key).tag))
    elif key == rows.REPOSITORY and state is State.LIVE:
        row.time("Created")
    _check_attributes(row.values)


def _blobs_of(manifest: StoredManifest) -> None:
    for blob in manifest.blobs:
        Digest.parse(str(blob.digest))


def _check_attributes(values: Mapping[str, Any]) -> None:
    for column in ATTRIBUTES:
        if not isinstance(values.get(column, True), bool):
            raise TypeError(f"{column} is neither true nor false")


def why_unreadable_blob(row: Row) -> str:
    """Why a row of a digest cannot be read; empty if it can."""
    key = row.key
    try:
        if key == blob_rows.BLOB or key.startswith(blob_rows.LINKS):
            blob_rows.Link.from_row(row)
        if key.startswith(blob_rows.LINKS):
            _check_name(blob_rows.linked(key))
        elif key.startswith(blob_rows.NEEDS):
            repository, manifest = blob_rows.needed_by(key)
            _check_name(repository)
            Digest.parse(str(manifest))
        elif key.startswith(blob_rows.DOOMED):
            blob_rows.doomed_location(key)
    except UNREADABLE as error:
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def _check_name(name: RepositoryName) -> None:
    RepositoryName.parse(name.text)


def name_of(partition: str) -> RepositoryName:
    """The repository of a partition. Raises `NameInvalid`."""
    return RepositoryName.parse(keys.decode(partition))


def check_content(manifest: StoredManifest, content: bytes) -> Iterator[Finding]:
    """Whether a manifest is what its digest says, and its row says the same of it."""

    def broken(text: str) -> Finding:
        return Finding(Invariant.MANIFEST, rows.manifest_key(manifest.digest), text)

    digest = manifest.digest
    if Digest.of(content, digest.algorithm) != digest:
        yield broken("its bytes have another digest")
        return
    if len(content) != manifest.size:
        yield broken(f"it has {len(content)} bytes, and its row says {manifest.size}")
    if not _is_object(content):
        yield broken("it is not a JSON object")
        return
    refers = References.read(content)
    named = {blob.digest for blob in manifest.blobs}
    for blob in refers.blobs:
        if blob not in named:
            yield broken(f"it needs {blob}, and its row does not say so")
    if refers.subject != manifest.subject:
        yield broken("its row names another subject")


def _is_object(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except (ValueError, RecursionError):
        return False
