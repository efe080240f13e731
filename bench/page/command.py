"""`python -m bench page`: makes the page from the file of results."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bench.page.performance import write
from bench.results.store import Results, ResultsError

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT = DOCS / "performance.json"
"""The results that the repository keeps. A run writes the page beside a file of this name."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--results", type=Path, default=KEPT, metavar="FILE", help="(docs/performance.json)"
    )
    parser.add_argument(
        "--to", type=Path, default=DOCS, metavar="FOLDER", help="where it is written (docs)"
    )


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Writes the page, and returns the exit status."""
    try:
        results = Results.read(arguments.results)
    except ResultsError as error:
        say(str(error))
        return 1
    for path in write(results, arguments.to):
        say(str(path))
    return 0
