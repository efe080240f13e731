import re
import threading
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.model.clock import MAX_AHEAD_MILLISECONDS, HybridClock, StampAhead

NOW = 1_700_000_000_000
moments = st.integers(0, 2**47)


def clock(times: Iterable[int], region: str = "local") -> HybridClock:
    remaining = iter(times)
    return HybridClock(region, lambda: next(remaining))


@given(st.lists(moments, min_size=2, max_size=50))
def test_stamps_only_grow_whatever_the_wall_clock_does(times: list[int]) -> None:
    ours = clock(times)
    stamps = [ours.stamp() for _ in times]
    assert stamps == sorted(set(stamps))


@given(st.lists(st.tuples(moments, st.integers(0, 0xFFFF)), min_size=1, max_size=10), moments)
def test_a_stamp_is_later_than_every_stamp_it_was_shown(
    seen: list[tuple[int, int]], now: int
) -> None:
    remote = [f"{millis:012x}-{counter:04x}-elsewhere" for millis, counter in seen]
    ours = clock([now, 0])
    first = ours.stamp(*remote)
    assert first[:17] > max(stamp[:17] for stamp in remote)
    assert ours.stamp()[:17] > first[:17]


@given(st.lists(st.tuples(st.booleans(), moments), min_size=1, max_size=30))
def test_a_row_that_two_regions_write_in_turn_is_stamped_in_order(
    writes: list[tuple[bool, int]],
) -> None:
    moment = [0]
    clocks = {region: HybridClock(region, lambda: moment[0]) for region in ("east", "west")}
    row = ""
    for in_the_east, moment[0] in writes:
        following = clocks["east" if in_the_east else "west"].stamp(row)
        assert following > row
        row = following


def test_a_stamp_follows_the_wall_clock_where_it_can() -> None:
    assert clock([NOW, NOW + 1]).stamp() == f"{NOW:012x}-0000-local"
    ours = clock([NOW, NOW + 1])
    ours.stamp()
    assert ours.stamp() == f"{NOW + 1:012x}-0000-local"


def test_the_counter_overflows_into_the_time() -> None:
    assert clock([NOW]).stamp(f"{NOW:012x}-ffff-x") == f"{NOW + 1:012x}-0000-local"


def test_a_burst_within_one_millisecond_stays_in_order() -> None:
    ours = HybridClock("local", lambda: NOW)
    stamps = [ours.stamp() for _ in range(0x10000 + 10)]
    assert stamps == sorted(set(stamps))


def test_rows_without_a_stamp_do_not_count() -> None:
    assert clock([NOW]).stamp(None, "", None) == clock([NOW]).stamp()


@pytest.mark.parametrize("region", ["local", "westeurope", "eastus2"])
def test_a_stamp_is_of_fixed_width_and_names_its_region(region: str) -> None:
    assert re.fullmatch(rf"[0-9a-f]{{12}}-[0-9a-f]{{4}}-{region}", HybridClock(region).stamp())


def test_threads_never_get_the_same_stamp() -> None:
    ours = HybridClock("local", lambda: NOW)
    stamps: list[str] = []
    threads = [
        threading.Thread(target=lambda: stamps.extend([ours.stamp() for _ in range(500)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(stamps)) == 2000


@pytest.mark.parametrize("ahead", [-(10**9), 0, MAX_AHEAD_MILLISECONDS])
def test_a_stamp_of_a_peer_that_is_not_far_ahead_is_taken(ahead: int) -> None:
    clock([NOW]).check_foreign(f"{NOW + ahead:012x}-ffff-elsewhere")


@pytest.mark.parametrize("ahead", [MAX_AHEAD_MILLISECONDS + 1, 86_400_000, 2**47])
def test_a_stamp_of_a_peer_that_is_far_ahead_is_refused_and_carries_no_clock_along(
    ahead: int,
) -> None:
    ours = clock([NOW, NOW])
    with pytest.raises(StampAhead):
        ours.check_foreign(f"{NOW + ahead:012x}-0000-elsewhere")
    assert ours.stamp() == f"{NOW:012x}-0000-local"


@pytest.mark.parametrize("text", ["", "x", "0-0", "zz-0000-elsewhere", "0123456789ab-0000"])
def test_what_is_no_stamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not enough values|invalid literal"):
        clock([NOW]).check_foreign(text)


def test_a_stamp_in_our_own_rows_is_never_refused() -> None:
    ours = clock([NOW])
    assert ours.stamp(f"{NOW + 2**40:012x}-0000-local") == f"{NOW + 2**40:012x}-0001-local"
