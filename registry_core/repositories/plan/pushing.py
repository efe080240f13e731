"""What a push does to the rows of a repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry_core.model.attributes import Target, Use
from registry_core.model.change import Event, Operation, Push
from registry_core.model.manifest import Manifest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.plan.guards import pass_guard, refuse_while_deleting
from registry_core.repositories.plan.tags import digest_of, left_untagged
from registry_core.repositories.plan.values import Found, Moment, Plan
from registry_core.repositories.plan.writing import attributes_of, check, drop, flat, write
from registry_core.repositories.rows import Described, State, StoredTag, is_live, live, state_of
from registry_core.storage import tables
from registry_core.storage.tables import RowChange

_CHILDREN_A_TRANSACTION = tables.MAX_TRANSACTION_ROWS // 2
"""Two rows each."""


def push(
    name: RepositoryName, found: Found, change: Push, described: Described, moment: Moment
) -> Plan:
    """Stores a manifest and points tags at it, each a little later than the one before it.

    `found` has `h`, the manifest's `m:`, the `t:` of each tag, and the `m:` of each child.
    Raises `DisallowedOperation`, and `Unavailable` for a repository that is being deleted.
    """
    manifest, repository = change.manifest, found[rows.REPOSITORY]
    refuse_while_deleting(repository)
    known = live(found[rows.manifest_key(manifest.digest)])
    events = _push_events(name, change, moment)
    locked = _locked_for_push(found, change)
    moves = [tag for tag in change.tags if digest_of(found, tag) != manifest.digest]
    if known and not moves and locked:
        return Plan((), events)  # It changes nothing, so nothing forbids it.
    check(repository, Target.REPOSITORY, Use.PUSH, name)
    if known and moves:
        check(known, Target.MANIFEST, Use.PUSH, manifest.digest)
    changes = repository_is_pushed_to(found, moment)
    changes += _manifest_is_pushed(found, manifest, described, moment)
    for number, tag in enumerate(change.tags):
        changes += _tag_is_pushed(found, manifest, tag, moment.later(number))
    changes += left_untagged(found, moves, moment)
    if manifest.subject:
        key = rows.referrer(manifest.subject.digest, manifest.digest)
        changes.append(tables.upsert(key, **rows.referrer_columns(manifest)))
    children = _children_are_named(found, manifest, moment)
    changes = tables.combine(changes)
    if len(changes) + sum(map(len, children)) <= tables.MAX_TRANSACTION_ROWS:
        return Plan(tables.combine([*changes, *flat(children)]), events)
    batches = [
        flat(children[first : first + _CHILDREN_A_TRANSACTION])
        for first in range(0, len(children), _CHILDREN_A_TRANSACTION)
    ]
    return Plan(changes, events, batches)


def _push_events(name: RepositoryName, change: Push, moment: Moment) -> list[Event]:
    return [
        Event(
            Operation.PUSH,
            name.text,
            change.origin,
            digest=str(change.manifest.digest),
            tag=str(tag or ""),
            media_type=change.manifest.media_type,
            stamp=moment.stamp,
        )
        for tag in change.tags or (None,)
    ]


def _locked_for_push(found: Found, change: Push) -> bool:
    """Whether any lock is in the way of writing what the push is of."""
    keys = [rows.manifest_key(change.manifest.digest), *map(rows.tag_key, change.tags)]
    targets = [Target.MANIFEST, *[Target.TAG] * len(change.tags)]
    asked = [(rows.REPOSITORY, Target.REPOSITORY), *zip(keys, targets, strict=True)]
    return any(attributes_of(found[key]).forbidding(target, Use.PUSH) for key, target in asked)


def repository_is_pushed_to(
    found: Found, moment: Moment, remembered: Mapping[str, Any] | None = None
) -> list[RowChange]:
    """Makes a repository that is not there, with what is `remembered` of an earlier one."""
    repository = found[rows.REPOSITORY]
    updated = tables.upsert(rows.LAST_UPDATE, Updated=moment.text)
    if is_live(repository):
        return [*pass_guard(found, rows.PUSH_GUARD, moment), updated]
    columns = {"Created": moment.text, **(remembered or {})}
    columns |= {rows.LIVE: True, "Stamp": moment.stamp}
    guards = [tables.upsert(guard, Used=moment.text) for guard in rows.GUARDS]
    return [write(rows.REPOSITORY, repository, columns), *guards, updated]


def _manifest_is_pushed(
    found: Found, manifest: Manifest, described: Described, moment: Moment
) -> list[RowChange]:
    """`m:` and `M:`. Every push writes them, so that a deletion under way sees it."""
    key = rows.manifest_key(manifest.digest)
    row = found[key]
    columns: dict[str, Any] = {"Updated": moment.text, "Stamp": moment.stamp, "Untagged": ""}
    by_time = rows.manifest_time(moment.now, manifest.digest)
    if row is None or state_of(row) is State.GONE:
        columns |= rows.manifest_columns(manifest, described)
        columns |= {rows.LIVE: True, "Created": moment.text}
        listed = rows.manifest_time_columns(manifest, columns)
        return [write(key, row, columns), tables.upsert(by_time, **listed)]
    listed = rows.manifest_time_columns(manifest, row.values)
    if deleted := rows.deleted_at(row):
        # It has all that it needs still: nothing was released.
        columns |= {rows.LIVE: True, rows.DELETED: ""}
        brought_back = tables.merge(key, row.etag, **columns)
        by_deletion = rows.deleted_manifest(deleted, manifest.digest)
        return [brought_back, tables.upsert(by_time, **listed), *drop(found, by_deletion)]
    changes = [tables.merge(key, row.etag, **columns), tables.upsert(by_time, **listed)]
    before = rows.manifest_time(row.time("Updated"), manifest.digest)
    # Within one microsecond the row by time is the same one and stays.
    return changes if before == by_time else [*changes, *drop(found, before)]


def _tag_is_pushed(found: Found, manifest: Manifest, tag: Tag, moment: Moment) -> list[RowChange]:
    """`t:`, `g:` and `T:`. A tag that is locked and points at the manifest stays as it is."""
    key = rows.tag_key(tag)
    row = found[key]
    known = live(row)
    columns = {**rows.tag_columns(manifest), "Updated": moment.text, "Stamp": moment.stamp}
    by_time, listed = rows.tag_time(moment.now, tag), rows.manifest_tag(manifest.digest, tag)
    if known is None:
        columns |= {rows.LIVE: True, "Created": moment.text}
        return [
            write(key, row, columns),
            tables.upsert(by_time, **rows.tag_time_columns(manifest.digest, columns)),
            tables.upsert(listed, Updated=moment.text),
        ]
    stored = StoredTag.from_row(known)
    if stored.digest == manifest.digest and stored.attributes.forbidding(Target.TAG, Use.PUSH):
        return []
    stored.attributes.check(Target.TAG, Use.PUSH, tag)
    changes = [
        tables.merge(key, known.etag, **columns),
        tables.upsert(by_time, **rows.tag_time_columns(manifest.digest, known.values)),
        tables.upsert(listed, Updated=moment.text),
    ]
    before = rows.tag_time(stored.updated, tag)
    if before != by_time:
        changes += drop(found, before)
    if stored.digest != manifest.digest:
        changes += drop(found, rows.manifest_tag(stored.digest, tag))
    return changes


def _children_are_named(
    found: Found, manifest: Manifest, moment: Moment
) -> list[Sequence[RowChange]]:
    """For each child: says who holds it, and touches it on the version read if it is live.

    Not "if it exists": that succeeds on a tombstone.
    """
    groups: list[Sequence[RowChange]] = []
    for digest in dict.fromkeys(child.digest for child in manifest.children):
        group = [tables.upsert(rows.child(digest, manifest.digest))]
        known = live(found.get(rows.manifest_key(digest)))
        if known and digest != manifest.digest:
            group.append(tables.merge(known.key, known.etag, Touched=moment.text))
        groups.append(group)
    return groups
