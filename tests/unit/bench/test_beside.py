"""Bars of what is measured beside distribution, and the words that go with them."""

from __future__ import annotations

import pytest

from bench.compare.bars import BARS, REASONS, Verdict, ratio, verdicts
from bench.compare.operations import OPERATIONS
from bench.compare.streams import STREAMS
from bench.contenders.contender import Kind
from bench.results.store import Result, Results


def put(results: Results, kind: Kind, operation: str, delay: int, p50: float) -> None:
    key = {"operation": operation, "registry": kind.value, "delay": delay, "mode": "one"}
    results.put(Result("times", key, {"p50": p50}, "abc", "2026-11-28", quick=False))


@pytest.fixture
def results() -> Results:
    results = Results({}, {})
    put(results, Kind.DEVHOST, "push", 5, 100)
    put(results, Kind.DISTRIBUTION, "push", 5, 499)
    put(results, Kind.DEVHOST, "v2", 5, 1.0)
    put(results, Kind.DISTRIBUTION, "v2", 5, 0.8)
    return results


def test_a_ratio_above_one_means_that_slipway_is_faster(results: Results) -> None:
    assert ratio(results, "push", 5) == 4.99
    assert ratio(results, "push", 20) is None


def test_a_bar_includes_its_limit(results: Results) -> None:
    assert [(each.row, each.is_met) for each in verdicts(results)] == [
        ("v2", True),
        ("push", False),
    ]
    assert Verdict("push", "5 ms", 5.0, 5.0).is_met


def test_only_what_both_were_measured_for_is_judged(results: Results) -> None:
    put(results, Kind.DEVHOST, "mount", 5, 1)
    assert "mount" not in [each.row for each in verdicts(results)]


def test_every_operation_has_a_bar_at_five_milliseconds_and_a_reason() -> None:
    names = {each.name for each in OPERATIONS}
    assert set(BARS) == names
    assert all(5 in bars for bars in BARS.values())
    assert set(REASONS) == names | {STREAMS}


def test_streams_are_judged_by_their_medians() -> None:
    results = Results({}, {})
    for kind, p50 in ((Kind.DEVHOST, 10.0), (Kind.DISTRIBUTION, 12.0)):
        key = {"registry": kind.value, "mib": 16, "at_once": 1, "delay": 5}
        figures = {"p50": p50, "mib_per_second": 1.0}
        results.put(Result(STREAMS, key, figures, "abc", "2026-11-28", quick=False))
    (verdict,) = verdicts(results)
    assert (verdict.row, verdict.ratio, verdict.is_met) == (STREAMS, 1.2, True)
