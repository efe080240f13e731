"""What a start costs: the process, its first request, its first pull, and each import."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import cold_start, machine
from bench.compare.operations import LAYERS, Shared, Stand, new_name
from bench.compare.progress import Progress
from bench.compare.wire import Client
from bench.contenders import distribution, slipway
from bench.contenders.contender import Contender, Family, Kind
from bench.contenders.field import Field, Tokens
from bench.cpu.images import Image
from bench.results.recorder import Recorder

STARTS, IMPORTS = "starts", "imports"
"""The parts of the results."""
DELAY = 5
"""In milliseconds a storage call."""
_PACKAGES = 14
_WEIGHT = 0.4
STEPS = ("process", "first request", "first pull", "second pull")


@dataclass
class _Taken:
    """Seconds of each start, by step: elapsed, and of the processor."""

    wall: dict[str, list[float]]
    processor: dict[str, list[float]]


class StartsRun:
    """Starts each registry a few times."""

    def __init__(self, field: Field, times: int, recorder: Recorder) -> None:
        self._field, self._times, self._recorder = field, times, recorder

    def weight(self) -> float:
        """The steps that it makes."""
        return (len(self._field.contenders) * self._times + 1) * _WEIGHT

    async def measure(self, progress: Progress) -> None:
        """All of them, and the imports."""
        tokens = Tokens(Client(self._field.aside[Family.SLIPWAY].base_url), self._field.basic)
        shared = Shared(self._field, tokens)
        for contender in self._field.contenders:
            keys = ({"registry": contender.kind.value, "step": step} for step in STEPS)
            if all(self._recorder.has(STARTS, key) for key in keys):
                progress.skip(self._times * _WEIGHT)
                continue
            async with self._recorder.attempt(f"starts of {contender.kind.value}"):
                await self._starts(contender.kind, tokens, shared, progress)
        shared.close()
        tokens.client.close()
        progress.step("imports", _WEIGHT)
        self._imports()

    async def _starts(self, kind: Kind, tokens: Tokens, shared: Shared, progress: Progress) -> None:
        taken = _Taken({step: [] for step in STEPS}, {step: [] for step in STEPS})
        for number in range(self._times):
            progress.step(f"start {number + 1} of {kind.value}", _WEIGHT)
            contender = started(self._field, kind)
            client = Client(contender.base_url)
            try:
                stand = Stand(self._field.azurite, contender, client, tokens, shared)
                await _once(stand, taken)
            finally:
                client.close()
                contender.stop()
        for step in STEPS:
            figures = {
                "count": self._times,
                "ms": _median_ms(taken.wall[step]),
                "cpu_ms": _median_ms(taken.processor[step]),
            }
            self._recorder.put(STARTS, {"registry": kind.value, "step": step}, figures)

    def _imports(self) -> None:
        """What each package takes to be imported, by the engine's Python if there is one."""
        python = str(slipway.ENGINE_PYTHON) if slipway.has_engine() else sys.executable
        profile = cold_start.profile(python=Path(python))
        total = profile.total()
        self._recorder.put(IMPORTS, {"package": ""}, {"ms": round(total / 1000, 2)})
        for package, microseconds in profile.most_common(_PACKAGES):
            self._recorder.put(IMPORTS, {"package": package}, {"ms": round(microseconds / 1000, 2)})


def started(field: Field, kind: Kind) -> Contender:
    """Another registry of this kind. Raises `DevhostError`."""
    if kind is Kind.DEVHOST:
        return slipway.devhost(field.azurite, field.password)
    if kind is Kind.ENGINE:
        return slipway.engine(field.azurite, field.password, field.folder)
    return distribution.distribution(field.azurite, field.keys, field.folder)


async def _once(stand: Stand, taken: _Taken) -> None:
    """The first things that a process is asked."""
    pid = stand.contender.pid
    taken.wall["process"].append(stand.contender.start_seconds)
    taken.processor["process"].append(machine.processor_seconds((pid,)))
    images: list[tuple[str, Image]] = []
    for _ in range(2):
        name, image = new_name(), Image.of(LAYERS)
        await (await stand.shared.repository(stand.family, name)).push(image, "latest")
        images.append((name, image))
    access = await stand.tokens.of(images[0][0])
    pulls = [(await stand.repository(name), image) for name, image in images]
    works: Sequence[tuple[str, Callable[[], Awaitable[object]]]] = (
        ("first request", lambda: stand.client.ask(200, "GET", "/v2/", access)),
        ("first pull", lambda: pulls[0][0].pull(pulls[0][1], "latest")),
        ("second pull", lambda: pulls[1][0].pull(pulls[1][1], "latest")),
    )
    stand.contender.proxy.delay(DELAY)
    for step, work in works:
        before, began = machine.processor_seconds((pid,)), time.perf_counter()
        await work()
        taken.wall[step].append(time.perf_counter() - began)
        taken.processor[step].append(machine.processor_seconds((pid,)) - before)


def _median_ms(seconds: Sequence[float]) -> float:
    return round(statistics.median(seconds) * 1000, 3)
