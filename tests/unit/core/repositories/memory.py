"""Rows in memory, with the conditions of entity group transactions: what plans are applied to."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from registry_core.blobs import rows as blob_rows
from registry_core.errors import DisallowedOperation, ManifestUnknown
from registry_core.model.attributes import Use
from registry_core.model.change import Origin, Push, Restore, SetAttributes
from registry_core.model.digest import Digest
from registry_core.model.invariants import Finding
from registry_core.model.manifest import Descriptor, Manifest, Platform
from registry_core.model.media_types import OCI_INDEX, OCI_MANIFEST
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import plan, rows
from registry_core.repositories.check import Snapshot, check
from registry_core.repositories.plan import Doomed, Found, Moment, Plan, Restorable
from registry_core.repositories.rows import (
    DeletedTag,
    Described,
    State,
    StoredBlob,
    StoredManifest,
    StoredTag,
    is_live,
    live,
    state_of,
)
from registry_core.storage.faults import ConditionFailed, RowExists, RowMissing
from registry_core.storage.objects import Location
from registry_core.storage.tables import MAX_TRANSACTION_ROWS, Row, RowChange

NAME = RepositoryName("team/app")
START = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Partition:
    """One partition of a table."""

    rows: dict[str, Row] = field(default_factory=dict)
    _versions: itertools.count[int] = field(default_factory=itertools.count)

    def get(self, keys: Iterable[str]) -> dict[str, Row | None]:
        return {key: self.rows.get(key) for key in keys}

    def transact(self, changes: Sequence[RowChange]) -> None:
        """All of them or none. Raises what storage would answer for the first that is refused."""
        assert 0 < len(changes) <= MAX_TRANSACTION_ROWS
        assert len({change.key for change in changes}) == len(changes), "a row is named twice"
        after = dict(self.rows)
        for change in changes:
            row = self._after(change, after.get(change.key))
            if row is None:
                del after[change.key]
            else:
                after[change.key] = row
        self.rows = after

    def _after(self, change: RowChange, known: Row | None) -> Row | None:
        if change.kind == "create" and known is not None:
            raise RowExists(change.key)
        if change.kind in ("update", "replace", "delete"):
            if known is None:
                raise RowMissing(change.key)
            if change.etag not in (None, known.etag):
                raise ConditionFailed(change.key)
        if change.kind == "delete":
            return None
        keeps = change.kind in ("update", "merge_or_insert") and known is not None
        values = {**(known.values if keeps and known else {}), **_plain(change.values)}
        return Row("p", change.key, values, f"v{next(self._versions)}", START)


def _plain(values: Any) -> dict[str, Any]:
    return dict(values)


def image(number: int, subject: Manifest | None = None) -> Manifest:
    content = f"image {number} of {subject.digest if subject else ''}".encode()
    described = Descriptor(OCI_MANIFEST, subject.digest, 2) if subject else None
    return Manifest(content, Digest.of(content), OCI_MANIFEST, subject=described)


def index(*children: Manifest) -> Manifest:
    named = tuple(Descriptor(OCI_MANIFEST, child.digest, 2) for child in children)
    document = ",".join(f'{{"digest":"{child.digest}"}}' for child in children)
    content = f'{{"manifests":[{document}]}}'.encode()
    return Manifest(content, Digest.of(content), OCI_INDEX, children=named)


@dataclass
class Repository:
    """A repository in memory, changed as the executor does it: read, plan, transact."""

    table: Partition = field(default_factory=Partition)
    tick: timedelta = timedelta(seconds=1)
    """How much later each change is than the one before."""
    layers: int = 0
    """How many blobs each manifest needs."""
    is_soft: bool = False
    """Whether what is deleted can be restored."""
    _ticks: itertools.count[int] = field(default_factory=itertools.count)

    def moment(self) -> Moment:
        number = next(self._ticks)
        return Moment(START + number * self.tick, f"{number:012x}-0000-local")

    def apply(self, made: Plan) -> None:
        for changes in (*made.before, made.changes):
            if changes:
                self.table.transact(changes)

    def change(self, make: Any, keys: Iterable[str]) -> Plan:
        """Plans from the rows of `keys`, and where one stood in the way from those as well."""
        also: frozenset[str] = frozenset()
        for _ in range(2):
            made: Plan = make(self.table.get({*keys, *also}), self.moment())
            try:
                self.apply(made)
                return made
            except (RowMissing, RowExists):
                also |= made.keys
        raise AssertionError(f"what stood in the way was read and still does: {sorted(also)}")

    @staticmethod
    def _blob(manifest: Manifest, number: int) -> StoredBlob:
        location = Location("account", "content", f"uploads/2026-03-01/{manifest.digest}-{number}")
        return StoredBlob(Digest.of(f"{manifest.digest} {number}".encode()), 1000, location)

    # Changes.

    def push(self, manifest: Manifest, *tags: str) -> Plan:
        change = Push(manifest, tuple(map(Tag, tags)))
        keys = [rows.REPOSITORY, rows.manifest_key(manifest.digest)]
        keys += [rows.tag_key(tag) for tag in change.tags]
        keys += [rows.manifest_key(child.digest) for child in manifest.children]
        needs = tuple(self._blob(manifest, number) for number in range(self.layers))
        described = Described(Platform("linux", "amd64"), needs)
        return self.change(
            lambda found, moment: plan.push(NAME, found, change, described, moment), keys
        )

    def untag(self, tag: str) -> Plan:
        return self.change(
            lambda found, moment: plan.untag(
                NAME, found, Tag(tag), Origin(), moment, is_kept=self.is_soft
            ),
            [rows.REPOSITORY, rows.tag_key(Tag(tag))],
        )

    def delete(self, *manifests: Manifest) -> Plan:
        keys = {rows.REPOSITORY, *rows.GUARDS}

        def make(found: Found, moment: Moment) -> Plan:
            doomed = [each for each in map(self.doomed, manifests) if each]
            own = {rows.manifest_key(each.manifest.digest) for each in doomed}
            is_last = not [row for key, row in self.live(rows.MANIFESTS) if key not in own]
            return plan.delete_manifests(NAME, found, doomed, Origin(), moment, is_last=is_last)

        return self.change(make, keys)

    def untag_some(self, manifest: Manifest) -> Plan:
        """One part of the deletion of a manifest with many tags."""

        def make(found: Found, moment: Moment) -> Plan:
            doomed = self.doomed(manifest)
            assert doomed is not None
            return plan.untag_some(NAME, found, doomed, Origin(), moment)

        return self.change(make, [rows.REPOSITORY])

    def delete_blob(self) -> Plan:
        """Holds the deletion of some blob against the locks."""
        return self.change(
            lambda found, moment: plan.allow_blob_deletion(NAME, found, moment), [rows.REPOSITORY]
        )

    def begin_deletion(self) -> None:
        self.change(
            lambda found, moment: plan.begin_deletion(NAME, found, moment), self._guarded_keys
        )

    def end_deletion(self) -> None:
        self.change(
            lambda found, moment: plan.end_deletion(NAME, found, moment), self._guarded_keys
        )

    def delete_repository(self) -> None:
        """Deletes the repository with all that is in it, unless a lock in it forbids that."""
        self.begin_deletion()
        manifests = [StoredManifest.from_row(row) for _, row in self.live(rows.MANIFESTS)]
        every = [self.doomed_row(manifest.digest) for manifest in manifests]
        doomed = [each for each in every if each]
        try:
            for each in doomed:
                each.check(Use.DELETE_REPOSITORY)
        except DisallowedOperation:
            self.end_deletion()
            raise
        self.change(
            lambda found, moment: plan.delete_manifests(NAME, found, doomed, Origin(), moment),
            [rows.REPOSITORY],
        )
        if not [key for key in self.table.rows if key in rows.DELETED_MANIFEST_TIMES]:
            for key in [key for key in self.table.rows if key in rows.CHILDREN]:
                del self.table.rows[key]
        self.change(
            lambda found, moment: plan.bury_deleted(NAME, found, moment, is_kept=self.is_soft),
            self._guarded_keys,
        )

    @property
    def _guarded_keys(self) -> list[str]:
        return [rows.REPOSITORY, *rows.GUARDS]

    def set(self, target: Digest | Tag | None, **attributes: bool) -> Plan:
        keys = [rows.REPOSITORY, *rows.GUARDS]
        if isinstance(target, Tag):
            keys.append(rows.tag_key(target))
        elif target:
            keys.append(rows.manifest_key(target))
        change = SetAttributes(attributes, target)
        made = self.change(
            lambda found, moment: plan.set_attributes(NAME, found, change, moment), keys
        )
        self.end_if_empty()
        return made

    def end_if_empty(self) -> None:
        row = self.table.rows.get(rows.REPOSITORY)
        if is_live(row) and plan.may_go(row) and not self.live(rows.MANIFESTS):
            self.change(
                lambda found, moment: plan.bury_repository(found, moment, is_kept=self.is_soft),
                [rows.REPOSITORY, *rows.GUARDS],
            )

    # Soft delete.

    def keep(self, *, is_soft: bool) -> None:
        """Switches soft delete on or off."""
        self.is_soft = is_soft

    def restore(self, manifest: Manifest, tag: str = "", *, force: bool = False) -> None:
        """Restores a manifest, what an index holds, and its tags, a part after the other."""
        for child in manifest.children:
            row = self.table.rows.get(rows.manifest_key(child.digest))
            if state_of(row) is State.RESTORABLE and not self._is_live(manifest):
                named = next(
                    each for each in (*self.known, manifest) if each.digest == child.digest
                )
                self._restore(named, Restore(child.digest), with_tags=False)
        change = Restore(manifest.digest, Tag(tag) if tag else None, force)
        while self._restore(manifest, change):
            pass

    known: Sequence[Manifest] = ()
    """The manifests that indexes may hold."""

    def _is_live(self, manifest: Manifest) -> bool:
        return is_live(self.table.rows.get(rows.manifest_key(manifest.digest)))

    def _restore(self, manifest: Manifest, change: Restore, *, with_tags: bool = True) -> bool:
        """Whether tags are left."""
        key, range_ = rows.manifest_key(manifest.digest), rows.deleted_tags_of(manifest.digest)
        rest: list[Row] = []

        def make(found: Found, moment: Moment) -> Plan:
            row = found[key]
            if row is None or state_of(row) is State.GONE:
                raise ManifestUnknown
            deleted = [row for name, row in sorted(self.table.rows.items()) if name in range_]
            wanted = plan.wanted_tags(row, deleted if with_tags else (), change.tag)
            names = {DeletedTag.parse(each.key).tag for each in wanted}
            names |= {change.tag} if change.tag else set()
            found = {**found, **self.table.get(map(rows.tag_key, names))}
            free = plan.tags_to_restore(found, change, wanted)
            part = free[: plan.RESTORED_TAGS_A_TRANSACTION]
            rest[:] = free[len(part) :]
            restorable = Restorable(row, manifest if manifest.subject else None, part)
            return plan.restore(NAME, found, restorable, change, moment)

        self.change(make, [rows.REPOSITORY, rows.REMEMBERED, key])
        return bool(rest)

    def purge(self) -> None:
        """Purges all that can be restored, the manifests before their tags."""
        every = sorted(self.table.rows)
        tags = [DeletedTag.parse(key) for key in every if key in rows.DELETED_TAG_TIMES]
        times = [key for key in every if key in rows.DELETED_MANIFEST_TIMES]
        self._purge([rows.manifest_key(rows.last_digest(key)) for key in times], ())
        for first in range(0, len(tags), plan.PURGED_A_TRANSACTION):
            self._purge((), tags[first : first + plan.PURGED_A_TRANSACTION])

    def _purge(self, manifests: Sequence[str], tags: Sequence[DeletedTag]) -> None:
        def make(found: Found, moment: Moment) -> Plan:
            due = [row for key in manifests if (row := found[key])]
            return plan.purge(NAME, found, due, tags, (), moment)

        self.change(make, [rows.REPOSITORY, *manifests])

    # What is there.

    def live(self, range_: rows.Range) -> list[tuple[str, Row]]:
        found = sorted(self.table.rows.items())
        return [(key, row) for key, row in found if key in range_ and is_live(row)]

    def doomed(self, manifest: Manifest) -> Doomed | None:
        return self.doomed_row(manifest.digest)

    def doomed_row(self, digest: Digest) -> Doomed | None:
        row = live(self.table.rows.get(rows.manifest_key(digest)))
        if row is None:
            return None
        tags = [StoredTag.from_row(row) for _, row in self.live(rows.TAGS)]
        own = [tag for tag in tags if tag.digest == digest]
        kept = row.values if self.is_soft else None
        return Doomed(StoredManifest.from_row(row), own, kept=kept)

    def needed(self, manifest: Manifest) -> dict[Digest, dict[str, Row]]:
        """The rows of the blobs of a manifest, as they must be."""
        stored = StoredManifest.from_row(self.table.rows[rows.manifest_key(manifest.digest)])
        found = {}
        for blob in stored.blobs:
            assert blob.location is not None
            link = {"Location": str(blob.location), "Size": blob.size}
            keys = {
                blob_rows.BLOB: link,
                blob_rows.marker(blob.location): {},
                blob_rows.link(NAME): link,
                blob_rows.requirement(NAME, manifest.digest): {},
            }
            found[blob.digest] = {
                key: Row(str(blob.digest), key, values, "v", START) for key, values in keys.items()
            }
        return found

    def visible(self) -> dict[str, Any]:
        """What clients can see, without times and versions."""
        return {
            "manifests": {key for key, _ in self.live(rows.MANIFESTS)},
            "tags": {key: row.text("Digest") for key, row in self.live(rows.TAGS)},
        }

    def findings(self) -> list[Finding]:
        present = self.table.rows
        is_listed = is_live(present.get(rows.REPOSITORY))
        return check(Snapshot(NAME, present, is_listed, {}, {}))
