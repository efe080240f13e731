"""What a change of tags means for their rows, and for those of the manifests that they leave."""

from __future__ import annotations

from collections.abc import Iterable

from registry_core.model.change import Event, Operation, Origin
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.plan.values import Found, Moment
from registry_core.repositories.plan.writing import drop
from registry_core.repositories.rows import DeletedTag, StoredTag, is_live, live
from registry_core.storage import tables
from registry_core.storage.tables import RowChange


def digest_of(found: Found, tag: Tag) -> Digest | None:
    """The manifest that a tag points at; None where there is no such tag."""
    row = live(found[rows.tag_key(tag)])
    return StoredTag.from_row(row).digest if row else None


def left_untagged(found: Found, moves: Iterable[Tag], moment: Moment) -> list[RowChange]:
    """The manifests that tags leave get the time from which retention counts."""
    left = {digest_of(found, tag): None for tag in moves}
    return [change for digest in left if digest for change in untagged(found, digest, moment)]


def untagged(found: Found, digest: Digest, moment: Moment) -> list[RowChange]:
    """The manifest that a tag leaves gets that time."""
    key = rows.manifest_key(digest)
    if key in found and not is_live(found[key]):
        return []  # Its tag named what is not there: the tag goes elsewhere all the same.
    return [tables.merge(key, Untagged=moment.text)]


def untagging_event(name: RepositoryName, tag: StoredTag, origin: Origin, moment: Moment) -> Event:
    """What has happened once a tag is taken away."""
    return Event(
        Operation.UNTAG,
        name.text,
        origin,
        digest=str(tag.digest),
        tag=str(tag.tag),
        media_type=tag.media_type,
        stamp=moment.stamp,
    )


def tags_go(found: Found, tags: Iterable[StoredTag], moment: Moment) -> list[RowChange]:
    """`t:` becomes a tombstone; `g:` and `T:` go."""
    changes = []
    for stored in tags:
        buried = rows.tombstone(moment.now, moment.stamp, stored.updated)
        changes.append(tables.replace(rows.tag_key(stored.tag), stored.etag, **buried))
        changes += drop(found, rows.manifest_tag(stored.digest, stored.tag))
        changes += drop(found, rows.tag_time(stored.updated, stored.tag))
    return changes


def tags_are_kept(tags: Iterable[StoredTag], moment: Moment, *, along: bool) -> Iterable[RowChange]:
    """`d:` and `DT:` of tags that can be restored; `along` with their manifest, or by themselves.

    Each time that a tag goes has rows of its own: nothing has to be read for them.
    """
    for stored in tags:
        deleted = DeletedTag(stored.tag, stored.digest, moment.now)
        yield tables.upsert(deleted.key, **rows.deleted_tag_columns(stored, along=along))
        yield tables.upsert(deleted.by_time)
