"""How fast `slipway fsck --verify-content` reads and hashes, beside the same bytes read raw.

Raw are the ranges that it reads, asked for by the same connections, as many at once, and dropped.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.client import UnexpectedAnswerError
from bench.layers import MIB
from bench.machine import OtherLoad
from devhost.processes.azurite import Azurite
from registry_core.lifecycle.fsck.checker import Checker
from registry_core.lifecycle.fsck.hashing import BLOCKS
from registry_core.lifecycle.fsck.report import Report
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.registry import Registry, Services
from registry_core.settings import Settings, StorageSettings
from registry_core.storage.objects import READ_BLOCK, Location

_REPOSITORY = RepositoryName("team/app")


@dataclass(frozen=True)
class Plan:
    """How much is verified."""

    pairs: int
    blobs: int
    size: int
    """Of each blob, in bytes."""


PLAN = Plan(pairs=7, blobs=12, size=64 * MIB)


@dataclass(frozen=True)
class Pair:
    """All of a check with its content, and the reads of that content alone."""

    seconds: float
    processor_seconds: float
    raw_seconds: float
    raw_processor_seconds: float
    other_load: float

    @property
    def ratio(self) -> float:
        """The rate of the check to that of raw reads."""
        return self.raw_seconds / self.seconds


def measure(plan: Plan, say: Callable[[str], None]) -> list[Pair]:
    """Checks, and reads raw, in turn. Raises `UnexpectedAnswerError`."""
    with (
        tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder,
        Azurite(Path(folder)) as azurite,
    ):
        return asyncio.run(_measure(azurite, plan, say))


async def _measure(azurite: Azurite, plan: Plan, say: Callable[[str], None]) -> list[Pair]:
    registry = Registry(Settings(StorageSettings(azurite.connection_string)))
    try:
        return await _pairs(await registry.open(), azurite, plan, say)
    finally:
        await registry.close()


async def _pairs(
    services: Services, azurite: Azurite, plan: Plan, say: Callable[[str], None]
) -> list[Pair]:
    say(f"{plan.blobs} blobs of {plan.size // MIB} MiB")
    locations = [await _push(services, plan.size) for _ in range(plan.blobs)]
    found = []

    async def check() -> None:
        report = await _check(services)
        if report.verified != plan.blobs * plan.size:
            raise UnexpectedAnswerError(f"only {report.verified} bytes were verified")

    async def read() -> None:
        await _read(services, locations, plan.size)

    for number in range(plan.pairs + 1):  # The first opens the connections, and is not counted.
        say(f"pair {number} of {plan.pairs}" if number else "warming up")
        load = OtherLoad((os.getpid(), azurite.pid))
        raw, own = await _timed(read), await _timed(check)
        found.append(Pair(*own, *raw, load.processors()))
    return found[1:]


async def _push(services: Services, size: int) -> Location:
    content = secrets.token_bytes(size)
    digest = Digest.of(content)
    name = secrets.token_hex(8)
    await services.content.put(name, content, {})
    location = services.content.location(name)
    await services.blobs.record(_REPOSITORY, digest, location, size)
    return location


async def _check(services: Services) -> Report:
    checker = Checker.of(
        services.connection, lambda _: None, {}, lambda _: None, verify_content=True
    )
    return await checker.run()


async def _read(services: Services, locations: Sequence[Location], size: int) -> None:
    ranges = ((location, start) for location in locations for start in range(0, size, READ_BLOCK))

    async def some() -> None:
        for location, start in ranges:
            length = min(READ_BLOCK, size - start)
            async for _ in services.content.read(location, start, length):
                pass

    await asyncio.gather(*(some() for _ in range(BLOCKS)))


async def _timed(work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Seconds that passed, and processor time of this process."""
    began, busy = time.perf_counter(), time.process_time()
    await work()
    return time.perf_counter() - began, time.process_time() - busy


def as_json(pairs: Sequence[Pair]) -> str:
    """Everything measured; times in seconds."""
    middle = statistics.median(pair.ratio for pair in pairs)
    return json.dumps({"median_ratio": middle, "pairs": [asdict(pair) for pair in pairs]}, indent=2)


def as_table(pairs: Sequence[Pair]) -> str:
    """What there is to know, in lines for a terminal."""
    ratios = [pair.ratio for pair in pairs]
    middle = statistics.median(ratios)
    seconds, busy, raw, raw_busy, load = (
        statistics.median(values)
        for values in zip(*(asdict(pair).values() for pair in pairs), strict=True)
    )
    return (
        f"check with its content: {seconds:.2f} s, of which {busy:.2f} s of processor time\n"
        f"raw reads:              {raw:.2f} s, of which {raw_busy:.2f} s of processor time\n"
        f"rate of the check to the raw one: {middle:.3f} ({min(ratios):.3f} to {max(ratios):.3f}), "
        f"{len(pairs)} pairs\nOthers kept {load:.2f} processors busy."
    )
