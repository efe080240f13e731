"""One point of a curve."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from bench import machine
from bench.compare.loops import Script
from bench.compare.operations import Stand

GROWTH = "growth"
"""The part of the results."""
DELAY = 5
"""In milliseconds a storage call, on all curves."""


async def measured(stand: Stand, scripts: Sequence[Script]) -> dict[str, float]:
    """The medians of time, processor time, storage calls and rounds, of each alone."""
    proxy = stand.contender.proxy
    proxy.take()
    proxy.delay(DELAY)
    seconds, busy, tallies = [], [], []
    for script in scripts:
        before = machine.processor_seconds((stand.contender.pid,))
        began = time.perf_counter()
        await script()
        seconds.append(time.perf_counter() - began)
        tallies.append(proxy.take())
        busy.append(machine.processor_seconds((stand.contender.pid,)) - before)
    proxy.delay(0)
    return {
        "count": len(scripts),
        "ms": round(statistics.median(seconds) * 1000, 3),
        "cpu_ms": round(statistics.median(busy) * 1000, 3),
        "calls": statistics.median_low(each.calls for each in tallies),
        "rounds": statistics.median_low(each.rounds for each in tallies),
    }
