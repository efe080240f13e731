"""Rounds are the longest chain of calls that do not overlap."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from bench.proxy.calls import Call, Tally, rounds

MOMENTS = st.integers(0, 20)
CALLS = st.lists(
    st.tuples(MOMENTS, MOMENTS).map(lambda ends: Call(min(ends), max(ends) + 1, 0)), max_size=8
)


def is_chain(calls: tuple[Call, ...]) -> bool:
    """Whether each begins after the one before it has ended."""
    ordered = sorted(calls, key=lambda call: call.began)
    return all(first.ended <= second.began for first, second in pairwise(ordered))


@given(CALLS)
def test_no_choice_of_calls_is_a_longer_chain(calls: list[Call]) -> None:
    longest = max(
        count
        for count in range(len(calls) + 1)
        if any(is_chain(chosen) for chosen in combinations(calls, count))
    )
    assert rounds(calls) == longest


def test_calls_in_turn_are_a_round_each_and_calls_at_once_are_one() -> None:
    in_turn = [Call(0, 5, 0), Call(5, 10, 0), Call(11, 15, 0)]
    at_once = [Call(0, 5, 0), Call(1, 6, 0), Call(4.9, 9, 0)]
    assert (rounds(in_turn), rounds(at_once)) == (3, 1)


def test_a_tally_of_nothing_is_nothing() -> None:
    assert Tally.of([]) == Tally(0, 0, 0.0)
