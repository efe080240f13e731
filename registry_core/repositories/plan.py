"""What a change does to the rows of a repository: pure functions from rows read to rows written.

Each takes what was found, and what is wanted, and answers a `Plan`, or raises the client's error.
A plan is good for the versions that were found: applied to others, storage refuses it whole. The
rules it follows are those of `docs/pushing.md` and `docs/deleting.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from registry_core.errors import (
    ManifestUnknown,
    NameUnknown,
    TagExists,
    TagUnknown,
    Unavailable,
)
from registry_core.model.attributes import Attributes, Target, Use
from registry_core.model.change import Event, Operation, Origin, Push, Restore, SetAttributes
from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.rows import (
    DeletedTag,
    Described,
    State,
    StoredManifest,
    StoredTag,
    is_live,
    live,
    state_of,
)
from registry_core.storage import tables
from registry_core.storage.tables import Row, RowChange

MAX_TAGS = 15
"""The most tags that one push can set: with all that belongs to them they fit one transaction."""
TAGS_A_TRANSACTION = 30
"""How many tags one transaction takes away, three rows each."""
KEPT_TAGS_A_TRANSACTION = 18
"""The same where they can be restored, five rows each."""
RESTORED_TAGS_A_TRANSACTION = 10
"""How many tags one transaction brings back, eight rows each where they point elsewhere by now."""
PURGED_A_TRANSACTION = 48
"""How many manifests or tags one transaction purges, two rows each."""
_APART = timedelta(microseconds=1)
"""How much later each tag of a push is than the one before: the least that rows can tell."""
_CHILDREN_A_TRANSACTION = tables.MAX_TRANSACTION_ROWS // 2
"""Two rows each."""

Found = Mapping[str, Row | None]
"""Rows as they were read, by key; None for those that are not there. Others were not looked at."""


@dataclass(frozen=True)
class Moment:
    """When a change is made, and its place in the order of all regions' changes."""

    now: datetime
    stamp: str

    @property
    def text(self) -> str:
        """The time as rows have it."""
        return tables.time_value(self.now)

    def later(self, steps: int) -> Moment:
        """The same change, at a time that is as many steps later."""
        return replace(self, now=self.now + steps * _APART)


@dataclass(frozen=True)
class Plan:
    """What is to be written, and what has happened once it is."""

    changes: Sequence[RowChange]
    events: Sequence[Event] = ()
    before: Sequence[Sequence[RowChange]] = field(default=())
    """Transactions that go first: nobody sees anything of them, and each can be repeated."""

    @property
    def keys(self) -> frozenset[str]:
        """The rows that it concerns."""
        every = [self.changes, *self.before]
        return frozenset(change.key for changes in every for change in changes)


def stamps(found: Found) -> Iterable[str]:
    """The stamps of the rows that were found: a change of them has to be later."""
    return filter(None, (row.text("Stamp") for row in found.values() if row))


# Pushing.


def push(
    name: RepositoryName, found: Found, change: Push, described: Described, moment: Moment
) -> Plan:
    """Stores a manifest and points tags at it, each a little later than the one before it.

    `found` has `h`, the manifest's `m:`, the `t:` of each tag, and the `m:` of each child.
    Raises `DisallowedOperation`, and `Unavailable` for a repository that is being deleted.
    """
    manifest, repository = change.manifest, found[rows.REPOSITORY]
    _refuse_while_deleting(repository)
    known = live(found[rows.manifest_key(manifest.digest)])
    events = _push_events(name, change, moment)
    locked = _locked_for_push(found, change)
    moves = [tag for tag in change.tags if _points_at(found, tag) != manifest.digest]
    if known and not moves and locked:
        return Plan((), events)  # It changes nothing, so nothing forbids it.
    _check(repository, Target.REPOSITORY, Use.PUSH, name)
    if known and moves:
        _check(known, Target.MANIFEST, Use.PUSH, manifest.digest)
    changes = _repository_is_pushed_to(found, moment)
    changes += _manifest_is_pushed(found, manifest, described, moment)
    for number, tag in enumerate(change.tags):
        changes += _tag_is_pushed(found, manifest, tag, moment.later(number))
    changes += _left_untagged(found, moves, moment)
    if manifest.subject:
        key = rows.referrer(manifest.subject.digest, manifest.digest)
        changes.append(tables.upsert(key, **rows.referrer_columns(manifest)))
    children = _children_are_named(found, manifest, moment)
    changes = tables.combine(changes)
    if len(changes) + sum(map(len, children)) <= tables.MAX_TRANSACTION_ROWS:
        return Plan(tables.combine([*changes, *_flat(children)]), events)
    batches = [
        _flat(children[first : first + _CHILDREN_A_TRANSACTION])
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
    return any(_attributes(found[key]).forbidding(target, Use.PUSH) for key, target in asked)


def _points_at(found: Found, tag: Tag) -> Digest | None:
    row = live(found[rows.tag_key(tag)])
    return StoredTag.from_row(row).digest if row else None


def _repository_is_pushed_to(
    found: Found, moment: Moment, remembered: Mapping[str, Any] | None = None
) -> list[RowChange]:
    """Makes a repository that is not there, with what is `remembered` of an earlier one."""
    repository = found[rows.REPOSITORY]
    updated = tables.upsert(rows.LAST_UPDATE, Updated=moment.text)
    if is_live(repository):
        return [*_pass(found, rows.PUSH_GUARD, moment), updated]
    columns = {"Created": moment.text, **(remembered or {})}
    columns |= {rows.LIVE: True, "Stamp": moment.stamp}
    guards = [tables.upsert(guard, Used=moment.text) for guard in rows.GUARDS]
    return [_write(rows.REPOSITORY, repository, columns), *guards, updated]


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
        return [_write(key, row, columns), tables.upsert(by_time, **listed)]
    listed = rows.manifest_time_columns(manifest, row.values)
    if deleted := rows.deleted_at(row):
        # It has all that it needs still: nothing was released.
        columns |= {rows.LIVE: True, rows.DELETED: ""}
        brought_back = tables.merge(key, row.etag, **columns)
        by_deletion = rows.deleted_manifest(deleted, manifest.digest)
        return [brought_back, tables.upsert(by_time, **listed), *_drop(found, by_deletion)]
    changes = [tables.merge(key, row.etag, **columns), tables.upsert(by_time, **listed)]
    before = rows.manifest_time(row.time("Updated"), manifest.digest)
    # Within one microsecond the row by time is the same one and stays.
    return changes if before == by_time else [*changes, *_drop(found, before)]


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
            _write(key, row, columns),
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
        changes += _drop(found, before)
    if stored.digest != manifest.digest:
        changes += _drop(found, rows.manifest_tag(stored.digest, tag))
    return changes


def _left_untagged(found: Found, moves: Iterable[Tag], moment: Moment) -> list[RowChange]:
    """The manifests that tags leave get the time from which retention counts."""
    left = {_points_at(found, tag): None for tag in moves}
    return [change for digest in left if digest for change in _untagged(found, digest, moment)]


def _untagged(found: Found, digest: Digest, moment: Moment) -> list[RowChange]:
    key = rows.manifest_key(digest)
    if key in found and not is_live(found[key]):
        return []  # Its tag named what is not there: the tag goes elsewhere all the same.
    return [tables.merge(key, Untagged=moment.text)]


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


# Untagging.


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
    return untag_all(name, found, [StoredTag.from_row(known)], origin, moment, is_kept=is_kept)


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

    Those that are kept can be restored.

    Raises `DisallowedOperation`, `Unavailable`.
    """
    if not tags:
        return Plan(())
    _refuse_while_deleting(found[rows.REPOSITORY])
    _check(found[rows.REPOSITORY], Target.REPOSITORY, Use.UNTAG, name)
    for stored in tags:
        stored.attributes.check(Target.TAG, Use.UNTAG, stored.tag)
    left = dict.fromkeys(stored.digest for stored in tags)
    changes = [
        *_repository_is_deleted_from(found, moment),
        *_tags_go(found, tags, moment),
        *(_tags_are_kept(tags, moment, along=False) if is_kept else []),
        *_flat(_untagged(found, digest, moment) for digest in left),
    ]
    return Plan(changes, [_untagging(name, stored, origin, moment) for stored in tags])


def _untagging(name: RepositoryName, tag: StoredTag, origin: Origin, moment: Moment) -> Event:
    return Event(
        Operation.UNTAG,
        name.text,
        origin,
        digest=str(tag.digest),
        tag=str(tag.tag),
        media_type=tag.media_type,
        stamp=moment.stamp,
    )


def allow_blob_deletion(name: RepositoryName, found: Found, moment: Moment) -> Plan:
    """Holds the deletion of a blob against the locks. `found` has `h`.

    Where there is no repository, there is no lock. Raises `DisallowedOperation`.
    """
    repository = found[rows.REPOSITORY]
    _check(repository, Target.REPOSITORY, Use.DELETE_BLOB, name)
    if not is_live(repository) or is_being_deleted(repository):
        return Plan(())
    return Plan(_pass(found, rows.DELETE_GUARD, moment))


def _repository_is_deleted_from(found: Found, moment: Moment) -> list[RowChange]:
    repository = found[rows.REPOSITORY]
    if repository is not None and is_being_deleted(repository):
        # The guards have gone; on this version nobody has called the deletion off.
        return [tables.merge(rows.REPOSITORY, repository.etag, Touched=moment.text)]
    updated = tables.upsert(rows.LAST_UPDATE, Updated=moment.text)
    return [*_pass(found, rows.DELETE_GUARD, moment), updated]


def _tags_go(found: Found, tags: Iterable[StoredTag], moment: Moment) -> list[RowChange]:
    changes = []
    for stored in tags:
        buried = rows.tombstone(moment.now, moment.stamp, stored.updated)
        changes.append(tables.replace(rows.tag_key(stored.tag), stored.etag, **buried))
        changes += _drop(found, rows.manifest_tag(stored.digest, stored.tag))
        changes += _drop(found, rows.tag_time(stored.updated, stored.tag))
    return changes


def _tags_are_kept(
    tags: Iterable[StoredTag], moment: Moment, *, along: bool
) -> Iterable[RowChange]:
    """`d:` and `DT:` of tags that can be restored; `along` with their manifest, or by themselves.

    Each time that a tag goes has rows of its own: nothing has to be read for them.
    """
    for stored in tags:
        deleted = DeletedTag(stored.tag, stored.digest, moment.now)
        yield tables.upsert(deleted.key, **rows.deleted_tag_columns(stored, along=along))
        yield tables.upsert(deleted.by_time)


# Deleting.


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
    _check(found[rows.REPOSITORY], Target.REPOSITORY, Use.DELETE_MANIFEST, name)
    doomed.check()
    merge = tables.merge(rows.manifest_key(manifest.digest), manifest.etag, Touched=moment.text)
    part = doomed.tags[: doomed.tags_at_once]
    kept = _tags_are_kept(part, moment, along=True) if doomed.kept is not None else ()
    gone = _tags_go(found, part, moment)
    return Plan(
        [merge, *_repository_is_deleted_from(found, moment), *gone, *kept],
        [_untagging(name, tag, origin, moment) for tag in part],
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
    _check(repository, Target.REPOSITORY, Use.DELETE_MANIFEST, name)
    if not doomed:
        return Plan(())
    if is_last and may_go(repository):
        is_kept = any(each.kept is not None for each in doomed)
        changes = _bury_repository(found, moment, is_kept=is_kept)
    else:
        changes = _repository_is_deleted_from(found, moment)
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
        changes = [tables.replace(key, manifest.etag, **_buried(manifest, moment))]
    else:
        changes = _manifest_is_kept(doomed, doomed.kept, moment)
    changes += _drop(found, rows.manifest_time(manifest.updated, manifest.digest))
    if manifest.subject:
        changes += _drop(found, rows.referrer(manifest.subject, manifest.digest))
    return [*changes, *_tags_go(found, doomed.tags, moment)]


def _buried(manifest: StoredManifest, moment: Moment) -> dict[str, Any]:
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
        *_tags_are_kept(doomed.tags, moment, along=True),
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


# The repository itself.


def may_go(repository: Row | None) -> bool:
    """Whether a repository goes when its last manifest has gone."""
    attributes = _attributes(repository)
    return not attributes.forbidding(Target.REPOSITORY, Use.DELETE_REPOSITORY)


def bury_repository(found: Found, moment: Moment, *, is_kept: bool = False) -> Plan:
    """Removes a repository that holds nothing. `found` has `h` and the guards, as before that.

    With `is_kept` it is remembered for those who restore what was in it.
    """
    return Plan(_bury_repository(found, moment, is_kept=is_kept))


def bury_nothing(_: RepositoryName, found: Found, moment: Moment) -> Plan:
    """Puts a tombstone, or a newer one, where there is no repository.

    A push that has entered the repository into the catalog, and is yet to make it, fails on that
    and enters it again. Raises `NameUnknown` where there is a repository by now.
    """
    repository = found[rows.REPOSITORY]
    if state_of(repository) is not State.GONE:
        raise NameUnknown
    return Plan([_write(rows.REPOSITORY, repository, rows.tombstone(moment.now, moment.stamp))])


def _bury_repository(found: Found, moment: Moment, *, is_kept: bool) -> list[RowChange]:
    repository = found[rows.REPOSITORY]
    if repository is None:
        raise LookupError("there is no repository to be buried")
    buried = rows.tombstone(moment.now, moment.stamp)
    changes = [tables.replace(rows.REPOSITORY, repository.etag, **buried)]
    # A push that was begun has merged its guard, or fails on it. Other deletions only take away.
    if row := found.get(rows.PUSH_GUARD):
        changes.append(tables.delete(rows.PUSH_GUARD, row.etag))
    if found.get(rows.DELETE_GUARD):
        changes.append(tables.delete(rows.DELETE_GUARD))
    if is_kept:
        attributes = _attributes(repository).columns
        remembered = {"Created": repository.text("Created"), **attributes}
        changes.append(tables.upsert(rows.REMEMBERED, **remembered))
    return [*changes, *_drop(found, rows.LAST_UPDATE)]


def bury_deleted(_: RepositoryName, found: Found, moment: Moment, *, is_kept: bool = False) -> Plan:
    """Removes a repository that was deleted with all that was in it, unless that is done."""
    if not is_being_deleted(found[rows.REPOSITORY]):
        return Plan(())
    return bury_repository(found, moment, is_kept=is_kept)


def clear(found: Found, left: Sequence[Row], moment: Moment) -> Plan:
    """Takes away rows that are left in a repository that is being deleted; of no other."""
    if not left or not is_being_deleted(found[rows.REPOSITORY]):
        return Plan(())
    changes = [tables.delete(row.key, row.etag) for row in left]
    return Plan([*_repository_is_deleted_from(found, moment), *changes])


def begin_deletion(name: RepositoryName, found: Found, moment: Moment) -> Plan:
    """Marks a repository as being deleted: nothing can be pushed to it or deleted from it.

    `found` has `h` and the guards. Raises `NameUnknown`, `DisallowedOperation`.
    """
    repository = live(found[rows.REPOSITORY])
    if repository is None:
        raise NameUnknown(detail={"name": str(name)})
    _check(repository, Target.REPOSITORY, Use.DELETE_REPOSITORY, name)
    mark = {rows.DELETING: moment.text, "Stamp": moment.stamp}
    changes = [tables.merge(rows.REPOSITORY, repository.etag, **mark)]
    return Plan([*changes, *_set_guards(found, is_open=False, moment=moment)])


def end_deletion(_: RepositoryName, found: Found, moment: Moment) -> Plan:
    """Takes the mark away again, unless that is done: a manifest or a tag was locked meanwhile."""
    repository = live(found[rows.REPOSITORY])
    if repository is None or not is_being_deleted(repository):
        return Plan(())
    changes = [tables.merge(rows.REPOSITORY, repository.etag, **{rows.DELETING: ""})]
    return Plan([*changes, *_set_guards(found, is_open=True, moment=moment)])


def is_being_deleted(repository: Row | None) -> bool:
    """Whether a repository is being deleted with all that is in it."""
    known = live(repository)
    return known is not None and bool(known.text(rows.DELETING))


class BeingDeleted(Unavailable):
    """The repository is being deleted with all that is in it."""

    def __init__(self, repository: Row) -> None:
        super().__init__("the repository is being deleted; try again")
        self.at_work = repository.timestamp
        """When the deletion did something last."""


def has_guards(repository: Row | None) -> bool:
    """Whether the guards are to be there: nothing forbids changes of the repository."""
    is_open = not _attributes(repository).forbidding(Target.REPOSITORY, Use.PUSH)
    return is_live(repository) and is_open and not is_being_deleted(repository)


def _refuse_while_deleting(repository: Row | None) -> None:
    if repository is not None and is_being_deleted(repository):
        raise BeingDeleted(repository)


# Restoring.


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
    if change.tag and not tags and _points_at(found, change.tag) != change.digest:
        raise TagUnknown(f"no tag {change.tag} of the manifest was deleted, or it was purged")
    for tag, row in zip(tags, wanted, strict=True):
        points_at = _points_at(found, tag)
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
    _refuse_while_deleting(repository)
    if is_live(row) and not wanted.tags:
        return Plan(())
    _check(repository, Target.REPOSITORY, Use.PUSH, name)
    if wanted.tags:
        _check(row, Target.MANIFEST, Use.PUSH, wanted.digest)
    tags = [DeletedTag.parse(each.key).tag for each in wanted.tags]
    changes = _repository_is_restored(found, moment)
    changes += _manifest_is_restored(found, wanted, moment)
    for each in wanted.tags:
        changes += _tag_is_restored(found, each, moment)
    changes += _left_untagged(found, tags, moment)
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
        return _repository_is_pushed_to(found, moment)
    was: dict[str, Any] = {"Created": remembered.text("Created") or moment.text}
    was |= Attributes.from_row(remembered.values).columns
    forget = tables.delete(rows.REMEMBERED, remembered.etag)
    return [*_repository_is_pushed_to(found, moment, was), forget]


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
        *_drop(found, rows.deleted_manifest(deleted, digest)),
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
        _write(key, found[key], columns),
        tables.upsert(by_time, **rows.tag_time_columns(gone.digest, columns)),
        tables.upsert(rows.manifest_tag(gone.digest, gone.tag), Updated=deleted.text("Updated")),
        tables.delete(deleted.key, deleted.etag),
        *_drop(found, gone.by_time),
    ]
    if known := live(found[key]):
        stored = StoredTag.from_row(known)
        stored.attributes.check(Target.TAG, Use.PUSH, gone.tag)
        before = rows.tag_time(stored.updated, gone.tag)
        changes += _drop(found, before) if before != by_time else []
        changes += _drop(found, rows.manifest_tag(stored.digest, gone.tag))
    return changes


# Purging.


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
    _refuse_while_deleting(repository)
    _check(repository, Target.REPOSITORY, Use.DELETE_MANIFEST, name)
    if not (manifests or tags or surplus):
        return Plan(())
    changes = _pass_purge(found, moment)
    changes += [tables.delete(row.key, row.etag) for row in surplus]
    for row in manifests:
        stored = StoredManifest.from_row(row)
        changes.append(tables.replace(row.key, row.etag, **_buried(stored, moment)))
        if stored.deleted:
            changes += _drop(found, rows.deleted_manifest(stored.deleted, stored.digest))
    for tag in tags:
        changes += [*_drop(found, tag.key), *_drop(found, tag.by_time)]
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
        return _pass(found, rows.DELETE_GUARD, moment)
    return [_write(rows.REPOSITORY, repository, rows.tombstone(moment.now, moment.stamp))]


# Attributes.


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
            *_set_guards(found, is_open=is_open, moment=moment),
        ]
    else:
        changes = [
            # On its version: nothing is locked in a repository that is being deleted.
            tables.merge(rows.REPOSITORY, repository.etag, Touched=moment.text),
            *_target_is_set(found, change.target, change.attributes),
        ]
    return Plan(changes, [_update(name, found, change, moment)])


def check_there(name: RepositoryName, found: Found) -> Row:
    """The repository's row. Raises `NameUnknown`, and `Unavailable` while it is being deleted."""
    repository = live(found[rows.REPOSITORY])
    if repository is None:
        raise NameUnknown(detail={"name": str(name)})
    _refuse_while_deleting(repository)
    return repository


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
        digest = _points_at(found, target)
    return Event(
        Operation.UPDATE,
        name.text,
        change.origin,
        digest=str(digest or ""),
        tag=str(target) if isinstance(target, Tag) else "",
        attributes=change.attributes,
        stamp=moment.stamp,
    )


def touch(row: Row, now: datetime) -> list[RowChange]:
    """Tells that somebody relies on a manifest, on the version read."""
    return [tables.merge(row.key, row.etag, Touched=tables.time_value(now))]


# What they share.


def _attributes(row: Row | None) -> Attributes:
    """The attributes of what is live; whatever has gone left none."""
    found = live(row)
    return Attributes.from_row(found.values if found else None)


def _check(row: Row | None, target: Target, use: Use, name: object) -> None:
    _attributes(row).check(target, use, name)


def _write(key: str, known: Row | None, columns: Mapping[str, Any]) -> RowChange:
    """A row that is new, or takes the place of a tombstone and inherits nothing of it."""
    return tables.replace(key, known.etag, **columns) if known else tables.insert(key, **columns)


def _pass(found: Found, guard: str, moment: Moment) -> list[RowChange]:
    """Fails if a lock has taken the guard away, or the repository has gone.

    One that was looked for and is not there, though no lock took it, is made again, on the version
    of the row that has the locks.
    """
    repository = found[rows.REPOSITORY]
    if guard in found and found[guard] is None and repository is not None:
        touched = tables.merge(rows.REPOSITORY, repository.etag, Touched=moment.text)
        return [tables.insert(guard, Used=moment.text), touched]
    return [tables.merge(guard, Used=moment.text)]


def _set_guards(found: Found, *, is_open: bool, moment: Moment) -> list[RowChange]:
    """Makes the guards that are missing, or takes away those that are there, on no version."""
    missing = [guard for guard in rows.GUARDS if found[guard] is None]
    if is_open:
        return [tables.insert(guard, Used=moment.text) for guard in missing]
    return [tables.delete(guard) for guard in rows.GUARDS if guard not in missing]


def _drop(found: Found, key: str) -> list[RowChange]:
    """Deletes an index row: one that should be there, or, where it was looked for, as it is."""
    if key not in found:
        return [tables.delete(key)]
    row = found[key]
    return [tables.delete(key, row.etag)] if row else []


def _flat(groups: Iterable[Sequence[RowChange]]) -> list[RowChange]:
    return [change for group in groups for change in group]
