"""The planner alone: whatever is changed in whatever order, the rows stay in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import DisallowedOperation, ManifestUnknown, NameUnknown, Unavailable
from registry_core.model.attributes import COLUMNS, Target
from registry_core.model.change import Operation, Origin, Push
from registry_core.model.manifest import Platform
from registry_core.model.names import Tag
from registry_core.repositories import plan, rows
from registry_core.repositories.plan import MAX_TAGS, TAGS_A_TRANSACTION
from registry_core.repositories.rows import Described, State, StoredTag, is_live, state_of
from registry_core.storage.faults import ConditionFailed, RowExists, RowMissing
from registry_core.storage.tables import MAX_TRANSACTION_ROWS
from tests.unit.core.repositories.memory import NAME, Repository, image, index

A, B = image(1), image(2)
REFERRER = image(3, subject=A)
INDEX = index(A, B)
MANIFESTS = (A, B, REFERRER, INDEX)
TAGS = ("v1", "v2", "latest")
REFUSED = (DisallowedOperation, ManifestUnknown, NameUnknown, Unavailable)
CONFLICTS = (ConditionFailed, RowExists, RowMissing)

Step = Callable[[Repository], object]
manifests, tags = st.sampled_from(MANIFESTS), st.sampled_from(TAGS)
attributes = st.dictionaries(st.sampled_from(COLUMNS), st.booleans(), min_size=1)
targets = st.sampled_from([None, *(m.digest for m in MANIFESTS), *map(Tag, TAGS)])


def step(name: str, *arguments: Any, **options: Any) -> Step:
    def take(repository: Repository) -> object:
        return getattr(repository, name)(*arguments, **options)

    take.__name__ = f"{name} {arguments} {options}"
    return take


steps = st.one_of(
    st.builds(lambda m, t: step("push", m, *t), manifests, st.lists(tags, unique=True)),
    st.builds(lambda t: step("untag", t), tags),
    st.builds(lambda m: step("delete", *m), st.lists(manifests, min_size=1, unique_by=id)),
    st.builds(lambda t, a: step("set", t, **a), targets, attributes),
    st.just(step("delete_blob")),
)


ticks = st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(seconds=1)])
"""Several changes may be within one microsecond, of which the rows by time know nothing less."""


def times(repository: Repository) -> dict[str, datetime]:
    """When each tag was updated last."""
    return {rows.TAGS.rest(key): row.time("Updated") for key, row in repository.live(rows.TAGS)}


def after(taken: Sequence[Step], tick: timedelta = timedelta(seconds=1)) -> Repository:
    repository = Repository(tick=tick)
    for each in taken:
        with contextlib.suppress(*REFUSED):
            each(repository)
    return repository


@pytest.mark.rule("F7", "D7")
@given(st.lists(steps, max_size=12), ticks)
def test_any_sequence_of_changes_keeps_every_invariant_of_the_rows(
    taken: list[Step], tick: timedelta
) -> None:
    repository = Repository(tick=tick)
    for each in taken:
        with contextlib.suppress(*REFUSED):
            each(repository)
        assert [f for f in repository.findings() if f.is_broken] == []
    # What only hints at an index that has gone is left to garbage collection.
    assert [f for f in repository.findings() if not f.key.startswith("c:")] == []


@pytest.mark.rule("F5")
@given(st.lists(steps, max_size=8), steps)
def test_a_plan_that_is_applied_twice_changes_nothing_the_second_time(
    taken: list[Step], last: Step
) -> None:
    repository = after(taken)
    try:
        made = last(repository)
    except REFUSED:
        return
    assert isinstance(made, plan.Plan)
    seen = repository.visible(), times(repository)
    with contextlib.suppress(*CONFLICTS):
        repository.apply(made)
    assert (repository.visible(), times(repository)) == seen
    assert [f for f in repository.findings() if f.is_broken] == []


@pytest.mark.rule("L1")
@given(st.lists(steps, max_size=8), steps)
def test_what_a_lock_forbids_is_refused_and_changes_nothing(taken: list[Step], last: Step) -> None:
    repository = after(taken)
    before = dict(repository.table.rows)
    try:
        last(repository)
    except REFUSED:
        assert repository.table.rows == before


INDEX_ROWS = ("T:", "M:", "g:", "c:", "s:", "hw", "hd", "hu")


def pushed_with_everything() -> Repository:
    repository = Repository()
    for manifest in (A, B, INDEX):
        repository.push(manifest)
    repository.push(REFERRER, "v1")
    repository.push(A, "v2")
    return repository


MEETING: dict[str, list[Step]] = {
    "T:": [step("push", B, "v1"), step("untag", "v1"), step("delete", REFERRER)],
    "g:": [step("push", B, "v1"), step("untag", "v1"), step("delete", REFERRER)],
    "M:": [step("push", REFERRER, "v1"), step("delete", REFERRER)],
    "s:": [step("push", REFERRER, "v1"), step("delete", REFERRER)],
    "c:": [step("push", INDEX)],
    "hw": [step("push", B, "v1"), step("set", None, WriteEnabled=True)],
    "hd": [step("untag", "v1"), step("delete", REFERRER), step("set", None, WriteEnabled=True)],
    "hu": [step("push", B, "v1"), step("untag", "v1")],
}


@pytest.mark.rule("F6")
@pytest.mark.parametrize(
    ("kind", "number"), [(kind, n) for kind, steps in MEETING.items() for n in range(len(steps))]
)
def test_a_change_that_meets_a_missing_row_succeeds_and_leaves_it_right(
    kind: str, number: int
) -> None:
    repository = pushed_with_everything()
    about = str(REFERRER.digest) if kind in ("M:", "g:", "s:") else "v1" if kind == "T:" else ""
    lost = [k for k in repository.table.rows if k.startswith(kind) and about in k]
    assert lost
    for key in lost:
        del repository.table.rows[key]
    assert [f for f in repository.findings() if f.is_broken]
    MEETING[kind][number](repository)
    assert repository.findings() == []


@pytest.mark.rule("L2")
def test_a_guard_is_not_made_again_where_a_lock_took_it() -> None:
    repository = pushed_with_everything()
    repository.set(None, WriteEnabled=False)
    assert not {*rows.GUARDS} & repository.table.rows.keys()
    for refused in (step("push", B, "v1"), step("untag", "v1"), step("delete", A)):
        with pytest.raises(DisallowedOperation):
            refused(repository)
    repository.set(None, WriteEnabled=True)
    repository.push(B, "v1")


def test_the_most_that_a_push_can_change_fits_one_transaction() -> None:
    repository = Repository()
    names = [f"t{number}" for number in range(MAX_TAGS)]
    for number, name in enumerate(names):
        repository.push(image(100 + number), name)
    moved = image(99, subject=A)
    repository.push(moved)
    made = repository.push(moved, *names)
    # A guard that has to be made again takes one row more.
    assert len(made.changes) + 1 <= MAX_TRANSACTION_ROWS


@pytest.mark.rule("P4")
def test_a_tombstone_keeps_a_stamp_and_passes_nothing_on() -> None:
    repository = Repository()
    repository.push(A, "v1")
    repository.push(B)
    repository.set(Tag("v1"), ListEnabled=False)
    for key in (rows.tag_key(Tag("v1")), rows.manifest_key(A.digest)):
        known = repository.table.rows[key]
        created = known.text("Created")
        repository.delete(A)
        row = repository.table.rows[key]
        assert (state_of(row), set(row.values)) == (State.GONE, {rows.GONE, "Stamp", "Updated"})
        assert row.text("Updated") == known.text("Updated")
        repository.push(A, "v1")
        row = repository.table.rows[key]
        assert state_of(row) is State.LIVE
        assert row.text("Created") > created
        assert "ListEnabled" not in row.values


@pytest.mark.rule("L5")
def test_a_repository_that_may_not_be_deleted_stays_when_it_is_empty_until_it_may() -> None:
    repository = Repository()
    repository.push(A, "v1")
    repository.set(None, DeleteEnabled=False)
    repository.delete(A)
    assert state_of(repository.table.rows[rows.REPOSITORY]) is State.LIVE
    assert repository.findings() == []
    repository.set(None, DeleteEnabled=True)
    assert state_of(repository.table.rows[rows.REPOSITORY]) is State.GONE
    assert repository.findings() == []


@pytest.mark.rule("D8")
def test_a_repository_that_is_being_deleted_takes_no_pushes_untags_or_locks() -> None:
    repository = Repository()
    repository.push(A, "v1")
    keys = [rows.REPOSITORY, *rows.GUARDS]
    repository.change(lambda found, moment: plan.begin_deletion(NAME, found, moment), keys)
    refused = (
        step("push", B, "v2"),
        step("untag", "v1"),
        step("set", Tag("v1"), WriteEnabled=False),
    )
    for each in refused:
        with pytest.raises(Unavailable):
            each(repository)
    repository.delete(A)
    assert [f.key for f in repository.findings()] == []


@pytest.mark.rule("P5")
def test_an_index_touches_its_children_on_the_versions_that_were_read() -> None:
    repository = Repository()
    repository.push(A)
    repository.push(B)
    read = repository.table.get(
        [rows.REPOSITORY, *(rows.manifest_key(m.digest) for m in (INDEX, A, B))]
    )
    repository.delete(A)
    from_before = plan.push(
        NAME,
        read,
        Push(INDEX, ()),
        Described(Platform(), ()),
        repository.moment(),
    )
    with pytest.raises(ConditionFailed):
        repository.apply(from_before)


# Locks: each attribute of each target, against each change. Written by hand.

NEW = image(4)
CHANGES: dict[str, Step] = {
    "push a new manifest": step("push", NEW, "new"),
    "push a new manifest under the tag": step("push", NEW, "v1"),
    "push the manifest again": step("push", A),
    "push the manifest again under its tag": step("push", A, "v1"),
    "give the manifest another tag": step("push", A, "new"),
    "point the tag at another manifest": step("push", B, "v1"),
    "push another manifest again": step("push", B),
    "untag": step("untag", "v1"),
    "delete the manifest": step("delete", A),
    "delete another manifest": step("delete", B),
    "delete a blob": step("delete_blob"),
    "delete the repository": step("delete_repository"),
}
FORBIDDEN: dict[tuple[Target, str], set[str]] = {
    (Target.REPOSITORY, "WriteEnabled"): {
        "push a new manifest",
        "push a new manifest under the tag",
        "give the manifest another tag",
        "point the tag at another manifest",
        "untag",
        "delete the manifest",
        "delete another manifest",
        "delete a blob",
        "delete the repository",
    },
    (Target.REPOSITORY, "DeleteEnabled"): {"delete the repository"},
    (Target.MANIFEST, "WriteEnabled"): {
        "give the manifest another tag",
        "delete the manifest",
        "delete the repository",
    },
    (Target.MANIFEST, "DeleteEnabled"): {"delete the manifest", "delete the repository"},
    (Target.TAG, "WriteEnabled"): {
        "push a new manifest under the tag",
        "point the tag at another manifest",
        "untag",
        "delete the manifest",
        "delete the repository",
    },
    (Target.TAG, "DeleteEnabled"): {"untag", "delete the manifest", "delete the repository"},
}
"""What of `CHANGES` is refused; `ReadEnabled` and `ListEnabled` forbid no change."""
LOCKED = {Target.REPOSITORY: None, Target.MANIFEST: A.digest, Target.TAG: Tag("v1")}
NOTHING_CHANGES = {"push the manifest again", "push the manifest again under its tag"}


def of_two(tick: timedelta = timedelta(seconds=1)) -> Repository:
    """A repository that holds `A`, tagged `v1`, and `B`."""
    repository = Repository(tick=tick)
    repository.push(A, "v1")
    repository.push(B)
    return repository


@pytest.mark.rule("L1")
@pytest.mark.parametrize(("target", "column"), [*product(Target, COLUMNS)])
@pytest.mark.parametrize("name", CHANGES)
def test_each_lock_forbids_the_changes_that_it_means(
    target: Target, column: str, name: str
) -> None:
    repository = of_two()
    repository.set(LOCKED[target], **{column: False})
    before = repository.visible()
    if name in FORBIDDEN.get((target, column), ()):
        with pytest.raises(DisallowedOperation):
            CHANGES[name](repository)
        assert repository.visible() == before
    else:
        CHANGES[name](repository)
        if name in NOTHING_CHANGES:
            assert repository.visible() == before
    assert repository.findings() == []
    # Attributes can be set whatever they are, as long as what they are of is there.
    with contextlib.suppress(NameUnknown, ManifestUnknown):
        repository.set(LOCKED[target], **{column: True})
    assert repository.findings() == []


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("name", CHANGES)
def test_no_change_is_forbidden_once_the_locks_are_taken_away(target: Target, name: str) -> None:
    repository = of_two()
    repository.set(LOCKED[target], **dict.fromkeys(COLUMNS, False))
    repository.set(LOCKED[target], **dict.fromkeys(COLUMNS, True))
    CHANGES[name](repository)
    assert repository.findings() == []


OVERTAKEN = [
    (target, column, name)
    for (target, column), forbidden in FORBIDDEN.items()
    for name in sorted(forbidden - {"delete the repository"})
]


@pytest.mark.rule("L2", "L3")
@pytest.mark.parametrize(("target", "column", "name"), OVERTAKEN)
def test_a_change_planned_before_a_lock_is_not_applied_after_it(
    target: Target, column: str, name: str
) -> None:
    repository, twin = of_two(), of_two()
    made = CHANGES[name](twin)  # From the same rows on the same versions.
    assert isinstance(made, plan.Plan)
    repository.set(LOCKED[target], **{column: False})
    before = repository.visible()
    with pytest.raises(CONFLICTS):
        repository.apply(made)
    assert repository.visible() == before


def test_a_tag_that_is_locked_keeps_all_tags_of_a_push_where_they_are() -> None:
    repository = of_two()
    repository.set(Tag("v1"), WriteEnabled=False)
    before = repository.visible()
    for tags_ in (("v2", "v1"), ("v1", "v2")):
        with pytest.raises(DisallowedOperation):
            repository.push(NEW, *tags_)
    assert repository.visible() == before


def test_a_tag_that_is_locked_and_points_at_the_manifest_does_not_hinder_the_others() -> None:
    repository = of_two()
    repository.push(B, "v2")
    repository.set(Tag("v1"), WriteEnabled=False)
    before = repository.table.rows[rows.tag_key(Tag("v1"))]
    made = repository.push(A, "v1", "v2", "v3")
    assert [event.tag for event in made.events] == ["v1", "v2", "v3"]
    assert repository.table.rows[rows.tag_key(Tag("v1"))] == before
    seen = repository.visible()["tags"]
    assert set(seen.values()) == {str(A.digest)}
    assert set(seen) == {"t:v1", "t:v2", "t:v3"}
    assert repository.findings() == []


@pytest.mark.rule("L4")
def test_a_push_that_changes_nothing_where_something_is_locked_writes_nothing() -> None:
    repository = of_two()
    repository.set(A.digest, WriteEnabled=False)
    made = repository.push(A, "v1")
    assert (list(made.changes), [event.operation for event in made.events]) == (
        [],
        [Operation.PUSH],
    )


# Many tags.


def with_many_tags(count: int) -> Repository:
    repository = of_two()
    names = [f"t{number:03}" for number in range(count)]
    for first in range(0, count, MAX_TAGS):
        repository.push(A, *names[first : first + MAX_TAGS])
    return repository


@pytest.mark.rule("D6")
def test_a_part_of_the_tags_goes_and_leaves_a_repository_in_order() -> None:
    repository = with_many_tags(2 * TAGS_A_TRANSACTION)
    before = set(repository.visible()["tags"])
    made = repository.untag_some(A)
    gone = before - set(repository.visible()["tags"])
    assert len(gone) == TAGS_A_TRANSACTION
    assert {(event.operation, event.tag) for event in made.events} == {
        (Operation.UNTAG, rows.TAGS.rest(tag)) for tag in gone
    }
    assert is_live(repository.table.rows[rows.manifest_key(A.digest)])
    assert repository.findings() == []


@pytest.mark.parametrize("number", [0, TAGS_A_TRANSACTION + 5])
@pytest.mark.parametrize("column", ["WriteEnabled", "DeleteEnabled"])
def test_no_tag_goes_if_any_of_them_is_locked(number: int, column: str) -> None:
    repository = with_many_tags(2 * TAGS_A_TRANSACTION)
    repository.set(Tag(f"t{number:03}"), **{column: False})
    before = repository.visible()
    with pytest.raises(DisallowedOperation):
        repository.untag_some(A)
    assert repository.visible() == before


@pytest.mark.rule("D6")
@pytest.mark.parametrize(
    "other", [step("push", A, "late"), step("set", A.digest, DeleteEnabled=False)]
)
def test_no_part_of_a_deletion_is_applied_after_another_change_of_the_manifest(
    other: Step,
) -> None:
    repository = with_many_tags(2 * TAGS_A_TRANSACTION)
    doomed = repository.doomed(A)
    assert doomed is not None
    found = repository.table.get([rows.REPOSITORY])
    late = plan.untag_some(NAME, found, doomed, Origin(), repository.moment())
    other(repository)
    before = repository.visible()
    with pytest.raises(ConditionFailed):
        repository.apply(late)
    assert repository.visible() == before


# Nothing, and what is going.


@pytest.mark.rule("P7")
def test_where_there_is_no_repository_a_tombstone_makes_a_push_under_way_begin_again() -> None:
    repository = Repository()
    for _ in range(2):
        read = repository.table.get([rows.REPOSITORY, rows.manifest_key(A.digest)])
        under_way = plan.push(
            NAME, read, Push(A, ()), Described(Platform(), ()), repository.moment()
        )
        repository.change(
            lambda found, moment: plan.bury_nothing(NAME, found, moment), [rows.REPOSITORY]
        )
        row = repository.table.rows[rows.REPOSITORY]
        assert (state_of(row), set(row.values)) == (State.GONE, {rows.GONE, "Stamp"})
        with pytest.raises((RowExists, ConditionFailed)):
            repository.apply(under_way)
    repository.push(A)
    assert repository.findings() == []


@pytest.mark.rule("P7")
def test_a_repository_that_is_there_is_not_buried_as_nothing() -> None:
    repository = of_two()
    before = dict(repository.table.rows)
    with pytest.raises(NameUnknown):
        repository.change(
            lambda found, moment: plan.bury_nothing(NAME, found, moment), [rows.REPOSITORY]
        )
    assert repository.table.rows == before


@pytest.mark.rule("D8")
def test_a_repository_that_is_being_deleted_can_lose_manifests_until_that_is_called_off() -> None:
    repository = of_two()
    repository.begin_deletion()
    doomed = repository.doomed(A)
    assert doomed is not None
    found = repository.table.get([rows.REPOSITORY])
    late = plan.delete_manifests(NAME, found, [doomed], Origin(), repository.moment())
    repository.end_deletion()
    assert repository.findings() == []
    with pytest.raises(ConditionFailed):
        repository.apply(late)
    repository.begin_deletion()
    repository.delete(A)
    assert [key for key, _ in repository.live(rows.MANIFESTS)] == [rows.manifest_key(B.digest)]
    assert plan.is_being_deleted(repository.table.rows[rows.REPOSITORY])
    repository.delete_repository()
    assert repository.visible() == {"manifests": set(), "tags": {}}
    assert state_of(repository.table.rows[rows.REPOSITORY]) is State.GONE
    assert repository.findings() == []
    with pytest.raises(NameUnknown):
        repository.delete_repository()


@pytest.mark.rule("D8")
def test_a_deletion_that_another_has_called_off_opens_no_lock() -> None:
    repository = of_two()
    repository.begin_deletion()
    repository.end_deletion()
    repository.set(None, WriteEnabled=False)
    repository.end_deletion()  # Of somebody who met the same locked manifest.
    assert repository.findings() == []
    assert not {*rows.GUARDS} & repository.table.rows.keys()


# Times.


names = st.lists(
    st.text("abAB01._-", min_size=1, max_size=3).filter(lambda text: text[0] not in ".-"),
    min_size=1,
    max_size=MAX_TAGS,
    unique=True,
)


@given(st.lists(steps, max_size=6), names, names, ticks)
def test_the_tags_of_a_push_are_each_later_than_the_one_before_and_share_one_stamp(
    taken: list[Step], first: list[str], second: list[str], tick: timedelta
) -> None:
    repository = after(taken, tick)
    try:
        repository.push(NEW, *first)
        repository.push(NEW, *second)
    except REFUSED:
        return
    found = times(repository)
    shown = [found[name] for name in second]
    assert shown == sorted(set(shown))
    assert shown[-1] - shown[0] < timedelta(microseconds=MAX_TAGS)
    tags = [repository.table.rows[rows.tag_key(Tag(name))] for name in second]
    manifest = repository.table.rows[rows.manifest_key(NEW.digest)]
    assert {row.text("Stamp") for row in tags} == {manifest.text("Stamp")}
    # The other rows of a tag tell the same time, and no two tags stand at one place.
    listed = sorted(key for key in repository.table.rows if key in rows.TAG_TIMES)
    assert {rows.name_in(key): rows.time_in(key) for key in listed} == found
    assert len(listed) == len(found)
    for key, row in repository.table.rows.items():
        if key in rows.MANIFEST_TAGS:
            assert row.time("Updated") == found[key.rpartition(":")[2]]
    assert [f for f in repository.findings() if f.is_broken] == []


@given(st.lists(steps, max_size=6), names, steps)
def test_a_later_change_is_later_than_every_tag_of_the_push_before_it(
    taken: list[Step], pushed: list[str], last: Step
) -> None:
    repository = after(taken)
    with contextlib.suppress(*REFUSED):
        repository.push(NEW, *pushed)
    before = dict(repository.table.rows)
    latest = max((row.text("Stamp") for row in before.values()), default="")
    youngest = max(times(repository).values(), default=None)
    with contextlib.suppress(*REFUSED):
        last(repository)
    for key, row in repository.table.rows.items():
        stamp = row.text("Stamp")
        if stamp and stamp != (before[key].text("Stamp") if key in before else ""):
            assert stamp > latest
            if youngest and key in rows.TAGS and is_live(row):
                assert row.time("Updated") > youngest


# What a push leaves as it is.


@pytest.mark.parametrize("tick", [timedelta(0), timedelta(microseconds=1), timedelta(days=1)])
def test_what_is_pushed_again_keeps_its_age_and_locks_and_has_one_row_by_time(
    tick: timedelta,
) -> None:
    repository = of_two(tick)
    repository.set(Tag("v1"), ListEnabled=False)
    repository.set(A.digest, ReadEnabled=False)
    before = dict(repository.table.rows)
    repository.push(A, "v1")
    assert repository.findings() == []
    for key in (rows.tag_key(Tag("v1")), rows.manifest_key(A.digest)):
        one, other = before[key], repository.table.rows[key]
        changed = {name for name in other.values if one.values.get(name) != other.values[name]}
        assert changed <= {"Updated", "Stamp"}
        assert other.text("Created") == one.text("Created")
    by_time = [row for key, row in repository.table.rows.items() if key in rows.TAG_TIMES]
    assert [row.values.get("ListEnabled") for row in by_time] == [False]


@pytest.mark.rule("P3")
def test_a_tag_that_moves_tells_since_when_the_manifest_it_left_is_untagged() -> None:
    repository = of_two()
    repository.push(B, "v1")
    tag = StoredTag.from_row(repository.table.rows[rows.tag_key(Tag("v1"))])
    left = repository.table.rows[rows.manifest_key(A.digest)]
    assert left.time("Untagged") == tag.updated
    repository.push(A, "v1")
    assert repository.table.rows[rows.manifest_key(A.digest)].text("Untagged") == ""
