"""What must be true of the rows of a repository, whatever happened at once: pure.

A finding is broken where a client could see something wrong, lose something, or be refused for no
reason. Otherwise it is garbage: something was begun and not ended, and nobody can see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from registry_core.blobs import rows as blob_rows
from registry_core.model.attributes import Attributes
from registry_core.model.digest import Digest
from registry_core.model.manifest import References
from registry_core.model.names import RepositoryName
from registry_core.repositories import plan, rows
from registry_core.repositories.rows import (
    DeletedTag,
    State,
    StoredManifest,
    StoredTag,
    is_live,
    state_of,
)
from registry_core.storage.tables import Row


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be."""

    key: str
    """The row that is wrong, missing or surplus."""
    text: str
    is_broken: bool = True
    """Else it is garbage."""


@dataclass(frozen=True)
class Snapshot:
    """The rows of a repository at one moment."""

    name: RepositoryName
    present: Mapping[str, Row]
    is_listed: bool
    """Whether it has an entry in the catalog."""
    blobs: Mapping[Digest, Mapping[str, Row]]
    """Of the blobs that its manifests need: `blob`, and this repository's `l:` and `r:`."""
    contents: Mapping[Digest, bytes]
    """The bytes of manifests that lie elsewhere than in their rows."""
    is_listed_as_deleted: bool | None = None
    """Whether it is among the repositories with something deleted softly; None if unknown."""

    @cached_property
    def manifests(self) -> dict[Digest, StoredManifest]:
        """The live manifests."""
        found = (StoredManifest.from_row(row) for row in self._live(rows.MANIFESTS))
        return {each.digest: each for each in found}

    @cached_property
    def restorable(self) -> dict[Digest, StoredManifest]:
        """The manifests that can be restored."""
        found = (
            StoredManifest.from_row(row)
            for key, row in self.present.items()
            if key in rows.MANIFESTS and state_of(row) is State.RESTORABLE
        )
        return {each.digest: each for each in found}

    @property
    def kept(self) -> dict[Digest, StoredManifest]:
        """The manifests of which all that they need must be there."""
        return {**self.manifests, **self.restorable}

    @cached_property
    def tags(self) -> list[StoredTag]:
        """The live tags."""
        return [StoredTag.from_row(row) for row in self._live(rows.TAGS)]

    def _live(self, range_: rows.Range) -> list[Row]:
        return [row for key, row in self.present.items() if is_live(row) and key in range_]

    def keys(self, range_: rows.Range) -> set[str]:
        """The keys of one kind of row."""
        return {key for key in self.present if key in range_}

    def references(self, manifest: StoredManifest) -> References:
        """What a manifest refers to."""
        content = manifest.content or self.contents.get(manifest.digest, b"")
        return References.read(content)


def check(found: Snapshot) -> list[Finding]:
    """Every finding; none if all is in order."""
    return [
        *_repository(found),
        *_tags(found),
        *_manifests(found),
        *_references(found),
        *_needs(found),
        *_deleted(found),
    ]


def _repository(found: Snapshot) -> Iterator[Finding]:
    row = found.present.get(rows.REPOSITORY)
    exists, holds = is_live(row), bool(found.manifests)
    if holds and not exists:
        yield Finding(rows.REPOSITORY, "it holds manifests and is not there")
    if exists and not holds and plan.may_go(row):
        yield Finding(rows.REPOSITORY, "it holds nothing", is_broken=False)
    if exists and not found.is_listed:
        yield Finding(rows.REPOSITORY, "it is not in the catalog")
    if found.is_listed and not exists:
        yield Finding(rows.REPOSITORY, "it is in the catalog and not there", is_broken=False)
    is_open = plan.has_guards(row)
    for guard in rows.GUARDS:
        if (guard in found.present) is not is_open:
            yield Finding(guard, "the guard is there" if not is_open else "the guard is missing")
    if exists is not (rows.LAST_UPDATE in found.present):
        yield Finding(rows.LAST_UPDATE, "it is missing, or of a repository that is not there")


def _tags(found: Snapshot) -> Iterator[Finding]:
    for tag in found.tags:
        if tag.digest not in found.manifests:
            yield Finding(rows.tag_key(tag.tag), f"it points at {tag.digest}, which is not there")
    yield from _differences(
        found.keys(rows.MANIFEST_TAGS),
        {rows.manifest_tag(tag.digest, tag.tag) for tag in found.tags},
    )
    yield from _differences(
        found.keys(rows.TAG_TIMES), {rows.tag_time(tag.updated, tag.tag) for tag in found.tags}
    )
    for tag in found.tags:
        yield from _shown_attributes(found, rows.tag_time(tag.updated, tag.tag), tag.attributes)


def _manifests(found: Snapshot) -> Iterator[Finding]:
    expected = {
        rows.manifest_time(manifest.updated, digest): manifest
        for digest, manifest in found.manifests.items()
    }
    yield from _differences(found.keys(rows.MANIFEST_TIMES), set(expected))
    for key, manifest in expected.items():
        yield from _shown_attributes(found, key, manifest.attributes)


def _shown_attributes(found: Snapshot, key: str, attributes: Attributes) -> Iterator[Finding]:
    row = found.present.get(key)
    if row and Attributes.from_row(row.values) != attributes:
        yield Finding(key, "it shows other attributes than its source has")


def _references(found: Snapshot) -> Iterator[Finding]:
    children, referrers = set(), set()
    for digest, manifest in found.kept.items():
        children |= {rows.child(child, digest) for child in found.references(manifest).children}
        if manifest.subject and digest in found.manifests:
            referrers.add(rows.referrer(manifest.subject, digest))
    yield from _differences(found.keys(rows.REFERRERS), referrers)
    present = found.keys(rows.CHILDREN)
    for key in sorted(children - present):
        yield Finding(key, "missing: the child does not know its index")
    for key in sorted(present - children):
        is_hint = rows.last_digest(key) not in found.kept
        yield Finding(key, "surplus: the index has gone, or holds no such child", not is_hint)


def _needs(found: Snapshot) -> Iterator[Finding]:
    link = blob_rows.link(found.name)
    for digest, manifest in found.kept.items():
        for blob in manifest.blobs:
            present = found.blobs.get(blob.digest, {})
            needed = present.get(blob_rows.requirement(found.name, digest))
            if needed is None or needed.values.get(blob_rows.RELEASED):
                yield Finding(str(blob.digest), f"collection may take it from {digest}")
            if blob.location is not None and link not in present:
                yield Finding(str(blob.digest), f"it is not linked, and {digest} needs it")
    for digest, present in found.blobs.items():
        if link not in present:
            continue
        linked = present[link]
        if blob_rows.BLOB not in present:
            yield Finding(str(digest), "it is linked, and there is no such blob")
        elif linked.text("Location") != present[blob_rows.BLOB].text("Location"):
            yield Finding(str(digest), "its link leads elsewhere than its row")
        elif blob_rows.marker(blob_rows.Link.from_row(linked).location) not in present:
            yield Finding(str(digest), "its marker is missing")


def _deleted(found: Snapshot) -> Iterator[Finding]:
    """What was deleted softly, and what lists it."""
    expected = {
        rows.deleted_manifest(manifest.deleted, digest)
        for digest, manifest in found.restorable.items()
        if manifest.deleted
    }
    by_time = found.keys(rows.DELETED_MANIFEST_TIMES)
    yield from _differences(by_time, expected)
    tags = {DeletedTag.parse(key) for key in found.keys(rows.DELETED_TAGS)}
    tag_times = found.keys(rows.DELETED_TAG_TIMES)
    yield from _differences(tag_times, {tag.by_time for tag in tags})
    for tag in tags:
        if tag.digest not in found.kept:
            text = f"{tag.digest}, which it was a tag of, is gone for good"
            yield Finding(tag.key, text, is_broken=False)
    if found.is_listed_as_deleted is False and (by_time or tag_times):
        yield Finding(rows.REPOSITORY, "something was deleted in it, and it is not listed so")
    if rows.REMEMBERED in found.present and not (by_time or tag_times):
        yield Finding(rows.REMEMBERED, "nothing can be restored in it", is_broken=False)


def _differences(present: set[str], expected: set[str]) -> Iterator[Finding]:
    for key in sorted(expected - present):
        yield Finding(key, "missing")
    for key in sorted(present - expected):
        yield Finding(key, "surplus")
