"""Percentiles by nearest rank, and slopes of curves that are known."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compare.figures import Latencies, percentile, slope

TIMES = st.lists(st.floats(0.001, 1000), min_size=1, max_size=60)


@given(TIMES, st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_the_least_value_that_enough_of_them_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert all(
        sum(value <= other for value in values) < share * len(values)
        for other in values
        if other < found
    )


def test_of_a_hundred_times_the_percentiles_are_the_50th_95th_and_99th() -> None:
    seconds = [number / 1000 for number in range(100, 0, -1)]
    assert Latencies.of(seconds) == Latencies(100, p50=50, p95=95, p99=99, most=100)


def test_of_few_times_the_99th_percentile_is_the_longest() -> None:
    assert Latencies.of([0.001, 0.009, 0.004]).p99 == 9


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_there_is_no_percentile_of_nothing_or_of_no_share(share: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile([1.0], share)
    with pytest.raises(ValueError, match="no percentile"):
        percentile([], 0.5)


@given(st.floats(-2, 3), st.floats(0.01, 100))
def test_the_slope_of_a_power_is_its_exponent(power: float, factor: float) -> None:
    points = [(size, factor * size**power) for size in (1, 10, 100, 10_000)]
    assert math.isclose(slope(points), power, abs_tol=1e-6)


def test_a_slope_needs_two_sizes() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        slope([(10, 1), (10, 2)])
