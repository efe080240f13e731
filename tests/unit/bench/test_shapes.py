"""Rounds of an operation of several requests."""

import pytest

from bench.cpu.shapes import ONE, PUSH, Cost, repeats


def test_of_requests_at_once_the_longest_counts_and_of_those_in_turn_each() -> None:
    shape = ((1,), (2, 1))
    requests = [Cost(3, 2), Cost(1, 1), Cost(2, 2), Cost(5, 4)]
    assert list(repeats(requests, shape)) == [Cost(calls=11, rounds=2 + 4)]
    requests[-1] = Cost(5, 1)
    assert list(repeats(requests, shape)) == [Cost(calls=11, rounds=2 + 3)]


def test_each_repeat_is_told_by_itself() -> None:
    requests = [Cost(1, 1), Cost(2, 1)]
    assert list(repeats(requests, ONE)) == requests


def test_a_request_that_is_missing_is_noticed() -> None:
    with pytest.raises(LookupError):
        list(repeats([Cost(0, 0)] * 27, PUSH))
