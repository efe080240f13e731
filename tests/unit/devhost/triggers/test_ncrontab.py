"""Schedules of timer triggers, held against the words of NCrontab and against brute force."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devhost.triggers.ncrontab import NEVER, Schedule, ScheduleError

NAMES = ("second", "minute", "hour", "day", "month", "day-of-week")
LIMITS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
EVERY = "* * * * * *"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def field(name: str, text: str) -> frozenset[int]:
    """Parse `text` as one field of an expression whose other fields are stars."""
    position = NAMES.index(name)
    texts = EVERY.split()
    texts[position] = text
    return Schedule.parse(" ".join(texts)).fields[position]


@pytest.mark.parametrize(
    ("expression", "following"),
    [
        ("0 */5 * * * *", "2024-02-28 10:05:00"),
        ("0 0 */2 * * *", "2024-02-28 12:00:00"),
        ("0 0 9-17 * * *", "2024-02-28 11:00:00"),
        ("0 30 9 * * 1-5", "2024-02-29 09:30:00"),
        ("0 30 9 * Jan Mon", "2025-01-06 09:30:00"),
        ("0 0 0 29 2 *", "2024-02-29 00:00:00"),
        ("0 0 0 31 * *", "2024-03-31 00:00:00"),
        ("30 0 10 * * *", "2024-02-28 10:00:30"),
        ("*/5 * * * *", "2024-02-28 10:05:00"),
        ("  0   0  0 1 1 *  ", "2025-01-01 00:00:00"),
    ],
)
def test_the_next_time_is_the_first_that_matches(expression: str, following: str) -> None:
    assert Schedule.parse(expression).next_after(at("2024-02-28 10:00:00.5")) == at(following)


def test_a_time_on_the_schedule_is_not_its_own_successor() -> None:
    noon = at("2024-02-28 12:00:00")
    assert Schedule.parse("0 0 12 * * *").next_after(noon) == noon + timedelta(days=1)


def test_day_of_month_and_day_of_week_both_have_to_match() -> None:
    friday_the_13th = Schedule.parse("0 0 0 13 * FRI")
    assert friday_the_13th.next_after(at("2024-01-01")) == at("2024-09-13")


def test_a_day_that_no_month_has_never_comes() -> None:
    assert Schedule.parse("0 0 0 30 2 *").next_after(at("2024-01-01")) == NEVER


def test_a_leap_day_on_a_given_weekday_is_found_across_a_century_without_one() -> None:
    schedule = Schedule.parse("0 0 0 29 2 SUN")
    assert schedule.next_after(at("2088-03-01")) == at("2128-02-29")


def test_the_time_is_read_in_utc_whatever_zone_it_is_given_in() -> None:
    moment = datetime.fromisoformat("2024-02-28T23:30:00-05:00")
    assert Schedule.parse("0 0 5 * * *").next_after(moment) == at("2024-02-29 05:00:00")


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("hour", "8,12,16", {8, 12, 16}),
        ("hour", "8-10", {8, 9, 10}),
        ("hour", "8-12/2", {8, 10, 12}),
        ("hour", "20/2", {20, 22}),
        ("hour", "10-8", {8, 9, 10}),
        ("hour", "*/100", {0}),
        ("hour", "23/0", {23}),
        ("minute", "*/20", {0, 20, 40}),
        ("minute", "*/+30", {0, 30}),
        ("minute", "058", {58}),
        ("day-of-week", "0", {0}),
        ("day-of-week", "sun,SAT", {0, 6}),
        ("day-of-week", "Wednes", {3}),
        ("day-of-week", "FRI-SUN", {0, 1, 2, 3, 4, 5}),
        ("day-of-week", "T", {2}),
        ("month", "J", {1}),
        ("month", "ju", {6}),
        ("month", "Oct-December/2", {10, 12}),
        ("day", "31,1-2", {1, 2, 31}),
    ],
)
def test_a_field_is_a_list_of_values_ranges_and_steps(
    name: str, text: str, values: set[int]
) -> None:
    assert field(name, text) == values


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("second", "60"),
        ("minute", "-5"),
        ("minute", "5-"),
        ("minute", "1,"),
        ("minute", ",1"),
        ("minute", "1,,2"),
        ("minute", "/5"),
        ("minute", "*/"),
        ("minute", "*/x"),
        ("minute", "*/5/5"),
        ("minute", "1-2-3"),
        ("minute", "**"),
        ("minute", "*-5"),
        ("minute", "x"),
        ("minute", "1_0"),
        ("minute", "\u0661"),
        ("minute", "5\t5"),
        ("hour", "24"),
        ("hour", "9-24"),
        ("day", "0"),
        ("day", "32"),
        ("day", "L"),
        ("day", "15W"),
        ("day", "?"),
        ("month", "0"),
        ("month", "13"),
        ("month", "Mon"),
        ("day-of-week", "7"),
        ("day-of-week", "1-7"),
        ("day-of-week", "MON#1"),
        ("day-of-week", "5L"),
        ("day-of-week", "Mondays"),
    ],
)
def test_what_ncrontab_does_not_know_is_refused_with_the_name_of_the_field(
    name: str, text: str
) -> None:
    with pytest.raises(ScheduleError, match=f"{{{name}}}"):
        field(name, text)


@pytest.mark.parametrize("expression", ["", "*", "* * * *", "* * * * * * *", "@daily", "00:05:00"])
def test_an_expression_of_neither_five_nor_six_fields_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError, match="six"):
        Schedule.parse(expression)


def brute_force(fields: tuple[frozenset[int], ...], moment: datetime) -> datetime | None:
    """Walk day by day, and within the day over its times, for eight years."""
    seconds, minutes, hours, days, months, weekdays = fields
    times = [(h, m, s) for h in sorted(hours) for m in sorted(minutes) for s in sorted(seconds)]
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(8 * 366):
        day = midnight + timedelta(days=number)
        sunday_first = (day.weekday() + 1) % 7
        if day.day not in days or day.month not in months or sunday_first not in weekdays:
            continue
        for hour, minute, second in times:
            candidate = day.replace(hour=hour, minute=minute, second=second)
            if candidate > moment:
                return candidate
    return None


@st.composite
def field_texts(draw: st.DrawFn, minimum: int, maximum: int) -> str:
    value = st.integers(minimum, maximum).map(str)
    step = st.integers(1, maximum).map(str)
    item = st.one_of(
        st.just("*"),
        value,
        st.tuples(value, value).map("-".join),
        st.tuples(st.one_of(st.just("*"), value), step).map("/".join),
    )
    return ",".join(draw(st.lists(item, min_size=1, max_size=3)))


expressions = st.tuples(*(field_texts(*limits) for limits in LIMITS)).map(" ".join)
moments = st.floats(0, 130 * 365 * 24 * 3600).map(lambda s: at("1990-01-01") + timedelta(seconds=s))


@given(expressions, moments)
def test_the_next_time_is_the_one_that_brute_force_finds(expression: str, moment: datetime) -> None:
    schedule = Schedule.parse(expression)
    expected = brute_force(schedule.fields, moment)
    following = schedule.next_after(moment)
    if expected is None:
        # Too rare for the brute force; what was found must at least be no sooner.
        assert following >= moment + timedelta(days=8 * 365)
    else:
        assert following == expected
