"""Which part of everything a night walks."""

from datetime import UTC, datetime, timedelta

from registry_core.lifecycle import nightly


def test_everything_is_walked_in_thirty_nights_whichever_day_they_begin() -> None:
    first = datetime(2026, 12, 28, 2, 43, tzinfo=UTC)
    nights = [first + timedelta(days=number) for number in range(nightly.NIGHTS)]
    assert {nightly.shard_of(night) for night in nights} == set(range(nightly.NIGHTS))


def test_a_walk_ends_before_a_function_is_ended() -> None:
    """`functionTimeout` in host.json is ten minutes."""
    assert nightly.SECONDS < 9 * 60
