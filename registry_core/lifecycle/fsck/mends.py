"""What makes right what is wrong with the rows of a repository: pure.

Each change has its condition. A row that is missing is made together with a change of the row that
it follows from, on its version. One that is surplus goes on its own version: whoever writes it
anew meanwhile has changed that. Nothing goes because another row is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from registry_core.blobs import rows as blob_rows
from registry_core.errors import ManifestInvalid
from registry_core.lifecycle.fsck.report import Place
from registry_core.lifecycle.fsck.repository import Few
from registry_core.model.attributes import Attributes
from registry_core.model.invariants import Finding, Invariant
from registry_core.model.manifest import Manifest
from registry_core.repositories import catalog, rows
from registry_core.repositories.rows import StoredManifest, StoredTag
from registry_core.storage import tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row, RowChange


@dataclass(frozen=True)
class Mend:
    """Changes of one partition, all or none."""

    place: Place
    partition: str
    changes: list[RowChange]


def mend(few: Few, finding: Finding, now: datetime) -> Mend | None:
    """What mends a finding, from the rows in which it was found; None if nothing does."""
    changes = _MENDS[finding.invariant](few, finding.key, tables.time_value(now))
    if finding.invariant is Invariant.CATALOG:
        return Mend(Place.CATALOG, catalog.PARTITION, changes) if changes else None
    if finding.digest:
        return Mend(Place.BLOBS, finding.digest, changes) if changes else None
    partition = rows.partition(few.repository)
    return Mend(Place.REPOSITORIES, partition, changes) if changes else None


def _touch(row: Row, now: str) -> RowChange:
    return tables.merge(row.key, row.etag, Touched=now)


def _live(few: Few, range_: rows.Range) -> Iterable[Row]:
    return (row for key, row in few.readable.items() if key in range_ and rows.is_live(row))


# The repository itself.


def _repository(few: Few, _: str, now: str) -> list[RowChange]:
    """The row is made again from a manifest, without the locks that it may have had."""
    held = next(iter(_live(few, rows.MANIFESTS)))
    columns = {
        rows.LIVE: True,
        "Created": held.text("Created"),
        "Stamp": held.text("Stamp"),
    }
    known = few.rows.get(rows.REPOSITORY)
    made = (
        tables.replace(rows.REPOSITORY, known.etag, **columns)
        if known
        else tables.insert(rows.REPOSITORY, **columns)
    )
    return [made, _touch(held, now)]


def _own_row(few: Few, key: str, columns: Mapping[str, str], now: str) -> list[RowChange]:
    """A guard, or the last update: it is missing, or surplus."""
    row, repository = few.rows.get(key), rows.live(few.rows.get(rows.REPOSITORY))
    touched = [_touch(repository, now)] if repository else []
    if row is None:
        return [tables.insert(key, **columns), *touched] if repository else []
    return [tables.delete(key, row.etag), *touched]


def _guard(few: Few, key: str, now: str) -> list[RowChange]:
    return _own_row(few, key, {"Used": now}, now)


def _last_update(few: Few, key: str, now: str) -> list[RowChange]:
    times = [tables.time_value(rows.time_in(key)) for key in few.latest]
    return _own_row(few, key, {"Updated": max(times, default=now)}, now)


def _entry(few: Few, _: str, now: str) -> list[RowChange]:
    """One that no repository has any more, because it went meanwhile, is garbage."""
    repository = few.readable[rows.REPOSITORY]
    shown = {catalog.HIDDEN_BY: Attributes.from_row(repository.values).list_enabled}
    if few.entry:
        return [tables.merge(few.entry.key, few.entry.etag, **shown)]
    return [tables.insert(catalog.entry_key(few.repository), **shown, Pushed=now)]


# What lists tags and manifests.


def _index_row(
    few: Few, key: str, source: Row | None, columns: Mapping[str, object], now: str
) -> list[RowChange]:
    """A row that follows from another: missing, or other than it; surplus without a source."""
    row = few.rows.get(key)
    if source is None:
        return [tables.delete(key, row.etag)] if row else []
    if row is None:
        return [tables.insert(key, **columns), _touch(source, now)]
    return [tables.replace(key, row.etag, **columns), _touch(source, now)]


def _tag_row(few: Few, key: str, now: str) -> list[RowChange]:
    for source in _live(few, rows.TAGS):
        tag = StoredTag.from_row(source)
        if key == rows.tag_time(tag.updated, tag.tag):
            columns = rows.tag_time_columns(tag.digest, source.values)
            return _index_row(few, key, source, columns, now)
        if key == rows.manifest_tag(tag.digest, tag.tag):
            columns = {"Updated": source.text("Updated")}
            return _index_row(few, key, source, columns, now)
    return _index_row(few, key, None, {}, now)


def _manifest_row(few: Few, key: str, now: str) -> list[RowChange]:
    for source in _live(few, rows.MANIFESTS):
        manifest = StoredManifest.from_row(source)
        if key == rows.manifest_time(manifest.updated, manifest.digest):
            columns = rows.listed_manifest_columns(source, {})
            return _index_row(few, key, source, columns, now)
    return _index_row(few, key, None, {}, now)


def _referrer(few: Few, key: str, now: str) -> list[RowChange]:
    for source in _live(few, rows.MANIFESTS):
        stored = StoredManifest.from_row(source)
        if stored.subject and key == rows.referrer(stored.subject, stored.digest):
            content = few.contents.get(stored.digest, stored.content or b"")
            try:
                manifest = Manifest.parse(content, stored.media_type, stored.digest.algorithm)
            except ManifestInvalid:  # An earlier release took it.
                return []
            return _index_row(few, key, source, rows.referrer_columns(manifest), now)
    return _index_row(few, key, None, {}, now)


def _child(few: Few, key: str, now: str) -> list[RowChange]:
    """Of an index that is there; what names another is garbage."""
    parent = few.readable.get(rows.manifest_key(rows.last_digest(key)))
    row = few.rows.get(key)
    if parent is None:
        return []
    made = tables.delete(key, row.etag) if row else tables.insert(key)
    return [made, _touch(parent, now)]


def _location(few: Few, key: str, _: str) -> list[RowChange]:
    """The row of a manifest says where its blob lies, as the row of the blob does."""
    source, content = few.readable.get(key), few.blob.get(blob_rows.BLOB)
    if source is None or content is None:
        return []
    link = blob_rows.Link.from_row(content)
    columns = rows.moved_blob(source, few.digest, link.location) if few.digest else {}
    return [tables.merge(key, source.etag, **columns)]


# What manifests need.


def _need(few: Few, key: str, now: str) -> list[RowChange]:
    """As a push protects a blob. If the manifest went meanwhile, collection takes it."""
    changes, link = [tables.upsert(key)], blob_rows.link(few.repository)
    if link in few.blob:
        changes.append(tables.merge(link, Touched=now, **{blob_rows.GOING: ""}))
    return changes


def _link(few: Few, key: str, now: str) -> list[RowChange]:
    """As a mount does: on the condition that the blob lies there."""
    content = few.blob.get(blob_rows.BLOB)
    if content is None:
        return []
    link = blob_rows.Link.from_row(content)
    return [
        tables.insert(key, **link.columns, Created=now),
        tables.merge(content.key, content.etag, Touched=now),
    ]


def _nothing(_: Few, __: str, ___: str) -> list[RowChange]:
    return []


_MENDS: Mapping[Invariant, Callable[[Few, str, str], list[RowChange]]] = {
    **dict.fromkeys(Invariant, _nothing),
    Invariant.REPOSITORY: _repository,
    Invariant.GUARDS: _guard,
    Invariant.LAST_UPDATE: _last_update,
    Invariant.CATALOG: _entry,
    Invariant.TAG_ROWS: _tag_row,
    Invariant.MANIFEST_ROWS: _manifest_row,
    Invariant.REFERRERS: _referrer,
    Invariant.CHILDREN: _child,
    Invariant.LOCATIONS: _location,
    Invariant.NEEDS: _need,
    Invariant.LINKS: _link,
}


def needed_location(few: Few) -> list[Location]:
    """Where a manifest says that the blob lies that it needs."""
    found = []
    for key, row in few.readable.items():
        if key in rows.MANIFESTS and rows.state_of(row) is not rows.State.GONE:
            blobs = StoredManifest.from_row(row).blobs
            found += [b.location for b in blobs if b.digest == few.digest and b.location]
    return found
