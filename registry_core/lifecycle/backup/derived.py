"""The rows of a repository that follow from others, made from these: pure.

A bundle is a source with the rows that are written with it, in one transaction: whoever finds the
source finds them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from registry_core.model.digest import Digest
from registry_core.model.manifest import References
from registry_core.repositories import plan, rows
from registry_core.repositories.rows import StoredBlob, StoredManifest, StoredTag, is_live
from registry_core.storage import tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row, RowChange

MAX_BYTES = 2 * 1024 * 1024
"""About how much one transaction carries: storage takes 4 MiB, in which bytes take more room."""


@dataclass(frozen=True)
class Bundle:
    """Rows that are written together, or not at all where the first of them is there."""

    changes: Sequence[RowChange]

    @property
    def key(self) -> str:
        """The key of the source."""
        return self.changes[0].key

    @property
    def size(self) -> int:
        """About how many bytes of a transaction they take."""
        return sum(
            500 + sum(len(value) * 4 // 3 for value in change.values.values() if _is_long(value))
            for change in self.changes
        )


def _is_long(value: object) -> bool:
    return isinstance(value, bytes | str)


def bundles(
    found: Iterable[Row],
    where: Callable[[StoredBlob], Location | None],
    contents: Mapping[Digest, bytes],
) -> list[Bundle]:
    """All rows of a repository, in the order in which they are to be written.

    A tag comes after its manifest. `where` says where a blob lies, and `contents` has the bytes of
    the manifests that do not lie in their rows.
    """
    by_key = {row.key: row for row in found}
    own = [rows.REPOSITORY, rows.LAST_UPDATE]
    manifests = [row for row in by_key.values() if row.key in rows.MANIFESTS]
    tags = [row for row in by_key.values() if row.key in rows.TAGS]
    known = {*own, *(row.key for row in (*manifests, *tags))}
    return [
        *_repository(by_key),
        *(each for row in manifests for each in _manifest(row, where, contents)),
        *(Bundle([tables.insert(key, **by_key[key].values)]) for key in by_key if key not in known),
        *map(_tag, tags),
    ]


def _repository(found: Mapping[str, Row]) -> Iterator[Bundle]:
    row, updated = found.get(rows.REPOSITORY), found.get(rows.LAST_UPDATE)
    if row is None:
        return
    changes = [tables.insert(row.key, **row.values)]
    if plan.has_guards(row):
        changes += [tables.upsert(guard) for guard in rows.GUARDS]
    if updated is not None:
        changes.append(tables.upsert(updated.key, **updated.values))
    yield Bundle(changes)


def _manifest(
    row: Row,
    where: Callable[[StoredBlob], Location | None],
    contents: Mapping[Digest, bytes],
) -> Iterator[Bundle]:
    stored = StoredManifest.from_row(row)
    content = stored.content or contents.get(stored.digest, b"")
    # Before the index itself, as a push does: they are only hints.
    for child in References.read(content).children:
        yield Bundle([tables.insert(rows.child(child, stored.digest))])
    changes = [tables.insert(row.key, **rows.relocated(row, where))]
    if is_live(row):
        by_time = rows.manifest_time(stored.updated, stored.digest)
        changes.append(tables.upsert(by_time, **rows.listed_manifest_columns(row, {})))
        if stored.subject:
            referrer = rows.referrer(stored.subject, stored.digest)
            columns = rows.listed_referrer_columns(row, content)
            changes.append(tables.upsert(referrer, **columns))
    yield Bundle(changes)


def _tag(row: Row) -> Bundle:
    changes = [tables.insert(row.key, **row.values)]
    if is_live(row):
        tag = StoredTag.from_row(row)
        by_time = rows.tag_time(tag.updated, tag.tag)
        updated = tables.time_value(tag.updated)
        changes += [
            tables.upsert(rows.manifest_tag(tag.digest, tag.tag), Updated=updated),
            tables.upsert(by_time, **rows.tag_time_columns(tag.digest, row.values)),
        ]
    return Bundle(changes)


def packed(some: Iterable[Bundle]) -> Iterator[list[Bundle]]:
    """Bundles in parts that one transaction takes, in order."""
    part, count, size = list[Bundle](), 0, 0
    for bundle in some:
        is_full = count + len(bundle.changes) > tables.MAX_TRANSACTION_ROWS
        if part and (is_full or size + bundle.size > MAX_BYTES):
            yield part
            part, count, size = [], 0, 0
        part.append(bundle)
        count, size = count + len(bundle.changes), size + bundle.size
    if part:
        yield part
