"""What is measured of uploads: throughput, memory, and the time of a commit."""

import os
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench import machine
from bench.client import Upload
from bench.layers import GIB, KIB, MIB, Layer
from bench.stage import Commit, Stage


@dataclass(frozen=True)
class Plan:
    """How much is sent."""

    pairs: int
    """How often raw appends and a streamed upload are compared, in each of both ways."""
    pair_size: int
    """How many bytes each side of a pair sends."""
    loads: tuple[tuple[int, ...], ...]
    """The sizes of the layers that are sent at once, for each measurement of memory."""


QUICK = Plan(6, 128 * MIB, ((256 * MIB,), (64 * MIB,) * 4))
FULL = Plan(12, 256 * MIB, ((2 * GIB,), (512 * MIB,) * 4))
_COMMIT_SIZES = (KIB, 64 * MIB)
"""Committed besides the layers of the other measurements."""


@dataclass(frozen=True)
class Pair:
    """Raw appends and a streamed upload of as many bytes, one right after the other."""

    raw_rate: float
    streamed_rate: float
    """Both in bytes a second."""
    other_load: float
    """How many processors other processes kept busy meanwhile: it slows three processes of ours
    more than two, so a busy machine says less of the registry."""

    @property
    def ratio(self) -> float:
        """Streamed to raw."""
        return self.streamed_rate / self.raw_rate


@dataclass(frozen=True)
class Growth:
    """By how much the registry's resident memory grew at most while layers came in."""

    layers: tuple[int, ...]
    """The sizes of the layers sent at once."""
    bytes: int


@dataclass(frozen=True)
class Results:
    """All of one run."""

    pairs: tuple[Pair, ...]
    """All processes share the processors."""
    apart: tuple[Pair, ...]
    """Storage's emulator has half of the processors for itself, as storage has machines of its own.
    Empty where the system cannot do that, or has only one processor."""
    growths: tuple[Growth, ...]
    """Empty where the system does not tell."""
    commits: tuple[Commit, ...]
    """By size."""


def compare(stage: Stage, size: int, *, raw_first: bool) -> tuple[Pair, Upload]:
    """Sends `size` bytes, whole blocks, both ways; also answers the upload, to be committed."""
    load = machine.OtherLoad((stage.azurite.pid, *_not_storage(stage)))
    if raw_first:
        raw_seconds, upload = stage.raw.append(size), stage.receiver.send(Layer(size))
    else:
        upload, raw_seconds = stage.receiver.send(Layer(size)), stage.raw.append(size)
    return Pair(size / raw_seconds, upload.rate, load.processors()), upload


def compare_apart(stage: Stage, size: int, *, raw_first: bool) -> tuple[Pair, Upload]:
    """As `compare`, with processors of its own for storage's emulator: see `machine.apart`."""
    with machine.apart(stage.azurite.pid, _not_storage(stage)):
        return compare(stage, size, raw_first=raw_first)


def _not_storage(stage: Stage) -> tuple[int, int]:
    """The client, and the registry that it sends to."""
    return os.getpid(), stage.receiving.pid


def grow(stage: Stage, sizes: Sequence[int]) -> tuple[Growth, list[Upload]]:
    """Sends layers of these sizes at once; also answers the uploads, to be committed."""
    resident = machine.ResidentMemory(stage.receiving.pid)
    before = resident.now()
    resident.reset_peak()
    with ThreadPoolExecutor(len(sizes)) as senders:
        uploads = list(senders.map(stage.receiver.send, map(Layer, sizes)))
    return Growth(tuple(sizes), resident.peak() - before), uploads


def measure(stage: Stage, plan: Plan, say: Callable[[str], None]) -> Results:
    """Measures all of `plan`, and says how far it is."""
    pairs: list[Pair] = []
    apart: list[Pair] = []
    growths, uploads = [], []
    ways = [(compare, pairs)]
    if machine.can_separate():
        ways.append((compare_apart, apart))
    for number in range(plan.pairs):
        say(f"throughput {number + 1}/{plan.pairs}")
        for compared, found in ways:
            pair, upload = compared(stage, plan.pair_size, raw_first=number % 2 == 0)
            found.append(pair)
            stage.commit(upload)
    if machine.AVAILABLE:
        for sizes in plan.loads:
            say(f"memory: {len(sizes)} x {sizes[0] // MIB} MiB")
            growth, sent = grow(stage, sizes)
            growths.append(growth)
            uploads += sent
    say("commits")
    uploads += [stage.receiver.send(Layer(size)) for size in _COMMIT_SIZES]
    commits = sorted((stage.commit(upload) for upload in uploads), key=lambda commit: commit.size)
    return Results(tuple(pairs), tuple(apart), tuple(growths), tuple(commits))


def median_ratio(pairs: Sequence[Pair]) -> float:
    """The median of the pairs' ratios: one pair disturbed by something else does not move it."""
    return statistics.median(pair.ratio for pair in pairs)
