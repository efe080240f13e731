"""`make soak`: real clients and the registry's own jobs, on storage that fails, for some minutes.

docker (podman where no engine runs), skopeo and oras push, pull, tag and delete images in
repositories of their own and in one that they share, through two server processes. Soft delete is
on. The jobs of `jobs.py` run all the time, in times that are a minute where a registry's are days;
a backup runs every now and then. One storage call in a hundred fails. At the end every manifest
that was acknowledged is pulled and hashed with its blobs, and storage holds nothing else. So is
every manifest of the newest backup, from another account.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from devhost.processes.azurite import Azurite
from tests.e2e.pair import Pair
from tests.e2e.process import client_environment
from tests.e2e.registry import ROOT, send
from tests.integration.core.soft import set_policy
from tests.soak import times
from tests.soak.actor import Actor, Tally
from tests.soak.chart import Sample, draw
from tests.soak.hands import engine_of, hands
from tests.soak.jobs import JOBS, OWED, Background
from tests.soak.measure import keep_sampling
from tests.soak.restored import judge_restored
from tests.soak.verdict import Verdict, instance, judge

SHARE = 0.01
LEAST_MINUTES = 3.0
"""Less, and no bytes have come back: those of an image take so long."""
OUTPUT = ROOT / "build" / "soak"
INTERRUPTED = 130


@dataclass
class Results:
    """What a run has seen."""

    done: Counter[str] = field(default_factory=Counter)
    """Of the jobs."""
    calls: int = 0
    """To storage."""
    failed: Counter[str] = field(default_factory=Counter)
    """Calls that were made to fail, by how."""
    repeated: int = 0
    """Calls that were made again after that."""
    samples: list[Sample] = field(default_factory=list)


class Soak:
    """One run."""

    def __init__(self, seconds: float, seed: int, workspace: Path) -> None:
        self._seconds = seconds
        self._seed = seed
        self._workspace = workspace
        self._stop = threading.Event()
        self.tally = Tally()
        self.results = Results()

    def run(self) -> Verdict:
        """Starts everything, waits, ends everything, and judges what is left."""
        environment = client_environment(self._workspace)
        folder = self._workspace / "registry"
        folder.mkdir()
        asked = {"share": SHARE, "seed": self._seed, "short": True}
        settings = {"REGISTRY_RATE_LIMITS": "off", "INTERFERENCE": json.dumps(asked)}
        with ExitStack() as stack:
            pair = Pair(folder, settings, app_dir=ROOT / "tests" / "unreliable")
            stack.callback(pair.stop_storage)
            actors: list[Actor] = []
            # Without servers whatever a client is about comes to its end.
            stack.callback(_join, actors)
            stack.callback(self._stop.set)
            stack.callback(pair.stop_servers)
            engine = engine_of(self._workspace, environment)
            if engine:
                stack.callback(engine.stop)
            actors += [
                Actor(hand, pair.address, self.tally, self._stop, self._seed)
                for hand in hands(pair, self._workspace, environment, engine)
            ]
            asyncio.run(_keep_deleted(pair.storage))
            say(f"{', '.join(actor.name for actor in actors)} at work for {self._seconds:.0f} s")
            asyncio.run(self._work(pair.storage, actors))
            self._ask(pair)
            # What was given up and is still on its way ends with the servers.
            pair.stop_servers()
            say("the last purge and collection, and every manifest is pulled")
            verdict = asyncio.run(judge(pair.storage, [actor.ledger for actor in actors]))
            say("the newest backup is restored into another account, and pulled")
            with Azurite(self._workspace / "other") as other:
                asyncio.run(judge_restored(pair.storage, other.connection_string, verdict))
            return verdict

    async def _work(self, storage: str, actors: Sequence[Actor]) -> None:
        stop = asyncio.Event()
        background = Background(storage, SHARE, self._seed + 1)
        beside = asyncio.gather(
            background.run(stop), keep_sampling(storage, self.results.samples, stop)
        )
        for actor in actors:
            actor.thread.start()
        try:
            await self._wait(beside, actors)
            self._stop.set()
            for actor in actors:
                await asyncio.to_thread(actor.thread.join)
        finally:
            self._stop.set()
            stop.set()
            await beside
        for actor in actors:
            if actor.error:
                raise actor.error
        self.results.done += background.done
        self._add(background.hook.total, background.hook.failed, background.hook.repeated)

    async def _wait(self, beside: asyncio.Future[Any], actors: Sequence[Actor]) -> None:
        """Until the time is over, or something has ended that should not."""
        over = time.monotonic() + self._seconds
        told = time.monotonic()
        while time.monotonic() < over and not beside.done():
            await asyncio.wait([beside], timeout=1)
            if not all(actor.thread.is_alive() for actor in actors):
                return
            if time.monotonic() - told > 30:
                told = time.monotonic()
                say(f"{self.tally.done.total()} done, {self.tally.repeated} of it again")

    def _ask(self, pair: Pair) -> None:
        """What was done to the storage calls of the servers."""
        for server in pair.servers:
            told = send(f"{server}/interference").json()
            self._add(told["calls"], Counter(told["failed"]), told["repeated"])

    def _add(self, calls: int, failed: Counter[str], repeated: int) -> None:
        self.results.calls += calls
        self.results.failed += failed
        self.results.repeated += repeated


async def _keep_deleted(storage: str) -> None:
    """Switches soft delete on. Nobody deletes anything yet."""
    async with instance(storage) as client:
        await set_policy(client, is_on=True)


def _join(actors: Sequence[Actor]) -> None:
    for actor in actors:
        if actor.thread.is_alive():
            actor.thread.join()


def report(soak: Soak, verdict: Verdict) -> dict[str, Any]:
    """What there is to tell."""
    results = soak.results
    return {
        "clients": dict(sorted(soak.tally.done.items())),
        "collected": results.done["collected"],
        "collectedBytes": results.done["bytes"],
        "retained": results.done["retained"],
        "purged": results.done["purged"],
        "backups": results.done["backups"],
        "copiedToBackups": results.done["copied"],
        "prunedBackups": results.done["pruned"],
        "restored": verdict.restored,
        "failed": results.failed.total(),
        "failedBy": dict(results.failed),
        "repeated": results.repeated + soak.tally.repeated,
        "repeatedByClients": soak.tally.repeated,
        "givenUp": soak.tally.given_up,
        "storageCalls": results.calls,
        "jobs": [job.__name__ for job in JOBS],
        "walks": results.done["walks"],
        "checks": results.done["checks"],
        "unfinishedVisits": results.done["unfinished"],
        "lastCollection": verdict.collected,
        "manifestsPulled": verdict.manifests,
        "blobsHashed": verdict.blobs,
        "breaches": [
            *soak.tally.breaches,
            *(what for what in results.done if what.startswith("broken ")),
            *verdict.breaches,
        ],
        "samples": [asdict(each) for each in results.samples],
    }


def faults(told: dict[str, Any]) -> list[str]:
    """Why a run has failed, in words; empty if it has not."""
    nothing = [
        f"nothing was {what}: the run has proved too little" for what in OWED if not told[what]
    ]
    empty = [] if told["manifestsPulled"] else ["nothing is left that could be pulled"]
    return [*told["breaches"], *nothing, *empty]


def say(text: str) -> None:
    """Tells how far it is."""
    sys.stderr.write(f"soak: {text}\n")


def _end(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Runs it; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES") or LEAST_MINUTES)
    )
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SOAK_SEED") or 1))
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    if seconds < times.LONGEST.total_seconds():
        parser.error(f"no bytes come back in less than {times.LONGEST.total_seconds():.0f} s")
    signal.signal(signal.SIGTERM, _end)
    try:
        with tempfile.TemporaryDirectory(prefix="soak-") as workspace:
            soak = Soak(seconds, arguments.seed, Path(workspace))
            verdict = soak.run()
    except KeyboardInterrupt:
        say("ended before its time: nothing was judged")
        return INTERRUPTED
    told = report(soak, verdict)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "report.json").write_text(json.dumps(told, indent=2) + "\n")
    (OUTPUT / "bytes.svg").write_text(draw(soak.results.samples, "Stored bytes and live bytes"))
    shown = {name: value for name, value in told.items() if name not in ("samples", "breaches")}
    sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    say(f"the chart is {OUTPUT / 'bytes.svg'}")
    found = faults(told)
    for each in found:
        say(f"FAILED: {each}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
