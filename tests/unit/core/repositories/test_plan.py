"""The planner alone: whatever is changed in whatever order, the rows stay in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import DisallowedOperation, ManifestUnknown, NameUnknown, Unavailable
from registry_core.model.attributes import COLUMNS
from registry_core.model.names import Tag
from registry_core.repositories import plan, rows
from registry_core.repositories.plan import MAX_TAGS
from registry_core.repositories.rows import State, state_of
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
)


def after(taken: Sequence[Step]) -> Repository:
    repository = Repository()
    for each in taken:
        with contextlib.suppress(*REFUSED):
            each(repository)
    return repository


@pytest.mark.rule("F7", "D7")
@given(st.lists(steps, max_size=12))
def test_any_sequence_of_changes_keeps_every_invariant_of_the_rows(taken: list[Step]) -> None:
    repository = Repository()
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
    seen = repository.visible()
    with contextlib.suppress(*CONFLICTS):
        repository.apply(made)
    assert repository.visible() == seen
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
        created = repository.table.rows[key].text("Created")
        repository.delete(A)
        row = repository.table.rows[key]
        assert (state_of(row), set(row.values)) == (State.GONE, {rows.GONE, "Stamp"})
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
        plan.Push(INDEX, ()),
        rows.Described(rows.Platform(), ()),
        repository.moment(),
    )
    with pytest.raises(ConditionFailed):
        repository.apply(from_before)
