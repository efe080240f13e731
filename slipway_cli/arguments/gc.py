"""What `slipway gc` takes."""

from __future__ import annotations

import argparse

from slipway_cli.command import describe, later


def register(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    describe(
        parser,
        later("gc", "collect"),
        "Collect garbage: delete what no manifest needs, and the rows that deletions left. It is "
        "safe at any time, beside pushes and deletions, and may be repeated. What was deleted a "
        "short time ago stays: docs/garbage-collection.md says how long. The app itself collects "
        "a part each night.",
        "gc --dry-run",
        "gc --dry-run --as-of 2027-01-31T00:00:00Z --output json",
        "gc",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="delete nothing: only tell what would go"
    )
    parser.add_argument(
        "--as-of",
        metavar="TIME",
        help="with --dry-run: what would go at this time, if nothing else happens until then",
    )
