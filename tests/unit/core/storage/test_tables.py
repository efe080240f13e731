from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.storage import tables
from registry_core.storage.entities import Part
from registry_core.storage.tables import Row, RowChange

keys = st.sampled_from(["a", "b", "c"])
merges = st.builds(
    lambda key, etag, values: tables.merge(key, etag, **values),
    keys,
    st.none() | st.just("e"),
    st.dictionaries(st.sampled_from(["X", "Y", "Z"]), st.integers(0, 9)),
)


def test_merges_of_one_row_become_one_that_keeps_the_condition() -> None:
    combined = tables.combine(
        [
            tables.merge("m", "etag", Updated="1", Stamp="s"),
            tables.insert("t"),
            tables.merge("m", Touched="2"),
            tables.merge("m", Updated="3"),
        ]
    )
    assert combined == [
        tables.merge("m", "etag", Updated="3", Stamp="s", Touched="2"),
        tables.insert("t"),
    ]


def test_a_condition_that_comes_second_is_kept_too() -> None:
    assert tables.combine([tables.merge("m", A=1), tables.merge("m", "etag", B=2)]) == [
        tables.merge("m", "etag", A=1, B=2)
    ]


@given(st.lists(merges, max_size=12))
def test_combining_loses_no_column_and_no_condition(changes: list[RowChange]) -> None:
    combined = {change.key: change for change in tables.combine(changes)}
    assert list(combined) == list(dict.fromkeys(change.key for change in changes))
    for key, change in combined.items():
        ours = [one for one in changes if one.key == key]
        expected: dict[str, Any] = {}
        for one in ours:
            expected |= one.values
        assert change.values == expected
        assert change.etag == ("e" if any(one.etag for one in ours) else None)


MAKERS: dict[str, Any] = {
    "insert": tables.insert,
    "merge": tables.merge,
    "upsert": tables.upsert,
    "merge_or_insert": tables.merge_or_insert,
    "delete": tables.delete,
}


@pytest.mark.parametrize("first", MAKERS)
@pytest.mark.parametrize("second", MAKERS)
def test_no_other_two_changes_of_one_row_can_be_made_one(first: str, second: str) -> None:
    changes = [MAKERS[first]("row"), MAKERS[second]("row")]
    if {first, second} == {"merge"}:
        assert len(tables.combine(changes)) == 1
    else:
        with pytest.raises(ValueError, match="row"):
            tables.combine(changes)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (tables.insert("k", A=1), Part("POST", "k", {"A": 1})),
        (tables.merge("k", A=1), Part("PATCH", "k", {"A": 1}, "*")),
        (tables.merge("k", "e", A=1), Part("PATCH", "k", {"A": 1}, "e")),
        (tables.upsert("k", A=1), Part("PUT", "k", {"A": 1})),
        (tables.replace("k", "e", A=1), Part("PUT", "k", {"A": 1}, "e")),
        (tables.merge_or_insert("k", A=1), Part("PATCH", "k", {"A": 1})),
        (tables.delete("k"), Part("DELETE", "k", {}, "*")),
        (tables.delete("k", "e"), Part("DELETE", "k", {}, "e")),
    ],
)
def test_each_change_is_the_operation_it_is_named_after(change: RowChange, part: Part) -> None:
    """Without a condition a merge of a row that is not there would insert it."""
    assert tables._part(change) == part


def row(**values: Any) -> Row:
    return Row("p", "k", values, "etag", datetime.now(UTC))


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**63 - 1])
def test_a_number_is_a_number(number: int) -> None:
    assert row(Size=number).number("Size") == number


def test_missing_columns_are_empty() -> None:
    assert row().text("Tag") == ""
    assert row().number("Size") == 0
    assert row(Tag=7).text("Tag") == ""


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_to_the_microsecond(time: datetime) -> None:
    if time.year >= 1000:  # strftime pads no years.
        assert row(Updated=tables.time_value(time)).time("Updated") == time


def test_times_are_written_in_utc() -> None:
    local = datetime(2026, 1, 1, 1, 0, 0, 5, timezone(timedelta(hours=2)))
    assert tables.time_value(local) == "2025-12-31T23:00:00.000005Z"
