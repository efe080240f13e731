"""Measures the operations at all registries, in turn."""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass

from bench import machine
from bench.compare.figures import Latencies
from bench.compare.loops import Script, closed, open_loop
from bench.compare.operations import OPERATIONS, Operation, Shared, Stand
from bench.compare.plan import AT_ONCE, COUNTING_DELAY, Mode, Plan
from bench.compare.progress import Progress
from bench.compare.wire import Client
from bench.contenders.contender import Family
from bench.contenders.field import Field, Tokens
from bench.results.recorder import Recorder

CALLS, TIMES, MEMORY = "calls", "times", "memory"
"""The parts of the results."""
_COUNTED = 3
_TRIED = 2
_AT_ONCE_FASTER = 2
"""How much faster some at once are, at least: most of the time, all but one wait for storage."""
_FIRST = next(each for each in OPERATIONS if each.name == "pull-warm")
"""What a registry has served that counts as at rest."""


@dataclass
class _Sample:
    """What some repeats of an operation took."""

    seconds: list[float]
    processor_seconds: float = 0.0

    def add(self, other: _Sample) -> None:
        self.seconds += other.seconds
        self.processor_seconds += other.processor_seconds


@contextlib.asynccontextmanager
async def stands(field: Field) -> AsyncIterator[Sequence[Stand]]:
    """The registries of a field, each with a client."""
    tokens = Tokens(Client(field.aside[Family.SLIPWAY].base_url), field.basic)
    shared = Shared(field, tokens)
    found = [
        Stand(field.azurite, each, Client(each.base_url), tokens, shared)
        for each in field.contenders
    ]
    try:
        yield found
    finally:
        for stand in found:
            stand.client.close()
        shared.close()
        tokens.client.close()


class OperationsRun:
    """Measures one operation after the other."""

    def __init__(
        self, field: Field, stands: Sequence[Stand], plan: Plan, recorder: Recorder
    ) -> None:
        self._field, self._stands, self._plan, self._recorder = field, stands, plan, recorder

    async def measure(self, operations: Sequence[Operation], progress: Progress) -> None:
        """All of them, but those that a run before has left."""
        for stand in self._stands:
            await self._warm_up(_FIRST, stand)
        self._memory("start")
        for operation in operations:
            async with self._recorder.attempt(f"{operation.name}: calls"):
                await self._counts(operation, progress)
            for delay in self._plan.delays:
                async with self._recorder.attempt(f"{operation.name}: {delay} ms a call"):
                    await self._times(operation, delay, progress)
        self._memory("operations")

    def _memory(self, after: str) -> None:
        for stand in self._stands:
            memory = machine.ResidentMemory(stand.contender.pid)
            key = {"registry": stand.contender.kind.value, "after": after}
            if self._recorder.has(MEMORY, key):
                continue
            self._recorder.put(MEMORY, key, {"resident": memory.now(), "peak": memory.peak()})

    @staticmethod
    def weight(plan: Plan, operations: Sequence[Operation]) -> float:
        """The steps that it makes."""
        return len(operations) * (1.0 + len(plan.delays))

    async def _counts(self, operation: Operation, progress: Progress) -> None:
        """Storage calls and rounds of each registry."""
        keys = [self._key(operation, stand) for stand in self._stands]
        if all(self._recorder.has(CALLS, key) for key in keys):
            progress.skip(1)
            return
        progress.step(f"{operation.name}: calls")
        for stand, key in zip(self._stands, keys, strict=True):
            await self._warm_up(operation, stand)
            scripts = await operation.prepare(stand, _COUNTED)
            proxy = stand.contender.proxy
            proxy.delay(COUNTING_DELAY)
            proxy.take()
            tallies = []
            for script in scripts:
                await script()
                tallies.append(proxy.take())
            proxy.delay(0)
            figures = {
                "calls": statistics.median_low(each.calls for each in tallies),
                "rounds": statistics.median_low(each.rounds for each in tallies),
                "held_ms": round(statistics.median(each.held for each in tallies) * 1000, 3),
            }
            self._recorder.put(CALLS, key, figures)

    async def _times(self, operation: Operation, delay: int, progress: Progress) -> None:
        modes = self._plan.modes_at(delay)
        keys = [
            {**self._key(operation, stand), "delay": delay, "mode": mode.value}
            for stand in self._stands
            for mode in modes
        ]
        if all(self._recorder.has(TIMES, key) for key in keys):
            progress.skip(1)
            return
        progress.step(f"{operation.name}: {delay} ms a call")
        load = machine.OtherLoad((os.getpid(), *self._field.pids))
        each = {
            stand.contender.kind: await self._try(operation, stand, delay) for stand in self._stands
        }
        rate = self._plan.open_share / max(seconds for seconds, _ in each.values())
        for mode in modes:
            samples = {stand.contender.kind: _Sample([]) for stand in self._stands}
            for turn in range(self._plan.turns):
                # There and back, so that what drifts meets all alike.
                for stand in self._stands if turn % 2 == 0 else reversed(self._stands):
                    kind = stand.contender.kind
                    count = self._count(mode, rate, *each[kind])
                    sample = await self._sample(operation, stand, delay, mode, count, rate)
                    samples[kind].add(sample)
            for stand in self._stands:
                self._keep(operation, stand, delay, mode, samples[stand.contender.kind], rate, load)

    def _count(self, mode: Mode, rate: float, each: float, preparing: float) -> int:
        """How many repeats fit into one turn."""
        if mode is Mode.OPEN:
            # As many at each registry: what comes at a constant rate takes as long at any.
            return self._plan.of_a_turn(self._plan.least_open).repeats(1 / rate, 0)
        if mode is Mode.FOUR:
            each /= _AT_ONCE_FASTER
        return self._plan.of_a_turn(self._plan.least).repeats(each, preparing)

    async def _warm_up(self, operation: Operation, stand: Stand) -> None:
        for script in await operation.prepare(stand, 1):
            await script()

    async def _try(self, operation: Operation, stand: Stand, delay: int) -> tuple[float, float]:
        """About how many seconds one repeat takes, and its preparation."""
        await self._warm_up(operation, stand)
        began = time.perf_counter()
        scripts = await operation.prepare(stand, _TRIED)
        preparing = (time.perf_counter() - began) / _TRIED
        stand.contender.proxy.delay(delay)
        seconds = await closed(scripts, 1)
        stand.contender.proxy.delay(0)
        return statistics.fmean(seconds), preparing

    async def _sample(
        self, operation: Operation, stand: Stand, delay: int, mode: Mode, count: int, rate: float
    ) -> _Sample:
        scripts = await operation.prepare(stand, count)
        stand.contender.proxy.delay(delay)
        pids = (stand.contender.pid,)
        before = machine.processor_seconds(pids)
        seconds = await _run(scripts, mode, rate)
        took = machine.processor_seconds(pids) - before
        stand.contender.proxy.delay(0)
        stand.contender.proxy.take(0)
        return _Sample(seconds, took)

    def _keep(
        self,
        operation: Operation,
        stand: Stand,
        delay: int,
        mode: Mode,
        sample: _Sample,
        rate: float,
        load: machine.OtherLoad,
    ) -> None:
        figures = {
            **asdict(Latencies.of(sample.seconds)),
            "cpu_ms": round(sample.processor_seconds / len(sample.seconds) * 1000, 4),
            "other_load": round(load.processors(), 2),
            **({"rate": round(rate, 3)} if mode is Mode.OPEN else {}),
        }
        key = {**self._key(operation, stand), "delay": delay, "mode": mode.value}
        self._recorder.put(TIMES, key, figures)

    @staticmethod
    def _key(operation: Operation, stand: Stand) -> dict[str, str | int | float]:
        return {"operation": operation.name, "registry": stand.contender.kind.value}


async def _run(scripts: Sequence[Script], mode: Mode, rate: float) -> list[float]:
    # What this process has to clear away would be in some of the times.
    gc.collect()
    gc.disable()
    try:
        if mode is Mode.OPEN:
            return await open_loop(scripts, rate)
        return await closed(scripts, 1 if mode is Mode.ONE else AT_ONCE)
    finally:
        gc.enable()
