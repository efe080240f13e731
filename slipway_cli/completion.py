"""`slipway completion`: a file that makes a shell complete this command line.

The files are kept beside this module and printed as they are: `make completion` makes them. What a
shell reads at each Tab is the file, and Python is not started.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from slipway_cli.command import Result, write

SHELLS = ("bash", "zsh", "fish")
FOLDER = Path(__file__).with_name("completions")


def register(parser: argparse.ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.description = (
        "Print a file that makes a shell complete this command line. Print it again after an "
        "update."
    )
    parser.epilog = (
        "example:\n  slipway completion bash > ~/.local/share/bash-completion/completions/slipway"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=_run, output="table")


def file_of(shell: str) -> Path:
    """Where the file for a shell is kept."""
    return FOLDER / f"slipway.{shell}"


async def _run(arguments: argparse.Namespace) -> Result:
    write(file_of(arguments.shell).read_text(encoding="utf-8"))
    return None
