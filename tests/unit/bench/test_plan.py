"""How often something is repeated follows from the time that there is."""

from __future__ import annotations

import pytest

from bench.compare.operations import OPERATIONS
from bench.compare.plan import FULL, QUICK, Mode, Plan


@pytest.mark.parametrize("plan", [FULL, QUICK])
def test_repeats_fill_the_time_within_their_limits(plan: Plan) -> None:
    assert plan.repeats(plan.seconds / 20, 0) == 20
    assert plan.repeats(1e-9, 0) == plan.most
    assert plan.repeats(1e9, 0) == plan.least
    # A preparation that takes longer than the repeat is what counts.
    assert plan.repeats(1e-9, plan.seconds / 20) == 20


def test_requests_come_at_a_constant_rate_at_one_delay() -> None:
    assert [delay for delay in FULL.delays if Mode.OPEN in FULL.modes_at(delay)] == [5]
    assert all(Mode.ONE in FULL.modes_at(delay) for delay in FULL.delays)


def test_a_whole_run_of_the_operations_is_planned_below_twelve_minutes() -> None:
    registries = 3
    cells = len(OPERATIONS) * registries * sum(len(FULL.modes_at(d)) for d in FULL.delays)
    assert cells * FULL.seconds < 12 * 60
