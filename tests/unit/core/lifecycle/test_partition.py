"""What may go of the rows of a blob, decided without storage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.blobs import rows
from registry_core.lifecycle.backup.holds import Hold
from registry_core.lifecycle.collection.ages import DOWNLOAD, TOMBSTONE, Ages
from registry_core.lifecycle.collection.partition import (
    Decision,
    ManifestOf,
    Partition,
    decide,
    partitions,
)
from registry_core.lifecycle.collection.report import Kept, Kind, Report, Thing
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories.executor import CHANGE_DEADLINE
from registry_core.settings import MIN_GRACE, Settings, StorageSettings
from registry_core.storage import sas
from registry_core.storage.objects import Location
from registry_core.storage.tables import MAX_TRANSACTION_ROWS, Row

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AGES = Ages(link=timedelta(hours=24), upload=timedelta(days=8), doomed=timedelta(hours=25))
DIGEST = str(Digest.of(b"blob"))
HERE, THERE = Location("account", "content", "here"), Location("account", "content", "there")
APP, WEB = RepositoryName("team/app"), RepositoryName("team/web")
MANIFEST = Digest.of(b"manifest")


def row(key: str, age: timedelta, **values: object) -> Row:
    return Row(DIGEST, key, values, f"version of {key}", NOW - age)


OLD, YOUNG = timedelta(days=30), timedelta(minutes=29)
CONTENT = row(rows.BLOB, OLD, Location=str(HERE), Size=7)
MARKER = row(rows.marker(HERE), OLD)


def link(name: RepositoryName, age: timedelta = OLD) -> Row:
    return row(rows.link(name), age, Location=str(HERE), Size=7)


def need(name: RepositoryName, age: timedelta = OLD, *, released: bool = False) -> Row:
    values = {rows.RELEASED: True} if released else {}
    return row(rows.requirement(name, MANIFEST), age, **values)


def doomed(location: Location, age: timedelta = OLD) -> Row:
    return row(rows.doomed(location), age, Size=7)


def made(*found: Row, gone: Collection[ManifestOf] = ()) -> Decision:
    return decide(Partition(DIGEST, sorted(found, key=lambda r: r.key)), gone, NOW, AGES)


def kinds(decision: Decision) -> set[Kind]:
    return {thing.kind for thing in decision.things}


@pytest.mark.rule("G1")
@pytest.mark.parametrize("age", [timedelta(0), YOUNG, timedelta(minutes=30), OLD])
@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_need_goes_if_it_is_old_and_released_or_its_manifest_has_gone(
    age: timedelta, released: bool, is_gone: bool
) -> None:
    found = made(need(APP, age, released=released), gone={(APP, MANIFEST)} if is_gone else ())
    is_old = age >= timedelta(minutes=30)
    assert (Kind.NEED in kinds(found)) is (is_old and (released or is_gone))
    assert (found.due == NOW - age + timedelta(minutes=30)) is not is_old


@pytest.mark.rule("G1")
def test_only_manifests_are_looked_for_of_which_it_matters() -> None:
    for found, asked in (
        (need(APP), {(APP, MANIFEST)}),
        (need(APP, YOUNG), set()),
        (need(APP, released=True), set()),
    ):
        assert Partition(DIGEST, [found]).questions(NOW, AGES) == asked


@pytest.mark.rule("G2")
@pytest.mark.parametrize("age", [timedelta(hours=23, minutes=59), timedelta(hours=24)])
def test_a_link_that_no_manifest_needs_goes_after_the_grace_period(age: timedelta) -> None:
    found = made(CONTENT, MARKER, link(APP, age))
    is_old = age == timedelta(hours=24)
    assert (Kind.LINK in kinds(found)) is is_old
    assert (found.due == NOW - age + AGES.link) is not is_old


@pytest.mark.rule("G2")
@pytest.mark.parametrize("holds", [need(APP), need(APP, YOUNG), need(APP, YOUNG, released=True)])
def test_a_link_stays_while_the_repository_has_a_need_that_stays(holds: Row) -> None:
    found = made(CONTENT, MARKER, link(APP), link(WEB), holds)
    assert [change.key for change in found.changes] == [rows.link(WEB)]
    assert not found.content


@pytest.mark.rule("G3")
def test_the_content_goes_with_its_marker_in_the_transaction_that_dooms_its_object() -> None:
    found = made(CONTENT, MARKER)
    assert [(c.kind, c.key, c.etag) for c in found.content] == [
        ("delete", CONTENT.key, CONTENT.etag),
        ("delete", MARKER.key, MARKER.etag),
        ("create", rows.doomed(HERE), None),
    ]
    assert found.due == NOW + AGES.doomed


@pytest.mark.rule("G3")
def test_content_without_its_marker_goes_alone_and_other_markers_stay() -> None:
    found = made(CONTENT, row(rows.marker(THERE), OLD))
    assert [change.key for change in found.content] == [CONTENT.key, rows.doomed(HERE)]


@pytest.mark.rule("G3", "G4")
def test_content_waits_until_its_object_is_not_doomed_any_more() -> None:
    young = made(CONTENT, MARKER, doomed(HERE, YOUNG))
    assert young.is_empty
    assert young.due == NOW - YOUNG + AGES.doomed
    old = made(CONTENT, MARKER, doomed(HERE))
    assert not old.content
    assert [(each.location, each.is_named) for each in old.doomed] == [(HERE, True)]


@pytest.mark.rule("G4")
@pytest.mark.parametrize("age", [AGES.doomed - timedelta(seconds=1), AGES.doomed])
def test_an_object_goes_when_nobody_can_be_reading_it(age: timedelta) -> None:
    found = made(CONTENT, MARKER, link(APP), need(APP), doomed(THERE, age))
    assert [each.is_named for each in found.doomed] == [False] * (age == AGES.doomed)
    assert found.doomed or found.due == NOW - age + AGES.doomed


def test_ages_are_those_of_the_settings_and_never_less_than_a_push_relies_on() -> None:
    settings = Settings(storage=StorageSettings(), gc_grace=timedelta(0))
    ages = Ages.of(settings)
    assert ages.link == MIN_GRACE == timedelta(hours=1)
    assert ages.upload == settings.upload_expiry + MIN_GRACE
    assert ages.doomed == settings.cache_ttl + sas.LIFETIME + DOWNLOAD
    assert ages.change == TOMBSTONE == 3 * CHANGE_DEADLINE == timedelta(minutes=30)
    long = replace(settings, gc_grace=timedelta(days=3))
    assert Ages.of(long).link == timedelta(days=3)


@given(st.integers(0, 350), st.booleans())
@pytest.mark.rule("G9")
def test_changes_are_cut_into_transactions_and_the_content_stays_whole(
    needs: int, has_content: bool
) -> None:
    every = [
        row(rows.requirement(APP, Digest.of(b"%d" % number)), OLD, **{rows.RELEASED: True})
        for number in range(needs)
    ]
    content = [CONTENT, MARKER] if has_content else []
    found = made(*every, link(APP), *content)
    parts = list(found.transactions())
    assert [len(part) <= MAX_TRANSACTION_ROWS for part in parts] == [True] * len(parts)
    assert [c for part in parts for c in part] == [*found.changes, *found.content]
    assert set(map(id, found.content)) <= set(map(id, parts[-1]))
    # Needs go before links, and these before the content.
    kept = [change.key[:2] for change in found.changes]
    assert kept == ["r:"] * needs + ["l:"]


def test_rows_of_many_partitions_are_told_apart() -> None:
    some = [Row(str(n // 3), str(n), {}, "", NOW) for n in range(10)]
    found = list(partitions(some))
    assert [(each.digest, len(each.rows)) for each in found] == [
        ("0", 3),
        ("1", 3),
        ("2", 3),
        ("3", 1),
    ]
    assert list(partitions([])) == []


def test_reports_add_up() -> None:
    one = Report.of([Thing(Kind.OBJECT, "", "", 5), Thing(Kind.LINK, "", "")], [Kept.YOUNG])
    both = one + Report.of([Thing(Kind.OBJECT, "", "", 2)]) + Report(failed=1)
    assert both.gone == {Kind.OBJECT: 2, Kind.LINK: 1}
    assert (both.size, both.visits, both.failed, both.kept) == (7, 2, 1, {Kept.YOUNG: 1})


@pytest.mark.rule("G11")
@pytest.mark.parametrize(("after", "goes"), [(-1, True), (0, False), (1, False)])
def test_an_object_that_was_doomed_since_a_hold_began_stays_until_the_hold_ends(
    after: int, goes: bool
) -> None:
    """One that was doomed before, no backup has named."""
    begun = NOW - timedelta(days=3)
    hold = Hold(begun, NOW + timedelta(hours=5))
    found = Partition(DIGEST, [doomed(HERE, timedelta(days=3, seconds=-after))])
    made = decide(found, (), NOW, AGES, hold)
    assert [each.location for each in made.doomed] == [HERE] * goes
    assert made.kept == [Kept.HELD] * (not goes)
    assert made.due == (None if goes else hold.until)
    assert [each.location for each in decide(found, (), NOW, AGES).doomed] == [HERE]


@pytest.mark.rule("G11")
def test_a_hold_keeps_no_rows() -> None:
    hold = Hold(NOW - timedelta(days=60), NOW + timedelta(days=1))
    found = Partition(DIGEST, [MARKER, CONTENT, link(APP), need(APP, released=True)])
    assert decide(found, (), NOW, AGES, hold).things == decide(found, (), NOW, AGES).things
