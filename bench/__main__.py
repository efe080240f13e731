"""`python -m bench`: see `--help`."""

import argparse
import sys

from bench import report
from bench.stage import staged
from bench.upload import FULL, QUICK, measure
from devhost.errors import DevhostError


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
    arguments = parser.parse_args()
    try:
        with staged() as stage:
            results = measure(stage, FULL if arguments.full else QUICK, _say)
    except DevhostError as error:
        _say(str(error))
        return 1
    render = report.as_json if arguments.output == "json" else report.as_table
    sys.stdout.write(render(results) + "\n")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
