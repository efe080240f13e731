from collections.abc import Hashable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.storage.cache import Cache

TTL = timedelta(seconds=60)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def kept(cache: Cache[str], *cached: Hashable) -> list[bool]:
    return [cache.get(key) is not None for key in cached]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_value_is_there_until_its_time_is_over(clock: Clock) -> None:
    cache = Cache[str](TTL, now=clock)
    cache.put("a", "x")
    for passed in (0.0, 59.9):
        clock.now = 1000 + passed
        assert cache.get("a") == "x"
    clock.now = 1060
    assert cache.get("a") is None
    clock.now = 1000
    assert cache.get("a") is None


def test_reading_does_not_prolong_and_putting_does(clock: Clock) -> None:
    cache = Cache[str](TTL, now=clock)
    cache.put("a", "x")
    cache.put("b", "x")
    clock.now += 40
    cache.get("a")
    cache.put("b", "y")
    clock.now += 40
    assert (cache.get("a"), cache.get("b")) == (None, "y")


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1)])
def test_without_a_time_to_live_nothing_is_kept(ttl: timedelta, clock: Clock) -> None:
    cache = Cache[str](ttl, now=clock)
    cache.put("a", "x")
    assert cache.get("a") is None


def test_the_least_recently_used_entry_goes_first(clock: Clock) -> None:
    cache = Cache[str](TTL, max_entries=3, now=clock)
    for key in "abc":
        cache.put(key, "x")
    cache.get("a")
    cache.put("d", "x")
    assert kept(cache, "a", "b", "c", "d") == [True, False, True, True]


def test_entries_make_room_for_bytes(clock: Clock) -> None:
    cache = Cache[str](TTL, max_bytes=100, now=clock)
    for key in "abcd":
        cache.put(key, "x", 25)
    assert kept(cache, *"abcd") == [True] * 4
    cache.put("e", "x", 1)
    assert kept(cache, *"abcde") == [False, True, True, True, True]


def test_what_would_push_out_most_of_the_others_is_not_kept(clock: Clock) -> None:
    cache = Cache[str](TTL, max_bytes=100, now=clock)
    cache.put("small", "x", 25)
    cache.put("large", "x", 26)
    assert kept(cache, "small", "large") == [True, False]


def test_a_value_too_large_to_keep_still_replaces_the_old_one(clock: Clock) -> None:
    cache = Cache[str](TTL, max_bytes=100, now=clock)
    cache.put("a", "old", 5)
    cache.put("a", "new", 90)
    assert cache.get("a") is None


def test_a_discarded_value_is_gone_and_discarding_again_is_no_fault(clock: Clock) -> None:
    cache = Cache[str](TTL, now=clock)
    cache.put("a", "x")
    cache.discard("a")
    cache.discard("a")
    assert cache.get("a") is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "get", "discard"]), st.integers(0, 9), st.integers(0, 40)
        ),
        max_size=60,
    )
)
def test_bounds_hold_and_bytes_are_counted_right_whatever_happens(
    steps: list[tuple[str, int, int]],
) -> None:
    clock = Clock()
    cache = Cache[int](TTL, max_entries=5, max_bytes=100, now=clock)
    for step, key, size in steps:
        clock.now += size
        if step == "put":
            cache.put(key, size, size)
            assert cache.get(key) == (size if size <= 25 else None)
        elif step == "get":
            cache.get(key)
        else:
            cache.discard(key)
        assert len(cache._entries) <= 5
        assert cache._bytes == sum(entry[1] for entry in cache._entries.values()) <= 100


def test_a_value_read_before_something_was_discarded_is_not_kept() -> None:
    cache: Cache[str] = Cache(timedelta(seconds=60))
    ticket = cache.ticket()
    cache.discard("deleted")
    cache.put("deleted", "as it was read before", ticket=ticket)
    assert cache.get("deleted") is None
    cache.put("deleted", "as it was read after", ticket=cache.ticket())
    assert cache.get("deleted") == "as it was read after"


def test_making_room_and_growing_old_keep_nothing_from_being_put() -> None:
    cache: Cache[str] = Cache(timedelta(seconds=60), max_entries=1)
    ticket = cache.ticket()
    cache.put("one", "1", ticket=ticket)
    cache.put("two", "2", ticket=ticket)
    assert (cache.get("one"), cache.get("two")) == (None, "2")


def test_what_took_long_to_read_is_kept_from_when_the_read_began(clock: Clock) -> None:
    cache = Cache[str](TTL, now=clock)
    ticket = cache.ticket()
    clock.now += 59
    cache.put("a", "as it was 59 seconds ago", ticket=ticket)
    assert cache.get("a") == "as it was 59 seconds ago"
    clock.now += 1
    assert cache.get("a") is None
