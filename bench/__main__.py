"""`python -m bench`: see `--help`."""

import argparse
import secrets
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench import cold_start, collection, relay, report, verify
from bench.client import UnexpectedAnswerError
from bench.compare import command
from bench.cpu import report as cpu_report
from bench.cpu.measure import measure as measure_cpu
from bench.cpu.operations import OPERATIONS
from bench.layers import MIB
from bench.listings import measure as listings
from bench.page import command as page_command
from bench.stage import staged
from bench.upload import FULL, QUICK, measure
from devhost.errors import DevhostError
from devhost.processes.azurite import Azurite

_REQUESTS = 400
_MEMORY = "memory"
"""What `--only` calls the measurement of memory."""
_NAMES = [*(operation.name for operation in OPERATIONS), _MEMORY]


def main() -> int:
    """Run one measurement and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the registry on storage emulated by Azurite.",
        epilog="Of times, only ratios within one run mean anything.",
    )
    nouns = parser.add_subparsers(required=True, metavar="WHAT")
    compare = nouns.add_parser(
        "compare",
        help="beside CNCF distribution: times, calls, processor time, growth (the default)",
        description="Measure Slipway, under the development host and under the production engine, "
        "and CNCF distribution, on one Azurite, with the same tokens, in turn. It takes half an "
        "hour.",
        epilog="What was measured is kept, also if it is stopped: see --resume.",
    )
    command.add_options(compare)
    compare.set_defaults(run=lambda arguments: command.run(arguments, _say))
    page = nouns.add_parser(
        "page",
        help="make docs/performance.md and its pictures from docs/performance.json",
    )
    page_command.add_options(page)
    page.set_defaults(run=lambda arguments: page_command.run(arguments, _say))
    _upload_options(
        nouns.add_parser(
            "upload",
            help="throughput against raw appends, memory, and commits by size",
            description="Measure streamed uploads: throughput against raw appends of the same "
            "block size, by how much they make the registry's memory grow, and what a commit "
            "takes by size.",
        )
    )
    _cpu_options(
        nouns.add_parser(
            "cpu",
            help="processor time a request, as a multiple of an empty function's, and memory",
            description="Measure what requests take of the server's processor time (user and "
            "system), as a multiple of what an empty function on the same host takes in the same "
            "run, with their storage calls and rounds; and the server's memory, at rest and while "
            "large layers come in. Each figure stands beside the bar it is held to, and what it "
            "was before.",
            epilog=f"NAME is one of: {', '.join(_NAMES)}.",
        )
    )
    cold = nouns.add_parser(
        "coldstart",
        help="imports against the required libraries alone, and the first requests of a process",
    )
    cold.set_defaults(run=_cold_start)
    pages = nouns.add_parser(
        "listings",
        help="storage calls of a page in repositories of 10, 1,000 and 100,000 tags",
        description="Write the rows of 10, 1,000 and 100,000 tags, of 20,000 manifests and of "
        "10,000 repositories, and count the storage calls and rounds of the first page, one in the "
        "middle and the last, in each order.",
    )
    pages.set_defaults(run=_listings)
    _collection_options(
        nouns.add_parser(
            "collection",
            help="how fast garbage is collected, beside the same storage calls made raw",
            description="Collect blobs that nothing needs, on one copy of their storage, and send "
            "the very same requests raw on another.",
        )
    )
    _verify_options(
        nouns.add_parser(
            "verify",
            help="how fast `slipway fsck --verify-content` reads, beside the same reads made raw",
            description="Check blobs with their content, and read the same bytes raw, in turn.",
        )
    )
    _relay_options(
        nouns.add_parser(
            "relay",
            help="a layer through `slipway relay`, beside the same sent directly",
            description="Push layers through the relay and directly, in turns.",
        )
    )
    arguments = parser.parse_args(_with_default(sys.argv[1:]))
    try:
        told = arguments.run(arguments)
    except (DevhostError, UnexpectedAnswerError) as error:
        _say(str(error))
        return 1
    if isinstance(told, int):
        return told
    sys.stdout.write(told + "\n")
    return 0


def _with_default(words: list[str]) -> list[str]:
    """The command line with the word that may be left out."""
    if words and not words[0].startswith("-"):
        return words
    return words if {"-h", "--help"} & set(words) else ["compare", *words]


def _upload_options(upload: argparse.ArgumentParser) -> None:
    upload.add_argument(
        "--full", action="store_true", help="with layers of 2 GiB, and more pairs (minutes)"
    )
    upload.add_argument("--output", choices=("table", "json"), default="table")
    upload.set_defaults(run=_upload)


def _cpu_options(cpu: argparse.ArgumentParser) -> None:
    cpu.add_argument(
        "--only",
        action="append",
        choices=_NAMES,
        metavar="NAME",
        help="measure only this; may be given several times",
    )
    cpu.add_argument(
        "--requests",
        type=_count,
        default=_REQUESTS,
        metavar="N",
        help=f"how often each operation is repeated ({_REQUESTS}); the large ones fewer times",
    )
    cpu.add_argument("--output", choices=("table", "json"), default="table")
    cpu.set_defaults(run=_cpu)


def _collection_options(options: argparse.ArgumentParser) -> None:
    plan = collection.PLAN
    options.add_argument("--pairs", type=_count, default=plan.pairs, help=f"({plan.pairs})")
    options.add_argument(
        "--blobs", type=_count, default=plan.blobs, help=f"blobs in each pair ({plan.blobs})"
    )
    options.add_argument("--output", choices=("table", "json"), default="table")
    options.set_defaults(run=_collection)


def _verify_options(options: argparse.ArgumentParser) -> None:
    plan = verify.PLAN
    options.add_argument("--pairs", type=_count, default=plan.pairs, help=f"({plan.pairs})")
    options.add_argument("--blobs", type=_count, default=plan.blobs, help=f"({plan.blobs})")
    size = plan.size // MIB
    options.add_argument(
        "--size", type=_count, default=size, metavar="MIB", help=f"of each blob ({size})"
    )
    options.add_argument("--output", choices=("table", "json"), default="table")
    options.set_defaults(run=_verify)


def _relay_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--pairs", type=_count, default=8, help="(8)")
    options.add_argument("--size", type=_count, default=256, metavar="MIB", help="(256)")
    options.add_argument("--output", choices=("table", "json"), default="table")
    options.set_defaults(run=_relay)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


def _upload(arguments: argparse.Namespace) -> str:
    with staged() as stage:
        results = measure(stage, FULL if arguments.full else QUICK, _say)
    return report.as_json(results) if arguments.output == "json" else report.as_table(results)


def _cpu(arguments: argparse.Namespace) -> str:
    names = arguments.only
    chosen = [each for each in OPERATIONS if names is None or each.name in names]
    memory = names is None or _MEMORY in names
    results = measure_cpu(chosen, arguments.requests, _say, memory=memory)
    told = cpu_report.as_json if arguments.output == "json" else cpu_report.as_table
    return told(results)


def _relay(arguments: argparse.Namespace) -> str:
    with staged() as stage:
        pairs = relay.measure(stage, arguments.pairs, arguments.size * MIB, _say)
    return relay.as_json(pairs) if arguments.output == "json" else relay.as_table(pairs)


def _verify(arguments: argparse.Namespace) -> str:
    plan = verify.Plan(arguments.pairs, arguments.blobs, arguments.size * MIB)
    pairs = verify.measure(plan, _say)
    return verify.as_json(pairs) if arguments.output == "json" else verify.as_table(pairs)


def _listings(_: argparse.Namespace) -> str:
    with staged() as stage:
        return listings.as_table(listings.measure(stage, listings.SIZES, _say))


def _collection(arguments: argparse.Namespace) -> str:
    plan = replace(collection.PLAN, pairs=arguments.pairs, blobs=arguments.blobs)
    pairs = collection.measure(plan, _say)
    told = collection.as_json if arguments.output == "json" else collection.as_table
    return told(pairs)


def _cold_start(_: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as folder, Azurite(Path(folder)) as azurite:
        first = cold_start.first_requests(azurite.connection_string, secrets.token_urlsafe(32))
    unit = first.seconds["import"]
    lines = [f"{'imports, to the required libraries':40}{cold_start.ratio(9):6.2f}"]
    lines += [
        f"{name + ', to all imports':40}{seconds / unit:6.3f}"
        for name, seconds in first.seconds.items()
        if name != "import"
    ]
    lines.append(f"imported by the first requests: {', '.join(first.loaded)}")
    profile = cold_start.profile()
    for package, microseconds in profile.most_common(12):
        share = microseconds / profile.total()
        lines.append(f"{package + ', of all imports':40}{share:6.1%}")
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
