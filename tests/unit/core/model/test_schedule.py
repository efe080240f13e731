"""A schedule that a setting may have is one that the Functions host runs, and not each second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devhost.triggers.ncrontab import Schedule
from registry_core.model.schedule import parse_schedule

_LIMITS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NAMES = ("", "", "", "", "jan feb Mar DEC", "sun Mon FRI sat")


def _item(index: int) -> st.SearchStrategy[str]:
    values = st.integers(*_LIMITS[index]).map(str)
    if _NAMES[index]:
        values |= st.sampled_from(_NAMES[index].split())
    spans = values | st.tuples(values, values).map("-".join) | st.just("*")
    return spans | st.tuples(spans, st.integers(1, 99).map(str)).map("/".join)


def _field(index: int) -> st.SearchStrategy[str]:
    return st.lists(_item(index), min_size=1, max_size=3).map(",".join)


@given(
    second=st.integers(0, 59).map(str), others=st.tuples(*(_field(index) for index in range(1, 6)))
)
def test_what_is_written_in_the_grammar_is_taken_and_the_host_takes_it(
    second: str, others: tuple[str, ...]
) -> None:
    text = parse_schedule("  ".join((second, *others)))
    assert text == " ".join((second, *others))
    assert Schedule.parse(text).fields[0] == {int(second)}


@given(st.text("0123456789*/-,? jJanLW#", min_size=9, max_size=24))
def test_what_is_taken_is_what_the_host_takes(text: str) -> None:
    try:
        taken = parse_schedule(text)
    except ValueError:
        return
    Schedule.parse(taken)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("*/4 6-17 * * 1-5", "5 fields"),
        ("0 */4 6-17 * * 1-5 2026", "7 fields"),
        ("* */4 6-17 * * 1-5", "the first field is for seconds"),
        ("*/5 * * * * *", "the first field is for seconds"),
        ("0,30 * * * * *", "the first field is for seconds"),
        ("60 * * * * *", "'60' is not valid in the field second"),
        ("0 60 * * * *", "'60' is not valid in the field minute"),
        ("0 0 24 * * *", "'24' is not valid in the field hour"),
        ("0 0 0 0 * *", "'0' is not valid in the field day"),
        ("0 0 0 32 * *", "'32' is not valid in the field day"),
        ("0 0 0 * 13 *", "'13' is not valid in the field month"),
        ("0 0 0 * * 7", "'7' is not valid in the field day of the week"),
        ("0 0 0 * * monday", "'monday' is not valid in the field day of the week"),
        ("0 */0 * * * *", "'*/0' is not valid in the field minute"),
        ("0 1- * * * *", "'1-' is not valid in the field minute"),
        ("0 , * * * *", "'' is not valid in the field minute"),
        ("0 0 0 L * *", "'L' is not valid in the field day"),
        ("0 0 0 ? * *", "'?' is not valid in the field day"),
        ("0 ٣ * * * *", "'٣' is not valid in the field minute"),
        ("٣ 0 * * * *", "'٣' is not valid in the field second"),
    ],
)
def test_what_is_no_schedule_is_refused_and_the_fault_named(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_schedule(text)
    assert told in str(refused.value)
