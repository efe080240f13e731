"""Two operations are measured for real: a registry, its proxy and an emulator, a few requests."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.compare.operations import OPERATIONS
from bench.compare.plan import Mode, Plan, Streams
from bench.compare.progress import Progress
from bench.compare.run import OperationsRun, stands
from bench.compare.streams import StreamsRun
from bench.contenders.contender import Family, Kind
from bench.contenders.field import Field, fielded
from bench.growth.measure import measured
from bench.layers import MIB
from bench.proxy.server import exact_loop
from bench.results.recorder import Recorder
from bench.results.store import Results

PLAN = Plan(
    delays=(0, 5),
    seconds=0.02,
    most=4,
    least=2,
    least_open=2,
    turns=2,
    modes=tuple(Mode),
    open_delay=5,
    open_share=0.5,
    streams=(Streams(MIB, 2, 2, 5),),
)
CHOSEN = [each for each in OPERATIONS if each.name in ("v2", "small-blob")]
CALLS = {"v2": (0, 0), "small-blob": (2, 2)}


@pytest.fixture(scope="module")
def field() -> Iterator[Field]:
    with fielded([Kind.DEVHOST], lambda _: None) as field:
        yield field


def measure(field: Field, path: Path) -> list[str]:
    """Measures both; answers what was said."""
    said: list[str] = []
    recorder = Recorder(path, said.append, quick=False, resume=True)
    progress = Progress(said.append, 10)

    async def run() -> None:
        async with stands(field) as found:
            await OperationsRun(field, found, PLAN, recorder).measure(CHOSEN, progress)
            await StreamsRun(field, found, PLAN, recorder).measure(progress)

    with asyncio.Runner(loop_factory=exact_loop) as runner:
        runner.run(run())
    assert recorder.failures == []
    return said


def test_operations_are_measured_once_and_kept(field: Field, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert len(measure(field, path)) == len(CHOSEN) * 3 + 1
    results = Results.read(path)
    for name, (calls, rounds) in CALLS.items():
        counted = results.find("calls", operation=name, registry="devhost")
        assert counted is not None
        assert (counted["calls"], counted["rounds"]) == (calls, rounds)
        # A proxy never lets a call through too early.
        assert counted["held_ms"] >= (5 if calls else 0)
        told = {
            (each.key["delay"], each.key["mode"]) for each in results.of("times", operation=name)
        }
        assert told == {(0, "one"), (0, "four"), (5, "one"), (5, "four"), (5, "open")}
        for each in results.of("times", operation=name):
            assert each.figures["count"] >= PLAN.least
            assert each.figures["p50"] <= each.figures["p99"] <= each.figures["most"]
            assert each.figures["cpu_ms"] > 0
    # Two calls in turn take twice the delay at least.
    slow = results.find("times", operation="small-blob", registry="devhost", delay=5, mode="one")
    assert slow is not None
    assert slow["p50"] >= 2 * 5
    (stream,) = results.of("streams")
    # The upload, one append for the layer, and what is left of it is given up.
    assert stream.figures["calls"] >= 2
    text = path.read_text()
    # Nothing is left to do, so nothing is asked.
    assert measure(field, path) == []
    assert Results.read(path).find("calls", operation="v2", registry="devhost") == {
        "calls": 0,
        "rounds": 0,
        "held_ms": 0.0,
    }
    assert len(path.read_text()) == pytest.approx(len(text), abs=100)


def test_a_point_of_a_curve_has_the_calls_of_each_request(field: Field) -> None:
    async def run() -> dict[str, float]:
        async with stands(field) as (stand,):
            assert stand.family is Family.SLIPWAY
            (operation,) = (each for each in OPERATIONS if each.name == "small-blob")
            for script in await operation.prepare(stand, 1):
                await script()
            return await measured(stand, await operation.prepare(stand, 3))

    with asyncio.Runner(loop_factory=exact_loop) as runner:
        found = runner.run(run())
    assert (found["count"], found["calls"], found["rounds"]) == (3, 2, 2)
    assert found["ms"] >= 2 * 5


def test_without_go_slipway_is_measured_alone_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = shutil.which

    def which(name: str, **more: Any) -> str | None:
        return None if name == "go" else found(name, **more)

    monkeypatch.setattr(shutil, "which", which)
    said: list[str] = []
    with fielded([Kind.DISTRIBUTION], said.append) as field:
        assert (field.contenders, field.families) == ([], (Family.SLIPWAY,))
    (word,) = said
    assert "there is no Go" in word
