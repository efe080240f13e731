"""Garbage: blobs that nothing needs, collected by Slipway's collector and by distribution's."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import collection
from bench.contenders import distribution
from bench.growth import bulk
from bench.growth.series import Sizes
from devhost.processes.azurite import Azurite

NAME, TITLE, OF = "collection", "collection of garbage by its blobs", "blobs"
OURS = Sizes((50,), (100, 1_000, 5_000), (100, 1_000, 5_000, 50_000))
THEIRS = Sizes((50,), (100, 1_000), (100, 1_000, 5_000))
_BLOB = 1000


async def ours(blobs: int) -> dict[str, float]:
    """Of a collector in this process, on storage of its own: both visits that a blob takes."""
    with TemporaryDirectory(prefix="slipway-bench-") as folder, Azurite(Path(folder)) as azurite:
        await collection.litter(azurite, collection.Plan(1, blobs, _BLOB))
        before, calls, seconds = time.process_time(), 0, 0.0
        for _ in range(collection.STAGES):
            work = await collection.collect(azurite)
            calls += len(work.made)
            seconds += work.timed.seconds
        busy = time.process_time() - before
    return _figures(seconds, busy, calls)


async def theirs(blobs: int) -> dict[str, float]:
    """Of `registry garbage-collect`, for which distribution must not be pushed to."""
    with TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        with Azurite(folder / "storage") as azurite:
            distribution.prepare(azurite)
            await bulk.write(azurite, bulk.layer_files("crowd/app"))
            await bulk.write(azurite, bulk.blob_files(blobs, secrets.token_bytes(_BLOB)))
            done = distribution.collect(azurite, folder)
    return _figures(done.seconds, done.processor_seconds, done.calls)


def _figures(seconds: float, busy: float, calls: int) -> dict[str, float]:
    return {
        "count": 1,
        "ms": round(seconds * 1000, 3),
        "cpu_ms": round(busy * 1000, 3),
        "calls": calls,
    }
