"""`python -m bench`: see `--help`."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from bench import cold_start, report
from bench.stage import staged
from bench.upload import FULL, QUICK, measure
from devhost.errors import DevhostError
from devhost.processes.azurite import Azurite


def main() -> int:
    """Run one measurement and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the registry on storage emulated by Azurite.",
        epilog="Of times, only ratios within one run mean anything.",
    )
    nouns = parser.add_subparsers(dest="noun", required=True, metavar="WHAT")
    upload = nouns.add_parser(
        "upload",
        help="throughput against raw appends, memory, and commits by size",
        description="Measure streamed uploads: throughput against raw appends of the same block "
        "size, by how much they make the registry's memory grow, and what a commit takes by size.",
    )
    upload.add_argument(
        "--full", action="store_true", help="with layers of 2 GiB, and more pairs (minutes)"
    )
    upload.add_argument("--output", choices=("table", "json"), default="table")
    nouns.add_parser(
        "coldstart",
        help="imports against the required SDKs alone, and the first requests of a process",
    )
    arguments = parser.parse_args()
    if arguments.noun == "coldstart":
        return _cold_start()
    try:
        with staged() as stage:
            results = measure(stage, FULL if arguments.full else QUICK, _say)
    except DevhostError as error:
        _say(str(error))
        return 1
    render = report.as_json if arguments.output == "json" else report.as_table
    sys.stdout.write(render(results) + "\n")
    return 0


def _cold_start() -> int:
    with tempfile.TemporaryDirectory() as folder, Azurite(Path(folder)) as azurite:
        first = cold_start.first_requests(azurite.connection_string, secrets.token_urlsafe(32))
    unit = first.seconds["import"]
    lines = [f"{'imports, to the required SDKs alone':40}{cold_start.ratio(9):6.2f}"]
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
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
