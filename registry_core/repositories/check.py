"""What must be true of the rows of a repository, whatever happened at once: pure.

A finding is broken where a client could see something wrong, lose something, or be refused for no
reason. Otherwise it is garbage: something was begun and not ended, and nobody can see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property

from registry_core.blobs import rows as blob_rows
from registry_core.blobs.check import check_links
from registry_core.model.attributes import Attributes
from registry_core.model.digest import Digest
from registry_core.model.invariants import Finding, Invariant
from registry_core.model.manifest import References
from registry_core.model.names import RepositoryName
from registry_core.repositories import plan, rows
from registry_core.repositories.rows import (
    DeletedTag,
    State,
    StoredBlob,
    StoredManifest,
    StoredTag,
    is_live,
    state_of,
)
from registry_core.storage.tables import Row


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
    refers: Mapping[Digest, References] = field(default_factory=dict)
    """What manifests refer to whose bytes were read before, and are not kept."""
    is_listed_as_deleted: bool | None = None
    """Whether it is among the repositories with something deleted softly; None if unknown."""

    @cached_property
    def manifests(self) -> dict[Digest, StoredManifest]:
        """The live manifests."""
        found = (StoredManifest.from_row(row) for row in self._live(rows.MANIFESTS))
        return {each.digest: each for each in found}

    @cached_property
    def kept(self) -> dict[Digest, StoredManifest]:
        """The live manifests, and those that can be restored: they need what they need."""
        found = (
            StoredManifest.from_row(row)
            for key, row in self.present.items()
            if key in rows.MANIFESTS and state_of(row) is not State.GONE
        )
        return {each.digest: each for each in found}

    @property
    def restorable(self) -> dict[Digest, StoredManifest]:
        """The manifests that can be restored."""
        return {digest: each for digest, each in self.kept.items() if each.deleted}

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
        if manifest.digest in self.refers:
            return self.refers[manifest.digest]
        content = manifest.content or self.contents.get(manifest.digest, b"")
        return References.read(content)


def check(found: Snapshot) -> list[Finding]:
    """Every finding; none if all is in order."""
    return [*check_rows(found), *_needs(found)]


def check_rows(found: Snapshot) -> list[Finding]:
    """The findings that concern no blob."""
    return [
        *_repository(found),
        *_tags(found),
        *_manifests(found),
        *_references(found),
        *_deleted(found),
    ]


def _repository(found: Snapshot) -> Iterator[Finding]:
    row = found.present.get(rows.REPOSITORY)
    exists, holds = is_live(row), bool(found.manifests)
    if holds and not exists:
        yield Finding(Invariant.REPOSITORY, rows.REPOSITORY, "it holds manifests and is not there")
    if exists and not holds and plan.may_go(row):
        yield Finding(Invariant.REPOSITORY, rows.REPOSITORY, "it holds nothing", is_broken=False)
    if exists and not found.is_listed:
        yield Finding(Invariant.CATALOG, rows.REPOSITORY, "it is not in the catalog")
    if found.is_listed and not exists:
        text = "it is in the catalog and not there"
        yield Finding(Invariant.CATALOG, rows.REPOSITORY, text, is_broken=False)
    is_open = plan.has_guards(row)
    for guard in rows.GUARDS:
        if (guard in found.present) is not is_open:
            text = "the guard is missing" if is_open else "the guard is there"
            yield Finding(Invariant.GUARDS, guard, text)
    if exists is not (rows.LAST_UPDATE in found.present):
        text = "it is missing" if exists else "it is of a repository that is not there"
        yield Finding(Invariant.LAST_UPDATE, rows.LAST_UPDATE, text)


def _tags(found: Snapshot) -> Iterator[Finding]:
    for tag in found.tags:
        if tag.digest not in found.manifests:
            text = f"it points at {tag.digest}, which is not there"
            yield Finding(Invariant.TAG, rows.tag_key(tag.tag), text)
    yield from _differences(
        Invariant.TAG_ROWS,
        found.keys(rows.MANIFEST_TAGS),
        {rows.manifest_tag(tag.digest, tag.tag) for tag in found.tags},
    )
    by_time = {rows.tag_time(tag.updated, tag.tag): tag for tag in found.tags}
    yield from _differences(Invariant.TAG_ROWS, found.keys(rows.TAG_TIMES), by_time.keys())
    for key, tag in by_time.items():
        yield from _shown(Invariant.TAG_ROWS, found, key, tag.attributes)
        row = found.present.get(key)
        if row and row.text("Digest") != str(tag.digest):
            yield Finding(Invariant.TAG_ROWS, key, "it shows another digest than its tag has")


def _manifests(found: Snapshot) -> Iterator[Finding]:
    by_time = {
        rows.manifest_time(manifest.updated, digest): manifest
        for digest, manifest in found.manifests.items()
    }
    invariant = Invariant.MANIFEST_ROWS
    yield from _differences(invariant, found.keys(rows.MANIFEST_TIMES), by_time.keys())
    for key, manifest in by_time.items():
        yield from _shown(invariant, found, key, manifest.attributes)


def _shown(
    invariant: Invariant, found: Snapshot, key: str, attributes: Attributes
) -> Iterator[Finding]:
    row = found.present.get(key)
    if row and Attributes.from_row(row.values) != attributes:
        yield Finding(invariant, key, "it shows other attributes than its source has")


def _references(found: Snapshot) -> Iterator[Finding]:
    children = {
        rows.child(child, digest)
        for digest, manifest in found.kept.items()
        for child in found.references(manifest).children
    }
    referrers = {
        rows.referrer(manifest.subject, digest)
        for digest, manifest in found.manifests.items()
        if manifest.subject
    }
    yield from _differences(Invariant.REFERRERS, found.keys(rows.REFERRERS), referrers)
    present = found.keys(rows.CHILDREN)
    for key in sorted(children - present):
        yield Finding(Invariant.CHILDREN, key, "missing: the child does not know its index")
    for key in sorted(present - children):
        is_hint = rows.last_digest(key) not in found.kept
        text = "surplus: the index has gone, or holds no such child"
        yield Finding(Invariant.CHILDREN, key, text, not is_hint)


def _needs(found: Snapshot) -> Iterator[Finding]:
    for digest, manifest in found.kept.items():
        for blob in manifest.blobs:
            present = found.blobs.get(blob.digest, {})
            yield from check_need(found.name, digest, blob, present)
    link = blob_rows.link(found.name)
    for of_blob, present in found.blobs.items():
        if link in present:
            yield from check_links(str(of_blob), present)


def check_need(
    name: RepositoryName, manifest: Digest, blob: StoredBlob, present: Mapping[str, Row]
) -> Iterator[Finding]:
    """That a manifest has a blob that its row names. `present` are the blob's rows."""
    digest, link = str(blob.digest), blob_rows.link(name)
    needed = present.get(key := blob_rows.requirement(name, manifest))
    if needed is None or needed.values.get(blob_rows.RELEASED):
        text = f"collection may take it from {manifest}"
        yield Finding(Invariant.NEEDS, key, text, digest=digest)
    if blob.location is None:
        return
    if link not in present:
        text = f"it is not linked, and {manifest} needs it"
        yield Finding(Invariant.LINKS, link, text, digest=digest)
    content = present.get(blob_rows.BLOB)
    if content is not None and content.text("Location") != str(blob.location):
        text = f"{digest} does not lie where the manifest's row says"
        yield Finding(Invariant.LOCATIONS, rows.manifest_key(manifest), text)


def _deleted(found: Snapshot) -> Iterator[Finding]:
    """What was deleted softly, and what lists it."""
    expected = {
        rows.deleted_manifest(manifest.deleted, digest)
        for digest, manifest in found.restorable.items()
        if manifest.deleted
    }
    by_time = found.keys(rows.DELETED_MANIFEST_TIMES)
    yield from _differences(Invariant.DELETED, by_time, expected)
    tags = {DeletedTag.parse(key) for key in found.keys(rows.DELETED_TAGS)}
    tag_times = found.keys(rows.DELETED_TAG_TIMES)
    yield from _differences(Invariant.DELETED, tag_times, {tag.by_time for tag in tags})
    for tag in tags:
        if tag.digest not in found.kept:
            text = f"{tag.digest}, which it was a tag of, is gone for good"
            yield Finding(Invariant.DELETED, tag.key, text, is_broken=False)
    if found.is_listed_as_deleted is False and (by_time or tag_times):
        yield Finding(
            Invariant.DELETED,
            rows.REPOSITORY,
            "something was deleted in it, and it is not listed so",
        )
    if rows.REMEMBERED in found.present and not (by_time or tag_times):
        yield Finding(
            Invariant.DELETED, rows.REMEMBERED, "nothing can be restored in it", is_broken=False
        )


def _differences(
    invariant: Invariant, present: AbstractSet[str], expected: AbstractSet[str]
) -> Iterator[Finding]:
    for key in sorted(expected - present):
        yield Finding(invariant, key, "missing")
    for key in sorted(present - expected):
        yield Finding(invariant, key, "surplus")
