"""Writes the files by which shells complete the command line: `slipway_cli/completions/`.

They are made by shtab from the commands as they are, and kept, so that whoever uses the command
line needs no shtab. A test fails where they are out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from slipway_cli.completion import FOLDER, SHELLS, file_of  # noqa: E402
from slipway_cli.main import parser  # noqa: E402


def made(shell: str) -> str:
    """The file for a shell."""
    commands = parser()
    for each in _all(commands):
        for action in each._actions:  # noqa: SLF001 - there is no other way to list them
            if not action.option_strings and action.choices is None:
                # Zsh inserts no option beside an argument of which it knows nothing.
                action.complete = {"zsh": "()"}  # type: ignore[attr-defined]
    text: str = shtab.complete(commands, shell)
    return f"{text.rstrip()}\n"


def _all(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, and those of its commands."""
    yield parser
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for each in action.choices.values():
                yield from _all(each)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in SHELLS:
        file_of(name).write_text(made(name), encoding="utf-8")
