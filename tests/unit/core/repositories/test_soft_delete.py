"""What soft delete plans: whatever goes can come back, and the rows stay in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.blobs import rows as blob_rows
from registry_core.errors import (
    DisallowedOperation,
    ManifestUnknown,
    NameUnknown,
    TagExists,
    TagUnknown,
    Unavailable,
)
from registry_core.model.attributes import COLUMNS
from registry_core.model.change import Operation, Origin, Restore
from registry_core.model.invariants import Finding
from registry_core.model.names import Tag
from registry_core.repositories import plan, rows
from registry_core.repositories.check import Snapshot, check
from registry_core.repositories.plan import KEPT_TAGS_A_TRANSACTION, RESTORED_TAGS_A_TRANSACTION
from registry_core.repositories.rows import State, state_of
from registry_core.storage import tables
from registry_core.storage.tables import MAX_TRANSACTION_ROWS
from tests.unit.core.repositories.memory import NAME, Repository, image, index

A, B = image(1), image(2)
REFERRER = image(3, subject=A)
INDEX = index(A, B)
MANIFESTS = (A, B, REFERRER, INDEX)
TAGS = ("v1", "v2", "latest")
REFUSED = (
    DisallowedOperation,
    ManifestUnknown,
    NameUnknown,
    TagExists,
    TagUnknown,
    Unavailable,
)

Step = Callable[[Repository], object]
manifests, tags = st.sampled_from(MANIFESTS), st.sampled_from(TAGS)


def step(name: str, *arguments: Any, **options: Any) -> Step:
    def take(repository: Repository) -> object:
        return getattr(repository, name)(*arguments, **options)

    take.__name__ = f"{name} {arguments} {options}"
    return take


steps = st.one_of(
    st.builds(lambda m, t: step("push", m, *t), manifests, st.lists(tags, unique=True)),
    st.builds(lambda t: step("untag", t), tags),
    st.builds(lambda m: step("delete", *m), st.lists(manifests, min_size=1, unique_by=id)),
    st.just(step("delete_repository")),
    st.builds(lambda on: step("keep", is_soft=on), st.booleans()),
    st.builds(
        lambda m, t, force: step("restore", m, t, force=force),
        manifests,
        st.sampled_from(("", *TAGS)),
        st.booleans(),
    ),
    st.just(step("purge")),
    st.builds(
        lambda t, on: step("set", t, WriteEnabled=on),
        st.sampled_from([None, A.digest, Tag("v1")]),
        st.booleans(),
    ),
)
ticks = st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(seconds=1)])


def soft(tick: timedelta = timedelta(seconds=1)) -> Repository:
    return Repository(tick=tick, is_soft=True, known=MANIFESTS)


def take(repository: Repository, taken: Sequence[Step]) -> None:
    for each in taken:
        with contextlib.suppress(*REFUSED):
            each(repository)


def broken(repository: Repository) -> list[Finding]:
    return [finding for finding in repository.findings() if finding.is_broken]


@pytest.mark.rule("X1", "X2", "X5")
@given(st.lists(steps, max_size=14), ticks)
def test_any_sequence_with_soft_deletions_keeps_every_invariant_of_the_rows(
    taken: list[Step], tick: timedelta
) -> None:
    repository = soft(tick)
    for each in taken:
        take(repository, [each])
        assert broken(repository) == []
    # Children of an index that has gone for good, and the memory of a repository, are garbage.
    left = [f.key for f in repository.findings()]
    assert [key for key in left if not key.startswith("c:") and key != rows.REMEMBERED] == []


@pytest.mark.rule("X1", "X3")
@given(st.lists(steps, max_size=10), manifests)
def test_what_is_deleted_and_restored_is_as_it_was(taken: list[Step], deleted: Any) -> None:
    repository = soft()
    take(repository, [*taken, step("keep", is_soft=True)])
    before, times = repository.visible(), listed(repository)
    if repository.doomed(deleted) is None:
        return
    try:
        repository.delete(deleted)
    except REFUSED:
        return
    assert repository.visible() != before
    repository.restore(deleted)
    assert (repository.visible(), listed(repository)) == (before, times)


def listed(repository: Repository) -> dict[str, Any]:
    """What the listings by time and of referrers show, and the attributes and times of before."""
    shown = (*COLUMNS, "Created", "Updated")
    every = repository.table.rows
    ranges = (rows.TAG_TIMES, rows.MANIFEST_TIMES, rows.REFERRERS, rows.MANIFEST_TAGS)
    indexed = {key: dict(row.values) for key, row in every.items() if any(key in r for r in ranges)}
    sources = {
        key: {name: row.values[name] for name in shown if name in row.values}
        for range_ in (rows.TAGS, rows.MANIFESTS)
        for key, row in repository.live(range_)
    }
    return indexed | sources


@pytest.mark.rule("X1")
def test_nothing_of_what_it_had_is_lost_when_a_manifest_is_deleted() -> None:
    repository = soft()
    repository.layers = 2
    repository.push(A, "v1")
    key = rows.manifest_key(A.digest)
    had = dict(repository.table.rows[key].values)
    repository.push(B)
    repository.delete(A)
    row = repository.table.rows[key]
    assert state_of(row) is State.RESTORABLE
    changed = {rows.LIVE, rows.DELETED, "Stamp"}
    assert {k: v for k, v in row.values.items() if k not in changed} == {
        k: v for k, v in had.items() if k not in changed
    }


@pytest.mark.rule("X2")
def test_a_push_brings_a_manifest_back_with_its_blobs_and_only_the_tag_pushed() -> None:
    repository = soft()
    repository.layers = 1
    repository.push(A, "v1", "v2")
    repository.set(A.digest, ListEnabled=False)
    known = repository.table.rows[rows.manifest_key(A.digest)]
    repository.delete(A)
    repository.layers = 0  # A push protects nothing anew where nothing was released.
    repository.push(A, "v3")
    row = repository.table.rows[rows.manifest_key(A.digest)]
    kept = ("Blobs0", "Created", "ListEnabled")
    assert [row.values[name] for name in kept] == [known.values[name] for name in kept]
    assert repository.visible()["tags"] == {"t:v3": str(A.digest)}
    assert not [key for key in repository.table.rows if key in rows.DELETED_MANIFEST_TIMES]
    repository.restore(A, "v2")
    assert repository.visible()["tags"] == {"t:v2": str(A.digest), "t:v3": str(A.digest)}


@pytest.mark.rule("X3")
def test_only_tags_that_went_with_the_manifest_are_restored_without_being_named() -> None:
    repository = soft()
    repository.push(A, "v1", "v2", "v3")
    repository.push(B)
    repository.untag("v1")
    repository.delete(A)
    repository.push(B, "v2")
    repository.restore(A)
    assert repository.visible()["tags"] == {"t:v2": str(B.digest), "t:v3": str(A.digest)}
    with pytest.raises(TagExists):
        repository.restore(A, "v2")
    with pytest.raises(TagUnknown):
        repository.restore(A, "v9")
    repository.restore(A, "v1")
    repository.restore(A, "v2", force=True)
    assert repository.visible()["tags"] == {f"t:v{n}": str(A.digest) for n in (1, 2, 3)}
    assert repository.findings() == []


@pytest.mark.rule("X3")
def test_a_repository_comes_back_with_its_attributes_and_the_time_it_was_made() -> None:
    repository = soft()
    repository.push(A, "v1")
    repository.set(None, ReadEnabled=False)
    made = repository.table.rows[rows.REPOSITORY].text("Created")
    repository.delete_repository()
    assert state_of(repository.table.rows[rows.REPOSITORY]) is State.GONE
    repository.restore(A)
    row = repository.table.rows[rows.REPOSITORY]
    assert (row.text("Created"), row.values["ReadEnabled"]) == (made, False)
    assert repository.findings() == []


@pytest.mark.rule("X4")
def test_a_lock_of_the_repository_forbids_to_restore_and_to_purge() -> None:
    repository = soft()
    repository.push(A, "v1")
    repository.push(B)
    repository.delete(A)
    repository.set(None, WriteEnabled=False)
    for refused in (step("restore", A), step("purge")):
        before = dict(repository.table.rows)
        with pytest.raises(DisallowedOperation):
            refused(repository)
        assert repository.table.rows == before
    repository.set(None, WriteEnabled=True)
    repository.restore(A)
    assert repository.visible()["tags"] == {"t:v1": str(A.digest)}


@pytest.mark.rule("X4")
def test_a_locked_tag_is_not_taken_from_the_manifest_that_it_points_at() -> None:
    repository = soft()
    repository.push(A, "v1")
    repository.push(B)
    repository.delete(A)
    repository.push(B, "v1")
    repository.set(Tag("v1"), WriteEnabled=False)
    with pytest.raises(DisallowedOperation):
        repository.restore(A, "v1", force=True)
    assert repository.visible()["tags"] == {"t:v1": str(B.digest)}


@pytest.mark.rule("X5")
def test_a_purge_leaves_tombstones_and_nothing_to_restore() -> None:
    repository = soft()
    repository.push(A, "v1")
    repository.push(B, "v2")
    repository.delete(A)
    repository.purge()
    row = repository.table.rows[rows.manifest_key(A.digest)]
    assert (state_of(row), set(row.values)) == (State.GONE, {rows.GONE, "Stamp", "Updated"})
    with pytest.raises(ManifestUnknown):
        repository.restore(A)
    assert repository.visible()["tags"] == {"t:v2": str(B.digest)}
    assert repository.findings() == []


def test_the_most_that_soft_deletions_and_restorations_change_fits_one_transaction() -> None:
    repository = soft()
    for number in range(6):
        names = [f"t{number}-{n}" for n in range(15)]
        repository.push(A, *names)
        repository.push(B)
    doomed = repository.doomed(A)
    assert doomed is not None
    while len(doomed.tags) > KEPT_TAGS_A_TRANSACTION:
        repository.untag_some(A)
        doomed = repository.doomed(A)
        assert doomed is not None
    assert len(doomed.tags) == KEPT_TAGS_A_TRANSACTION
    repository.delete(B)
    made = repository.delete(A)  # The last one: the repository goes, too.
    assert KEPT_TAGS_A_TRANSACTION * 5 < len(made.changes) <= MAX_TRANSACTION_ROWS
    others = [image(100 + number) for number in range(90)]
    for number, other in enumerate(others):
        repository.push(other, f"t{number // 15}-{number % 15}")
    repository.restore(A, force=True)  # Memory refuses a transaction that is too large.
    assert len(repository.visible()["tags"]) == 90 > RESTORED_TAGS_A_TRANSACTION
    assert set(repository.visible()["tags"].values()) == {str(A.digest)}
    assert broken(repository) == []


@pytest.mark.rule("X6")
def test_what_happened_is_told_as_events() -> None:
    repository = soft()
    repository.push(A, "v1")
    repository.delete(A)
    found = repository.table.get([rows.REPOSITORY, rows.REMEMBERED, rows.manifest_key(A.digest)])
    row = found[rows.manifest_key(A.digest)]
    assert row is not None
    deleted = [each for key, each in repository.table.rows.items() if key in rows.DELETED_TAGS]
    found |= repository.table.get([rows.tag_key(Tag("v1"))])
    origin = Origin("somebody", "id")
    change = Restore(A.digest, origin=origin)
    moment = repository.moment()
    made = plan.restore(NAME, found, plan.Restorable(row, None, deleted), change, moment)
    (event,) = made.events
    assert (event.operation, event.digest, event.tags, event.origin, event.stamp) == (
        Operation.RESTORE,
        str(A.digest),
        ("v1",),
        origin,
        moment.stamp,
    )
    purged = plan.purge(NAME, found, [row], (), (), moment)
    assert [(e.operation, e.digest) for e in purged.events] == [(Operation.PURGE, str(A.digest))]


# The check: each invariant broken once.


def restorable() -> Repository:
    """A repository with an index and a tagged image that can be restored, and one that is live."""
    repository = soft()
    for manifest in (A, B, INDEX):
        repository.push(manifest)
    repository.push(REFERRER, "v1")
    repository.delete(REFERRER, INDEX)
    assert repository.findings() == []
    return repository


LOST = {
    "DM:": "missing",
    "DT:": "missing",
    "d:": "surplus",
    "c:": "missing: the child does not know its index",
}


@pytest.mark.rule("X7")
@pytest.mark.parametrize("kind", LOST)
def test_the_check_names_a_row_that_is_missing_of_what_can_be_restored(kind: str) -> None:
    repository = restorable()
    for key in [key for key in repository.table.rows if key.startswith(kind)]:
        del repository.table.rows[key]
    assert {finding.text for finding in broken(repository)} == {LOST[kind]}


@pytest.mark.rule("X7")
def test_the_check_names_a_row_that_lists_what_is_not_deleted() -> None:
    repository = restorable()
    time = repository.moment().now
    key = rows.deleted_manifest(time, A.digest)
    repository.table.transact([tables.insert(key)])
    assert [(f.key, f.text) for f in broken(repository)] == [(key, "surplus")]


@pytest.mark.rule("X7")
def test_the_check_names_a_deleted_manifest_that_is_listed_as_if_it_were_there() -> None:
    repository = restorable()
    row = repository.table.rows[rows.manifest_key(REFERRER.digest)]
    by_time = rows.manifest_time(row.time("Updated"), REFERRER.digest)
    referrer = rows.referrer(A.digest, REFERRER.digest)
    repository.table.transact([tables.insert(by_time), tables.insert(referrer)])
    assert {(f.key, f.text) for f in broken(repository)} == {
        (by_time, "surplus"),
        (referrer, "surplus"),
    }


@pytest.mark.rule("X7")
def test_the_check_names_a_blob_that_collection_may_take_from_what_can_be_restored() -> None:
    repository = soft()
    repository.layers = 1
    repository.push(A)
    repository.push(B)
    repository.delete(A)
    present = repository.table.rows
    needed = repository.needed(A)
    every = {**needed, **repository.needed(B)}
    whole = Snapshot(NAME, present, True, every, {})
    assert check(whole) == []
    (blob,) = needed
    need = blob_rows.requirement(NAME, A.digest)
    released = replace(every[blob][need], values={blob_rows.RELEASED: True})
    for part in (
        {**every[blob], need: released},
        {k: v for k, v in every[blob].items() if k != need},
    ):
        found = check(replace(whole, blobs={**every, blob: part}))
        assert [(f.key, f.text) for f in found] == [
            (need, f"collection may take it from {A.digest}")
        ]


@pytest.mark.rule("X7")
def test_the_check_names_a_repository_that_is_not_listed_among_the_deleted() -> None:
    present = restorable().table.rows
    whole = Snapshot(NAME, present, True, {}, {}, is_listed_as_deleted=True)
    assert check(whole) == []
    found = check(replace(whole, is_listed_as_deleted=False))
    assert [(f.key, f.is_broken) for f in found] == [(rows.REPOSITORY, True)]


@pytest.mark.rule("X7")
def test_the_check_tells_what_a_purge_has_left_as_garbage() -> None:
    repository = soft()
    repository.push(A, "v1")
    repository.delete(A)
    by_time = [key for key in repository.table.rows if key.startswith("DM:")]
    for key in by_time:
        del repository.table.rows[key]
    key = rows.manifest_key(A.digest)
    buried = rows.tombstone(repository.moment().now, "s")
    repository.table.transact([tables.upsert(key, **buried)])
    (finding,) = repository.findings()
    assert (finding.key.startswith("d:"), finding.is_broken) == (True, False)
    for key in [key for key in repository.table.rows if key.startswith(("d:", "DT:"))]:
        del repository.table.rows[key]
    (finding,) = repository.findings()
    assert (finding.key, finding.is_broken) == (rows.REMEMBERED, False)
