"""Measures operations in turns, an empty function between them."""

import contextlib
import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.cpu.connection import Client, Connection
from bench.cpu.images import Image, Repository
from bench.cpu.operations import OF_SHORT_ONES, Operation, Script, Stand
from bench.cpu.request_log import RequestLog
from bench.cpu.shapes import LAYERS, Cost, repeats
from bench.layers import MIB
from bench.stage import Stage, staged
from bench.upload import grow
from devhost.errors import DevhostError
from devhost.processes.process import HostProcess

TURNS = 5
"""In how many parts each operation is measured, all of the others between two of them."""
COUNTED = 5
"""So many repeats of each operation are counted."""
UPLOADS = (256 * MIB,) * 8
_EMPTY = Path(__file__).resolve().parents[1] / "empty"
_WARM_UP = 20
_FEWEST_EMPTY = 50


@dataclass(frozen=True)
class Measured:
    """What one repeat of an operation takes."""

    repeats: int
    cost: Cost
    """The medians of storage calls and rounds."""
    times_empty: float
    """Processor time as a multiple of the empty function's; the median of the turns."""
    least: float
    most: float
    """Of the turns."""


@dataclass(frozen=True)
class Memory:
    """Resident memory of an instance, in bytes."""

    at_rest: int
    growth: int
    """The most that it had more while uploads came in."""


@dataclass(frozen=True)
class Results:
    """All of one run."""

    empty_seconds: float | None
    """What a request to the empty function takes; None if only memory was measured."""
    operations: Mapping[str, Measured]
    """By name."""
    memory: Memory | None
    other_load: float = 0
    """How many processors other processes kept busy meanwhile: much of it makes all figures larger,
    and those of long operations most."""


class _Subject:
    """An instance that is measured."""

    def __init__(self, host: HostProcess) -> None:
        self._pid = host.pid

    def seconds(self, scripts: Sequence[Script], greet: Script) -> float:
        """Processor time of one of the scripts; `greet` opens the connection, if it has to be."""
        greet()
        before = machine.processor_seconds((self._pid,))
        for script in scripts:
            script()
        return (machine.processor_seconds((self._pid,)) - before) / len(scripts)


class _Count:
    """Instances that log every request. That is work of its own, so their time is not measured."""

    def __init__(self, stage: Stage) -> None:
        self._stand = _stand(stage)
        self._logs = {True: RequestLog(stage.committing), False: RequestLog(stage.receiving)}

    def cost(self, operation: Operation) -> Cost:
        """The medians of storage calls and rounds of an operation."""
        scripts = operation.prepare(self._stand, COUNTED)
        (self._stand.cold if operation.is_cold else self._stand.warm).token()
        log = self._logs[operation.is_cold]
        log.requests()
        for script in scripts:
            script()
        costs = list(repeats(log.requests(), operation.shape))
        if len(costs) != COUNTED:
            raise LookupError(f"the log tells of {len(costs)} repeats, not {COUNTED}")
        calls = statistics.median_low([cost.calls for cost in costs])
        return Cost(calls, statistics.median_low([cost.rounds for cost in costs]))


def _stand(stage: Stage) -> Stand:
    basic = stage.receiver.headers
    warm, cold = (Client(host.base_url, basic) for host in (stage.receiving, stage.committing))
    return Stand(warm, cold)


class _Run:
    """The instances of one run, and what has been measured so far."""

    def __init__(self, stage: Stage, empty: HostProcess, requests: int) -> None:
        self._stand = _stand(stage)
        self._warm = _Subject(stage.receiving)
        self._cold = _Subject(stage.committing)
        self._empty_client = Connection(empty.base_url)
        self._empty = _Subject(empty)
        self._requests = requests
        # As long as those of the others: to read a header is not the registry's work.
        self._headers = self._stand.warm.access()
        self.ratios: dict[str, list[float]] = {}
        self.repeats: Counter[str] = Counter()
        self.empties: list[float] = []

    def empty(self) -> float:
        """Seconds of a request to the empty function."""
        count = max(_FEWEST_EMPTY, self._requests * OF_SHORT_ONES // TURNS)
        seconds = self._empty.seconds([self._ask_empty] * count, self._ask_empty)
        self.empties.append(seconds)
        return seconds

    def turn(self, operation: Operation) -> None:
        """Measures one part of an operation, between two of the empty function."""
        count = max(1, round(self._requests * operation.share / TURNS))
        scripts = operation.prepare(self._stand, count)
        subject = self._cold if operation.is_cold else self._warm
        client = self._stand.cold if operation.is_cold else self._stand.warm
        before = self.empty()
        seconds = subject.seconds(scripts, client.token)
        after = self.empty()
        self.ratios.setdefault(operation.name, []).append(seconds / ((before + after) / 2))
        self.repeats[operation.name] += count

    def measured(self, operation: Operation, cost: Cost) -> Measured:
        """What all turns of an operation say."""
        ratios, count = self.ratios[operation.name], self.repeats[operation.name]
        return Measured(count, cost, statistics.median(ratios), min(ratios), max(ratios))

    def _ask_empty(self) -> None:
        self._empty_client.ask(200, "GET", "/v2/", self._headers)


def measure(
    operations: Sequence[Operation], requests: int, say: Callable[[str], None], *, memory: bool
) -> Results:
    """Measures the operations, most of them `requests` times, and memory if that is wanted.

    Raises `DevhostError`, `UnexpectedAnswerError`.
    """
    if not machine.AVAILABLE:
        raise DevhostError("what processes take is known only on Linux")
    with contextlib.ExitStack() as stack:
        stage = stack.enter_context(staged(request_log="failed"))
        found = None
        if memory:  # First: what operations leave in memory is not there at rest.
            say("memory")
            found = _memory(stage)
        if not operations:
            return Results(None, {}, found)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        environment = {"RegistryStorage": stage.azurite.connection_string, "DATA_DIR": str(folder)}
        empty = stack.enter_context(HostProcess(_EMPTY, environment))
        hosts = (stage.receiving, stage.committing, empty)
        ours = (os.getpid(), stage.azurite.pid, *(host.pid for host in hosts))
        load = machine.OtherLoad(ours)
        run = _Run(stage, empty, requests)
        for turn in range(TURNS):
            for operation in operations:
                say(f"turn {turn + 1}/{TURNS}: {operation.name}")
                run.turn(operation)
        other = load.processors()
        count = _Count(stack.enter_context(staged()))
        measured = {}
        for operation in operations:
            say(f"calls: {operation.name}")
            measured[operation.name] = run.measured(operation, count.cost(operation))
        return Results(statistics.median(run.empties), measured, found, other)


def _memory(stage: Stage) -> Memory:
    """Of an instance that has served some pushes and pulls, and then takes in large layers."""
    client = Client(stage.receiving.base_url, stage.receiver.headers)
    repository = Repository.new(client)
    for number in range(_WARM_UP):
        image = Image.of(LAYERS)
        repository.push(image, f"v{number}")
        repository.pull(image, f"v{number}")
    client.connection.close()
    at_rest = machine.ResidentMemory(stage.receiving.pid).now()
    growth, _ = grow(stage, UPLOADS)
    return Memory(at_rest, growth.bytes)
