"""Closed loops keep as many under way as they should; open loops count from the planned start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from bench.compare.loops import closed, open_loop, schedule


class Gauge:
    """How many scripts are under way, and the most that were."""

    def __init__(self) -> None:
        self.now = self.most = self.done = 0

    async def __call__(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(3):
            await asyncio.sleep(0)
        self.now -= 1
        self.done += 1


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_closed_loop_runs_each_script_once_and_so_many_at_once(at_once: int) -> None:
    gauge = Gauge()
    seconds = await closed([gauge] * 20, at_once)
    assert (len(seconds), gauge.done, gauge.most) == (20, 20, at_once)


def test_the_schedule_is_even_and_as_long_as_the_rate_says() -> None:
    planned = schedule(50, 20.0)
    assert planned[0] == 0
    assert planned[-1] == pytest.approx(49 / 20)
    apart = [later - earlier for earlier, later in pairwise(planned)]
    assert apart == pytest.approx([1 / 20] * 49)


def clocked(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that stands still but for what is set forward; sleeping sets it, and takes none."""
    loop = asyncio.get_running_loop()
    now = [1000.0]
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        await real(0)

    monkeypatch.setattr(loop, "time", lambda: now[0])
    monkeypatch.setattr(asyncio, "sleep", sleep)

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


async def test_what_waits_behind_a_slow_request_counts_from_its_planned_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward = clocked(monkeypatch)

    async def slow() -> None:
        forward(1.0)

    async def quick() -> None:
        """Takes no time by itself."""

    # At ten a second: the first begins when the clock is at the second's turn, keeps everything for
    # one second, and makes the others late.
    seconds = await open_loop([slow, quick, quick, quick], 10.0)
    assert seconds == pytest.approx([1.1, 1.0, 0.9, 0.8], abs=1e-6)


async def test_an_open_loop_does_not_wait_for_an_answer_before_the_next_request() -> None:
    arrived, all_there = 0, asyncio.Event()

    async def script() -> None:
        nonlocal arrived
        arrived += 1
        if arrived == 5:
            all_there.set()
        await all_there.wait()

    assert len(await open_loop([script] * 5, 1000.0)) == 5
