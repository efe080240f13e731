"""What restoring manifests and tags does to the rows of a repository."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from registry_core.errors import TagExists, TagUnknown
from registry_core.model.attributes import Attributes, Target, Use
from registry_core.model.change import Event, Operation, Restore
from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.plan.guards import refuse_while_deleting
from registry_core.repositories.plan.pushing import repository_is_pushed_to
from registry_core.repositories.plan.tags import digest_of, left_untagged
from registry_core.repositories.plan.values import Found, Moment, Plan
from registry_core.repositories.plan.writing import check, drop, write
from registry_core.repositories.rows import DeletedTag, StoredTag, is_live, live
from registry_core.storage import tables
from registry_core.storage.tables import Row, RowChange


@dataclass(frozen=True)
class Restorable:
    """A manifest that is to be restored, with what belongs to it."""

    manifest: Row
    """Its `m:`, whole, of a manifest that is live or can be restored."""
    content: Manifest | None = None
    """The manifest itself, where it refers to a subject."""
    tags: Sequence[Row] = ()
    """Those of its rows `d:` that are to be tags again; they fit one transaction."""

    @property
    def digest(self) -> Digest:
        """Whose it is."""
        return rows.last_digest(self.manifest.key)


def wanted_tags(found: Row, deleted: Iterable[Row], tag: Tag | None) -> list[Row]:
    """The rows `d:` of a manifest that a restoration is about, the latest of each tag.

    Of `tag`; or of all that went with the manifest since it was pushed last. Those that somebody
    took away before are not restored along.
    """
    latest: dict[Tag, Row] = {}
    pushed = found.time("Updated")
    for row in deleted:  # In the order of the tags, the latest of each at its end.
        gone = DeletedTag.parse(row.key)
        along = row.values.get("Along") is True and gone.deleted >= pushed
        if gone.tag == tag or (tag is None and along):
            latest[gone.tag] = row
    return list(latest.values())


def tags_to_restore(found: Found, change: Restore, wanted: Iterable[Row]) -> list[Row]:
    """Those of the rows `d:` that are not tags of the manifest yet, and may be.

    A tag that points elsewhere by now stays, unless the restoration is forced. `found` has the
    `t:` of each. Raises `TagExists` if that concerns the one tag that is wanted, and `TagUnknown`
    if that was not deleted.
    """
    free = []
    tags = [DeletedTag.parse(row.key).tag for row in wanted]
    if change.tag and not tags and digest_of(found, change.tag) != change.digest:
        raise TagUnknown(f"no tag {change.tag} of the manifest was deleted, or it was purged")
    for tag, row in zip(tags, wanted, strict=True):
        points_at = digest_of(found, tag)
        if points_at is None or (change.force and points_at != change.digest):
            free.append(row)
        elif change.tag and points_at != change.digest:
            raise TagExists(detail={"tag": str(tag), "digest": str(points_at)})
    return free


def restore(
    name: RepositoryName, found: Found, wanted: Restorable, change: Restore, moment: Moment
) -> Plan:
    """Brings back a manifest, tags of it, or both; the repository, too, if it has gone.

    Attributes and times are those of before. `found` has `h`, `hr`, and the `t:` of each tag.
    Raises `DisallowedOperation`, and `Unavailable` for a repository that is being deleted.
    """
    repository, row = found[rows.REPOSITORY], wanted.manifest
    refuse_while_deleting(repository)
    if is_live(row) and not wanted.tags:
        return Plan(())
    check(repository, Target.REPOSITORY, Use.PUSH, name)
    if wanted.tags:
        check(row, Target.MANIFEST, Use.PUSH, wanted.digest)
    tags = [DeletedTag.parse(each.key).tag for each in wanted.tags]
    changes = _repository_is_restored(found, moment)
    changes += _manifest_is_restored(found, wanted, moment)
    for each in wanted.tags:
        changes += _tag_is_restored(found, each, moment)
    changes += left_untagged(found, tags, moment)
    event = Event(
        Operation.RESTORE,
        name.text,
        change.origin,
        digest=str(wanted.digest),
        media_type=row.text("MediaType"),
        tags=tuple(map(str, tags)),
        stamp=moment.stamp,
    )
    return Plan(tables.combine(changes), [event])


def _repository_is_restored(found: Found, moment: Moment) -> list[RowChange]:
    remembered = found[rows.REMEMBERED]
    if is_live(found[rows.REPOSITORY]) or remembered is None:
        return repository_is_pushed_to(found, moment)
    was: dict[str, Any] = {"Created": remembered.text("Created") or moment.text}
    was |= Attributes.from_row(remembered.values).columns
    forget = tables.delete(rows.REMEMBERED, remembered.etag)
    return [*repository_is_pushed_to(found, moment, was), forget]


def _manifest_is_restored(found: Found, wanted: Restorable, moment: Moment) -> list[RowChange]:
    """On its version. Nothing was released, so nothing need be protected again."""
    row, digest = wanted.manifest, wanted.digest
    # Without a tag, it counts as untagged from now on.
    columns = {"Stamp": moment.stamp, "Untagged": "" if wanted.tags else moment.text}
    deleted = rows.deleted_at(row)
    if deleted is None:
        return [tables.merge(row.key, row.etag, **columns)]
    columns |= {rows.DELETED: ""}
    by_time = rows.manifest_time(row.time("Updated"), digest)
    changes = [
        tables.merge(row.key, row.etag, **{rows.LIVE: True}, **columns),
        tables.upsert(by_time, **rows.listed_manifest_columns(row, {})),
        *drop(found, rows.deleted_manifest(deleted, digest)),
    ]
    if wanted.content and wanted.content.subject:
        key = rows.referrer(wanted.content.subject.digest, digest)
        changes.append(tables.upsert(key, **rows.referrer_columns(wanted.content)))
    return changes


def _tag_is_restored(found: Found, deleted: Row, moment: Moment) -> list[RowChange]:
    gone = DeletedTag.parse(deleted.key)
    key = rows.tag_key(gone.tag)
    columns = {rows.LIVE: True, "Stamp": moment.stamp}
    columns |= rows.restored_tag_columns(deleted, gone.digest)
    by_time = rows.tag_time(deleted.time("Updated"), gone.tag)
    changes = [
        write(key, found[key], columns),
        tables.upsert(by_time, **rows.tag_time_columns(gone.digest, columns)),
        tables.upsert(rows.manifest_tag(gone.digest, gone.tag), Updated=deleted.text("Updated")),
        tables.delete(deleted.key, deleted.etag),
        *drop(found, gone.by_time),
    ]
    if known := live(found[key]):
        stored = StoredTag.from_row(known)
        stored.attributes.check(Target.TAG, Use.PUSH, gone.tag)
        before = rows.tag_time(stored.updated, gone.tag)
        changes += drop(found, before) if before != by_time else []
        changes += drop(found, rows.manifest_tag(stored.digest, gone.tag))
    return changes
