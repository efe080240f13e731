"""What the bill takes for the time of a request is more than was measured, and not far more."""

from __future__ import annotations

from statistics import fmean

from bench.compare.bars import DELAY
from bench.contenders.contender import Kind
from bench.page.command import KEPT
from bench.page.view import times
from bench.results.store import Results
from slipway_cli.billing.workload import Workload

OF_A_PULL = ("v2", "v2", "head-tag", "by-digest", *("redirect",) * 5)
"""The sign-in (which is like `GET /v2/`), the tag, the manifest, and half of 8 layers with the
config: the requests of a pull as the workloads have it."""


def test_a_request_is_billed_for_longer_than_it_takes_under_the_engine() -> None:
    results = Results.read(KEPT)
    medians = [times(results, name, Kind.ENGINE, DELAY)["p50"] for name in OF_A_PULL]
    measured = fmean(medians) / 1000
    assert measured <= Workload().request_seconds <= 10 * measured, measured
