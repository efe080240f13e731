"""What taking tags away does to the rows of a repository."""

from __future__ import annotations

from collections.abc import Sequence

from registry_core.errors import ManifestUnknown
from registry_core.model.attributes import Target, Use
from registry_core.model.change import Origin
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.plan.guards import refuse_while_deleting, repository_is_deleted_from
from registry_core.repositories.plan.tags import tags_are_kept, tags_go, untagged, untagging_event
from registry_core.repositories.plan.values import Found, Moment, Plan
from registry_core.repositories.plan.writing import check, flat
from registry_core.repositories.rows import StoredTag, live


def untag(
    name: RepositoryName,
    found: Found,
    tag: Tag,
    origin: Origin,
    moment: Moment,
    *,
    is_kept: bool = False,
) -> Plan:
    """Takes a tag away; one that `is_kept` can be restored. `found` has `h` and its `t:`.

    Raises `ManifestUnknown`, `DisallowedOperation`, `Unavailable`.
    """
    known = live(found[rows.tag_key(tag)])
    if known is None:
        raise ManifestUnknown(detail={"tag": str(tag)})
    tags = [StoredTag.from_row(known)]
    return untag_all(name, found, tags, origin, moment, is_kept=is_kept)


def untag_all(
    name: RepositoryName,
    found: Found,
    tags: Sequence[StoredTag],
    origin: Origin,
    moment: Moment,
    *,
    is_kept: bool = False,
) -> Plan:
    """Takes tags away that fit one transaction; none, if none are left. `found` has `h`.

    With `is_kept` they can be restored.

    Raises `DisallowedOperation`, `Unavailable`.
    """
    if not tags:
        return Plan(())
    refuse_while_deleting(found[rows.REPOSITORY])
    check(found[rows.REPOSITORY], Target.REPOSITORY, Use.UNTAG, name)
    for stored in tags:
        stored.attributes.check(Target.TAG, Use.UNTAG, stored.tag)
    left = dict.fromkeys(stored.digest for stored in tags)
    changes = [
        *repository_is_deleted_from(found, moment),
        *tags_go(found, tags, moment),
        *(tags_are_kept(tags, moment, along=False) if is_kept else []),
        *flat(untagged(found, digest, moment) for digest in left),
    ]
    return Plan(changes, [untagging_event(name, stored, origin, moment) for stored in tags])
