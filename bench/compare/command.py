"""`python -m bench compare`: all parts of a run, or some of them, into one file of results."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bench.compare import plan, proxy_cost, starts, streams
from bench.compare.operations import OPERATIONS, Operation
from bench.compare.plan import Plan
from bench.compare.progress import Progress
from bench.compare.run import OperationsRun, stands
from bench.compare.starts import StartsRun
from bench.compare.streams import StreamsRun
from bench.compare.versions import versions
from bench.contenders.contender import Kind
from bench.contenders.field import Field, fielded
from bench.growth.run import CURVES, Depth, GrowthRun
from bench.page.command import KEPT
from bench.page.performance import write
from bench.proxy.server import exact_loop
from bench.results.recorder import Recorder
from bench.results.store import ResultsError

RESULTS, QUICK_RESULTS = (
    Path("dist/bench/performance.json"),
    Path("dist/bench/quick/performance.json"),
)
INTERRUPTED = 130
_OPERATIONS, _GROWTH = "operations", "growth"
_PARTS = (proxy_cost.PROXY, _OPERATIONS, streams.STREAMS, _GROWTH, starts.STARTS)
_NAMES = tuple(
    dict.fromkeys((*_PARTS, *(each.name for each in OPERATIONS), *(each.name for each in CURVES)))
)
_PROXY_DELAYS = (0, 5, 20)
_GROWTH_KINDS = (Kind.DEVHOST, Kind.DISTRIBUTION)
Say = Callable[[str], None]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="a look at each, in three minutes")
    how.add_argument(
        "--deep",
        action="store_true",
        help="with the sizes that take minutes to prepare, too: half an hour more",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=_NAMES,
        metavar="NAME",
        help="only this part, operation or curve; may be given several times",
    )
    parser.add_argument(
        "--registry",
        action="append",
        choices=[kind.value for kind in Kind],
        metavar="NAME",
        help="only this registry; may be given several times",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help=f"the file of results, which are added to those that it has ({RESULTS}, or "
        f"{QUICK_RESULTS})",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out what the file has already from the same sources",
    )


@dataclass(frozen=True)
class Choice:
    """What is to be measured."""

    plan: Plan
    depth: Depth
    kinds: Sequence[Kind]
    parts: Collection[str]
    operations: Sequence[Operation]
    curves: Collection[str]
    starts: int

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Choice:
        """What the options ask for."""
        names = set(arguments.only or _PARTS)
        operations = [each for each in OPERATIONS if {each.name, _OPERATIONS} & names]
        curves = {each.name for each in CURVES if {each.name, _GROWTH} & names}
        parts = names & set(_PARTS)
        parts |= {_OPERATIONS} if operations else set()
        parts |= {_GROWTH} if curves else set()
        quick = arguments.quick
        return cls(
            plan.QUICK if quick else plan.FULL,
            Depth.QUICK if quick else Depth.DEEP if arguments.deep else Depth.FULL,
            [kind for kind in Kind if not arguments.registry or kind.value in arguments.registry],
            parts,
            operations,
            curves,
            1 if quick else 5,
        )


def run(arguments: argparse.Namespace, say: Say) -> int:
    """Measures, and returns the exit status. What was measured is kept, whatever happens.

    Raises `DevhostError`.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    path = arguments.results or (QUICK_RESULTS if arguments.quick else RESULTS)
    try:
        recorder = Recorder(path, say, quick=arguments.quick, resume=arguments.resume)
    except ResultsError as error:
        say(str(error))
        return 1
    try:
        _measure(Choice.of(arguments), recorder, say)
    except KeyboardInterrupt:
        say(f"stopped. {path} has what was measured; --resume goes on with it")
        return INTERRUPTED
    finally:
        if path.name == KEPT.name:
            page, *_ = write(recorder.results, path.parent)
            say(f"{page} shows it")
    for failure in recorder.failures:
        say(f"not measured: {failure}")
    say(f"{len(recorder.results)} results are in {path}")
    return 1 if recorder.failures else 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _measure(choice: Choice, recorder: Recorder, say: Say) -> None:
    growth = GrowthRun(choice.depth, recorder, choice.curves)
    with asyncio.Runner(loop_factory=exact_loop) as runner:
        with fielded(choice.kinds, say) as field:
            recorder.name_versions(versions(field))
            total = _weight(choice, field, growth)
            progress = Progress(say, max(total, 1.0))
            runner.run(_first(field, choice, recorder, progress))
        if not choice.curves:
            return
        kinds = [kind for kind in choice.kinds if kind in _GROWTH_KINDS]
        families = field.families
        # Each on storage of its own: what the one has written must not slow down the other.
        if growth.has_requests:
            with fielded(kinds, say) as field:
                runner.run(growth.requests(field, progress))
        if growth.has_listings:
            with fielded(kinds, say) as field:
                runner.run(growth.listings(field, progress))
        runner.run(growth.collection(progress, families))


def _weight(choice: Choice, field: Field, growth: GrowthRun) -> float:
    operations = OperationsRun.weight(choice.plan, choice.operations)
    weights = {
        _OPERATIONS: operations,
        streams.STREAMS: StreamsRun.weight(choice.plan),
        _GROWTH: growth.weight(field.families),
        starts.STARTS: 0.4 * (len(field.contenders) * choice.starts + 1),
    }
    return sum(weight for part, weight in weights.items() if part in choice.parts)


async def _first(field: Field, choice: Choice, recorder: Recorder, progress: Progress) -> None:
    """All parts that need all registries."""
    if proxy_cost.PROXY in choice.parts:
        proxy_cost.measure(field, _PROXY_DELAYS, recorder)
    async with stands(field) as found:
        if choice.operations:
            run = OperationsRun(field, found, choice.plan, recorder)
            await run.measure(choice.operations, progress)
        if starts.STARTS in choice.parts:
            await StartsRun(field, choice.starts, recorder).measure(progress)
        if streams.STREAMS in choice.parts:
            await StreamsRun(field, found, choice.plan, recorder).measure(progress)
