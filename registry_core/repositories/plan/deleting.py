"""What deleting manifests does to the rows of a repository, for good or softly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry_core.model.attributes import Target, Use
from registry_core.model.change import Event, Operation, Origin
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.repositories.plan.guards import (
    is_being_deleted,
    pass_guard,
    repository_is_deleted_from,
)
from registry_core.repositories.plan.repository import may_go, repository_is_buried
from registry_core.repositories.plan.tags import tags_are_kept, tags_go, untagging_event
from registry_core.repositories.plan.values import (
    KEPT_TAGS_A_TRANSACTION,
    TAGS_A_TRANSACTION,
    Found,
    Moment,
    Plan,
)
from registry_core.repositories.plan.writing import check, drop
from registry_core.repositories.rows import StoredManifest, StoredTag, is_live
from registry_core.storage import tables
from registry_core.storage.tables import Row, RowChange


def allow_blob_deletion(name: RepositoryName, found: Found, moment: Moment) -> Plan:
    """Holds the deletion of a blob against the locks. `found` has `h`.

    Where there is no repository, there is no lock. Raises `DisallowedOperation`.
    """
    repository = found[rows.REPOSITORY]
    check(repository, Target.REPOSITORY, Use.DELETE_BLOB, name)
    if not is_live(repository) or is_being_deleted(repository):
        return Plan(())
    return Plan(pass_guard(found, rows.DELETE_GUARD, moment))


@dataclass(frozen=True)
class Doomed:
    """A manifest that is to be deleted, with all that goes along."""

    manifest: StoredManifest
    tags: Sequence[StoredTag] = ()
    surplus: Sequence[Row] = ()
    """Rows `g:` of tags that point elsewhere."""
    kept: Mapping[str, Any] | None = None
    """Where it is to be restorable, the columns of its row."""

    def check(self, use: Use = Use.DELETE_MANIFEST) -> None:
        """Raises `DisallowedOperation` if it is locked, or a tag of it."""
        self.manifest.attributes.check(Target.MANIFEST, use, self.manifest.digest)
        for tag in self.tags:
            tag.attributes.check(Target.TAG, use, tag.tag)

    @property
    def stamps(self) -> Iterable[str]:
        """The stamps of its rows."""
        stamps = [self.manifest.stamp, *(tag.stamp for tag in self.tags)]
        return filter(None, stamps)

    @property
    def size(self) -> int:
        """How many rows its deletion takes at most."""
        own, of_tag = (3, 3) if self.kept is None else (4, 5)
        return own + of_tag * len(self.tags) + len(self.surplus)

    @property
    def tags_at_once(self) -> int:
        """How many of its tags one transaction takes."""
        return TAGS_A_TRANSACTION if self.kept is None else KEPT_TAGS_A_TRANSACTION


def untag_some(
    name: RepositoryName, found: Found, doomed: Doomed, origin: Origin, moment: Moment
) -> Plan:
    """Takes a part of the tags of a manifest away, on the manifest's version.

    So nothing of a deletion is applied after the manifest was locked, or pushed again. Raises
    `DisallowedOperation`.
    """
    manifest = doomed.manifest
    check(found[rows.REPOSITORY], Target.REPOSITORY, Use.DELETE_MANIFEST, name)
    doomed.check()
    merge = tables.merge(rows.manifest_key(manifest.digest), manifest.etag, Touched=moment.text)
    part = doomed.tags[: doomed.tags_at_once]
    kept = tags_are_kept(part, moment, along=True) if doomed.kept is not None else ()
    gone = tags_go(found, part, moment)
    return Plan(
        [merge, *repository_is_deleted_from(found, moment), *gone, *kept],
        [untagging_event(name, tag, origin, moment) for tag in part],
    )


def delete_manifests(
    name: RepositoryName,
    found: Found,
    doomed: Sequence[Doomed],
    origin: Origin,
    moment: Moment,
    *,
    is_last: bool = False,
) -> Plan:
    """Deletes manifests that fit one transaction, with their tags; none, if none are left.

    `found` has `h`, and with `is_last` the guards: the repository holds no other manifest, and
    goes along if it may. Raises `DisallowedOperation`, `Unavailable`.
    """
    repository = found[rows.REPOSITORY]
    check(repository, Target.REPOSITORY, Use.DELETE_MANIFEST, name)
    if not doomed:
        return Plan(())
    if is_last and may_go(repository):
        is_kept = any(each.kept is not None for each in doomed)
        changes = repository_is_buried(found, moment, is_kept=is_kept)
    else:
        changes = repository_is_deleted_from(found, moment)
    for each in doomed:
        each.check()
        changes += _manifest_goes(found, each, moment)
    # Surplus rows go as far as there is room: nobody sees what is left of them.
    room = tables.MAX_TRANSACTION_ROWS - len(changes)
    surplus = [row for each in doomed for row in each.surplus][:room]
    changes += [tables.delete(row.key, row.etag) for row in surplus]
    return Plan(changes, [_deletion(name, each, origin, moment) for each in doomed])


def _manifest_goes(found: Found, doomed: Doomed, moment: Moment) -> list[RowChange]:
    manifest, key = doomed.manifest, rows.manifest_key(doomed.manifest.digest)
    if doomed.kept is None:
        changes = [tables.replace(key, manifest.etag, **tombstone_of(manifest, moment))]
    else:
        changes = _manifest_is_kept(doomed, doomed.kept, moment)
    changes += drop(found, rows.manifest_time(manifest.updated, manifest.digest))
    if manifest.subject:
        changes += drop(found, rows.referrer(manifest.subject, manifest.digest))
    return [*changes, *tags_go(found, doomed.tags, moment)]


def tombstone_of(manifest: StoredManifest, moment: Moment) -> dict[str, Any]:
    """What the deletion of a manifest leaves of its row."""
    return rows.tombstone(moment.now, moment.stamp, manifest.updated)


def _manifest_is_kept(
    doomed: Doomed, columns: Mapping[str, Any], moment: Moment
) -> list[RowChange]:
    """It keeps all that it has, and what it needs is not released: it can be restored."""
    digest = doomed.manifest.digest
    state = {rows.LIVE: False, rows.DELETED: moment.text, "Stamp": moment.stamp}
    listed = rows.deleted_manifest_columns(columns, [each.tag for each in doomed.tags])
    return [
        tables.merge(rows.manifest_key(digest), doomed.manifest.etag, **state),
        tables.upsert(rows.deleted_manifest(moment.now, digest), **listed),
        *tags_are_kept(doomed.tags, moment, along=True),
    ]


def _deletion(name: RepositoryName, doomed: Doomed, origin: Origin, moment: Moment) -> Event:
    return Event(
        Operation.DELETE,
        name.text,
        origin,
        digest=str(doomed.manifest.digest),
        media_type=doomed.manifest.media_type,
        tags=tuple(str(each.tag) for each in doomed.tags),
        stamp=moment.stamp,
    )
