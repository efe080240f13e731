"""What setting attributes does to the rows of a repository."""

from __future__ import annotations

from collections.abc import Mapping

from registry_core.errors import ManifestUnknown
from registry_core.model.attributes import Attributes, Target, Use
from registry_core.model.change import Event, Operation, SetAttributes
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.plan.guards import check_there, set_guards
from registry_core.repositories.plan.tags import digest_of
from registry_core.repositories.plan.values import Found, Moment, Plan
from registry_core.repositories.rows import StoredTag, live
from registry_core.storage import tables
from registry_core.storage.tables import RowChange


def set_attributes(
    name: RepositoryName, found: Found, change: SetAttributes, moment: Moment
) -> Plan:
    """Sets attributes. `found` has `h`, the guards and the target's row. No lock forbids it.

    Raises `NameUnknown`, `ManifestUnknown`, `Unavailable`.
    """
    repository = check_there(name, found)
    if change.target is None:
        attributes = Attributes.from_row({**repository.values, **change.attributes})
        is_open = not attributes.forbidding(Target.REPOSITORY, Use.PUSH)
        changes = [
            tables.merge(rows.REPOSITORY, repository.etag, **change.attributes),
            *set_guards(found, is_open=is_open, moment=moment),
        ]
    else:
        changes = [
            # On its version: nothing is locked in a repository that is being deleted.
            tables.merge(rows.REPOSITORY, repository.etag, Touched=moment.text),
            *_target_is_set(found, change.target, change.attributes),
        ]
    return Plan(changes, [_update(name, found, change, moment)])


def _target_is_set(
    found: Found, target: Digest | Tag, attributes: Mapping[str, bool]
) -> list[RowChange]:
    """The row, and the one that lists it by time: made again where it is missing."""
    is_tag = isinstance(target, Tag)
    key = rows.tag_key(target) if isinstance(target, Tag) else rows.manifest_key(target)
    row = live(found[key])
    if row is None:
        raise ManifestUnknown(detail={"tag" if is_tag else "digest": str(target)})
    updated = row.time("Updated")
    if isinstance(target, Tag):
        by_time = rows.tag_time(updated, target)
        known = {**row.values, **attributes}
        listed = rows.tag_time_columns(StoredTag.from_row(row).digest, known)
    else:
        by_time = rows.manifest_time(updated, target)
        listed = rows.listed_manifest_columns(row, attributes)
    is_missing = by_time in found and found[by_time] is None
    return [
        tables.merge(key, row.etag, **attributes),
        tables.insert(by_time, **listed) if is_missing else tables.merge(by_time, **attributes),
    ]


def _update(name: RepositoryName, found: Found, change: SetAttributes, moment: Moment) -> Event:
    target = change.target
    digest = target if isinstance(target, Digest) else None
    if isinstance(target, Tag):
        digest = digest_of(found, target)
    return Event(
        Operation.UPDATE,
        name.text,
        change.origin,
        digest=str(digest or ""),
        tag=str(target) if isinstance(target, Tag) else "",
        attributes=change.attributes,
        stamp=moment.stamp,
    )
