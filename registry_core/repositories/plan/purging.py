"""What purging manifests and tags does to the rows of a repository."""

from __future__ import annotations

from collections.abc import Sequence

from registry_core.model.attributes import Target, Use
from registry_core.model.change import Event, Operation, Origin
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.repositories.plan.deleting import tombstone_of
from registry_core.repositories.plan.guards import pass_guard, refuse_while_deleting
from registry_core.repositories.plan.values import Found, Moment, Plan
from registry_core.repositories.plan.writing import check, drop, write
from registry_core.repositories.rows import DeletedTag, StoredManifest, is_live
from registry_core.storage import tables
from registry_core.storage.tables import Row, RowChange


def purge(
    name: RepositoryName,
    found: Found,
    manifests: Sequence[Row],
    tags: Sequence[DeletedTag],
    surplus: Sequence[Row],
    moment: Moment,
) -> Plan:
    """Deletes manifests and tags that could be restored until now, for good.

    And `surplus`, rows by time of what is not there, each on its version. They fit one transaction;
    `found` has `h`. Raises `DisallowedOperation` while the repository is
    locked, and `Unavailable` while it is being deleted.
    """
    repository = found[rows.REPOSITORY]
    refuse_while_deleting(repository)
    check(repository, Target.REPOSITORY, Use.DELETE_MANIFEST, name)
    if not (manifests or tags or surplus):
        return Plan(())
    changes = _pass_purge(found, moment)
    changes += [tables.delete(row.key, row.etag) for row in surplus]
    for row in manifests:
        stored = StoredManifest.from_row(row)
        changes.append(tables.replace(row.key, row.etag, **tombstone_of(stored, moment)))
        if stored.deleted:
            changes += drop(found, rows.deleted_manifest(stored.deleted, stored.digest))
    for tag in tags:
        changes += [*drop(found, tag.key), *drop(found, tag.by_time)]
    origin = Origin()
    of_manifests = [
        (str(rows.last_digest(row.key)), "", row.text("MediaType")) for row in manifests
    ]
    of_tags = [(str(each.digest), str(each.tag), "") for each in tags]
    return Plan(
        changes,
        [
            Event(
                Operation.PURGE,
                name.text,
                origin,
                digest=digest,
                tag=tag,
                media_type=media_type,
                stamp=moment.stamp,
            )
            for digest, tag, media_type in (*of_manifests, *of_tags)
        ],
    )


def _pass_purge(found: Found, moment: Moment) -> list[RowChange]:
    """Fails if the repository was locked meanwhile, or made.

    Where there is none, nobody could have locked it: a tombstone says that there still is none.
    """
    repository = found[rows.REPOSITORY]
    if is_live(repository):
        return pass_guard(found, rows.DELETE_GUARD, moment)
    return [write(rows.REPOSITORY, repository, rows.tombstone(moment.now, moment.stamp))]
