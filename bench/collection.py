"""How fast garbage is collected, beside the same storage calls made by nobody in particular.

Storage with garbage is copied. On one copy the collector works, and its requests are noted, whole.
On the other copy, which is the same to the last version of a row, these very requests are sent as
fast as one process can send them: as many at once as the collector has under way, and none waits
for the answer of another. So what the collector adds of its own is all that differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from yarl import URL

from bench.client import UnexpectedAnswerError
from bench.machine import OtherLoad
from devhost.processes.azurite import Azurite
from registry_core.blobs import rows
from registry_core.lifecycle.collection.ages import Ages
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Kind
from registry_core.lifecycle.collection.stores import Stores
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.registry import Registry
from registry_core.settings import Settings, StorageSettings
from registry_core.storage import tables
from registry_core.storage.calls import Answer, CallHook, Request, Send, StorageCall
from registry_core.storage.connection import Connection
from registry_core.storage.pacing import together

_REPOSITORY = RepositoryName("team/app")
_NO_AGE = Ages(
    link=timedelta(0), upload=timedelta(days=1), doomed=timedelta(0), change=timedelta(0)
)
"""Everything is old enough: this measures how long the work takes, not when it is due."""
_AT_ONCE = 32
"""As many as `pacing.together` has under way."""
STAGES = 2
"""A blob goes in two visits: its rows, and when nobody can be reading it any more its object."""


@dataclass(frozen=True)
class Plan:
    """How much is collected."""

    pairs: int
    blobs: int
    """In each."""
    size: int
    """Of each blob, in bytes."""


PLAN = Plan(5, 400, 1000)


@dataclass(frozen=True)
class Pair:
    """The collector's work, and its calls made raw."""

    collected: int
    calls: int
    seconds: float
    raw_seconds: float
    other_load: float

    @property
    def ratio(self) -> float:
        """The rate of the collector to the raw one."""
        return self.raw_seconds / self.seconds


_Made = Sequence[tuple[Request, int]]
"""Requests, and the statuses that they were answered with."""


@dataclass(frozen=True)
class Timed:
    """How long something took, and how many processors others kept busy meanwhile."""

    seconds: float
    other_load: float


class _Watch:
    """Times what this process and storage do."""

    def __init__(self, azurite: Azurite) -> None:
        self._load = OtherLoad((os.getpid(), azurite.pid))
        self._began = time.perf_counter()

    def stop(self) -> Timed:
        """The time since it was made."""
        return Timed(time.perf_counter() - self._began, self._load.processors())


@dataclass(frozen=True)
class Work:
    """What a walk did."""

    opening: _Made
    """What opened the connections."""
    made: _Made
    collected: int
    """How many objects went."""
    timed: Timed


class _Recorder(CallHook):
    """Notes each request as it is sent, and the status of its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[Request, int]] = []

    async def around(self, call: StorageCall, request: Request, send: Send) -> Answer:  # noqa: ARG002
        answer = await send(request)
        noted = replace(request, headers=dict(request.headers), body=bytes(request.body))
        self.made.append((noted, answer.status))
        return answer


def measure(plan: Plan, say: Callable[[str], None]) -> list[Pair]:
    """Collects, and makes the same calls raw, one after the other."""
    pairs = []
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        for number in range(plan.pairs):
            say(f"pair {number + 1} of {plan.pairs}")
            place = Path(folder) / str(number)
            pairs.append(asyncio.run(_pair(place, plan)))
            shutil.rmtree(place)
    return pairs


async def _pair(place: Path, plan: Plan) -> Pair:
    storage = place / "garbage"
    with Azurite(storage) as azurite:
        await litter(azurite, plan)
    works, raws = list[Work](), list[Timed]()
    for stage in range(STAGES):
        copy = place / f"raw-{stage}"
        shutil.copytree(storage, copy)
        with Azurite(storage) as azurite:
            works.append(await collect(azurite))
        with Azurite(copy) as azurite:
            raws.append(await _replay(azurite, works[-1]))
    collected = sum(work.collected for work in works)
    if collected != plan.blobs:
        raise UnexpectedAnswerError(f"{collected} of {plan.blobs} blobs were collected")
    timed = [*(work.timed for work in works), *raws]
    return Pair(
        collected,
        sum(len(work.made) for work in works),
        sum(work.timed.seconds for work in works),
        sum(raw.seconds for raw in raws),
        statistics.fmean(each.other_load for each in timed),
    )


async def litter(azurite: Azurite, plan: Plan) -> None:
    """Blobs as the deletion of their manifest leaves them."""
    settings = Settings(StorageSettings(azurite.connection_string))
    registry = Registry(settings)
    services = await registry.open()
    manifest, today = Digest.of(secrets.token_bytes(8)), datetime.now(UTC).date()
    table = services.connection.table(rows.TABLE)

    async def blob(number: int) -> None:
        content = secrets.token_bytes(plan.size)
        digest = Digest.of(content)
        name = f"{rows.uploads_of(today)}{number}"
        await services.content.put(name, content, {rows.COMMITTED_AS: str(digest)})
        location = services.content.location(name)
        await services.blobs.record(_REPOSITORY, digest, location, plan.size)
        need = tables.upsert(rows.requirement(_REPOSITORY, manifest), **{rows.RELEASED: True})
        await table.transact(str(digest), [need])

    await together(map(blob, range(plan.blobs)))
    await registry.close()


async def collect(azurite: Azurite) -> Work:
    """One walk over all there is."""
    recorder = _Recorder()
    async with _connected(azurite, recorder) as connection:
        collector = Collector(Stores.over(connection), _NO_AGE)
        table = connection.table(rows.TABLE)
        # Opens the connections.
        await together(table.get("none", str(number), ()) for number in range(_AT_ONCE))
        opening, recorder.made = recorder.made, []
        watch = _Watch(azurite)
        walk = await collector.run(0, 1, datetime.now(UTC))
        timed = watch.stop()
    if walk.report.failed or walk.left:
        raise UnexpectedAnswerError("the walk was not completed")
    return Work(opening, recorder.made, walk.report.gone[Kind.OBJECT], timed)


@contextlib.asynccontextmanager
async def _connected(azurite: Azurite, hook: CallHook) -> AsyncIterator[Connection]:
    connection = Connection(StorageSettings(azurite.connection_string), hook)
    try:
        yield connection
    finally:
        await connection.close()


async def _replay(azurite: Azurite, work: Work) -> Timed:
    """Sends the same requests. They must be answered as the collector's were."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def send(request: Request, expected: int) -> None:
            port = azurite.table_port if _is_of_tables(request) else azurite.blob_port
            url = URL(request.url, encoded=True).with_port(port)
            async with session.request(
                request.method, url, headers=request.headers, data=request.body or None
            ) as response:
                body = await response.read()
            if response.status != expected or b"HTTP/1.1 4" in body:
                raise UnexpectedAnswerError(f"{request.method} {url}: {response.status} {body!r}")

        await together(send(*each) for each in work.opening)
        watch = _Watch(azurite)
        await together(send(*each) for each in work.made)
        return watch.stop()


def _is_of_tables(request: Request) -> bool:
    return f"/{rows.CONTAINER}" not in URL(request.url, encoded=True).path


def median_ratio(pairs: Sequence[Pair]) -> float:
    """Of the collector's rate to the raw one."""
    return statistics.median(pair.ratio for pair in pairs)


def as_json(pairs: Sequence[Pair]) -> str:
    """Everything measured; times in seconds."""
    document = {"median_ratio": median_ratio(pairs), "pairs": [asdict(pair) for pair in pairs]}
    return json.dumps(document, indent=2)


def as_table(pairs: Sequence[Pair]) -> str:
    """What there is to know, in lines for a terminal."""
    ratios = [pair.ratio for pair in pairs]
    rate = statistics.median(pair.collected / pair.seconds for pair in pairs)
    raw = statistics.median(pair.collected / pair.raw_seconds for pair in pairs)
    calls = statistics.median(pair.calls / pair.collected for pair in pairs)
    load = statistics.median(pair.other_load for pair in pairs)
    middle = median_ratio(pairs)
    cells = {
        "collection": f"{len(pairs)} pairs",
        "blobs/s": f"{rate:.0f}",
        "raw blobs/s": f"{raw:.0f}",
        "calls a blob": f"{calls:.2f}",
        "ratio: median (least, most)": f"{middle:.3f} ({min(ratios):.3f}, {max(ratios):.3f})",
        "other load": f"{load:.2f}",
    }
    widths = {name: max(len(name), len(cell)) for name, cell in cells.items()}
    lines = (cells, cells.values())
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(line, widths.values(), strict=True))
        for line in lines
    )
