"""What the commands share: errors for people, questions, and answers as text.

It is imported for every `--help`, so it imports nothing that is slow.
"""

from __future__ import annotations

import argparse
import getpass
import importlib
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway_cli.output import tables
from slipway_cli.output.terminal import Terminal

Row = Mapping[str, object]


@dataclass(frozen=True)
class Shaped:
    """An answer that programs get in another shape than people."""

    rows: Sequence[Row] | Row
    document: Mapping[str, object] | Sequence[object]
    """What `json` prints."""
    text: str | None = None
    """What `table` prints, where that is not a table of the rows."""
    status: int = 0
    """The exit status of the command."""


Result = Sequence[Row] | Row | Shaped | None
"""What a command answers: a list, one thing, or nothing."""
Command = Callable[[argparse.Namespace], Awaitable[Result]]


class CommandError(Exception):
    """What was asked for can't be done; the text says why, and what to do."""

    status = 1
    """The exit status of the command."""


class UsageError(CommandError):
    """An argument is wrong, or one is missing."""

    status = 2


class PartlyDone(CommandError):
    """Some of it is done, and some could not be."""

    status = 3

    def __init__(self, text: str, done: Result) -> None:
        super().__init__(text)
        self.done = done


class NotSignedIn(CommandError):
    """Who asks is not known to the registry, or may not do this."""

    status = 4


def add(parsers: Any, name: str, run: Command, text: str, example: str) -> argparse.ArgumentParser:
    """Adds a command with its help and an example."""
    parser: argparse.ArgumentParser = parsers.add_parser(name, help=text)
    describe(parser, run, text, example)
    parser.add_argument(
        "--registry",
        "-r",
        metavar="NAME",
        help="the registry's name or address (default: the first of REGISTRY_LOGIN_SERVERS). It "
        "chooses no storage: RegistryStorage does that",
    )
    return parser


def later(module: str, name: str) -> Command:
    """A command whose module is imported when it is run: storage's libraries are slow to import."""

    async def run(arguments: argparse.Namespace) -> Result:
        command: Command = getattr(importlib.import_module(f"slipway_cli.{module}"), name)
        return await command(arguments)

    return run


def describe(parser: argparse.ArgumentParser, run: Command, text: str, *examples: str) -> None:
    """Makes a parser that of a command: its help, examples, and how it answers."""
    parser.description = text
    head = "example:" if len(examples) == 1 else "examples:"
    parser.epilog = "\n  slipway ".join((head, *examples))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--output",
        "-o",
        choices=("table", "json", "tsv"),
        default="table",
        help="table for people, json for programs, tsv for shell scripts (default: table)",
    )
    parser.set_defaults(run=run)


def say(text: str) -> None:
    """Tells people something beside the result, if there is anything to tell it on."""
    with suppress(OSError, AttributeError):  # It is full, or was closed before the start.
        sys.stderr.write(f"{text}\n")


def write(text: str) -> None:
    """Writes to standard output, all of it. Raises `OSError`."""
    if sys.stdout is None:
        raise OSError(9, "standard output is closed")
    sys.stdout.write(text)
    sys.stdout.flush()


def confirm(arguments: argparse.Namespace, question: str) -> None:
    """Asks before something is lost.

    Raises `CommandError` if it is not confirmed, and `UsageError` if there is nobody to ask.
    """
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} There is no terminal to ask at: add --yes")
    sys.stderr.write(f"{question} (y/N) ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed")


def read_password(arguments: argparse.Namespace) -> str:
    """With `--password-stdin` from standard input, else asked for. Raises `CommandError`."""
    if arguments.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    raise UsageError("there is no terminal to ask for the password: use --password-stdin")


def add_expiry(parser: argparse.ArgumentParser, default: str) -> None:
    """`--expiration-in-days`, `--expiration`; `default` says what is without them."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--expiration-in-days",
        type=int,
        metavar="DAYS",
        help=f"the password expires after this number of days (default: {default})",
    )
    group.add_argument(
        "--expiration",
        metavar="TIME",
        help="when the password expires, such as 2027-01-31T00:00:00Z, or never",
    )


def is_asked(arguments: argparse.Namespace) -> bool:
    """Whether it was said when a password is to end, or that it is not to."""
    return arguments.expiration_in_days is not None or arguments.expiration is not None


def expiry(arguments: argparse.Namespace, now: datetime) -> datetime | None:
    """When a password made now is to end, as it was said. Raises `CommandError`."""
    if arguments.expiration_in_days is not None:
        if not 0 < arguments.expiration_in_days <= 36_500:
            raise CommandError("--expiration-in-days: use a number of days from 1 to 36500")
        return now + timedelta(days=arguments.expiration_in_days)
    if arguments.expiration in (None, "never"):
        return None
    try:
        time = time_of(arguments.expiration)
    except ValueError as error:
        raise CommandError("--expiration: use a time such as 2027-01-31T00:00:00Z") from error
    if time <= now:
        raise CommandError("--expiration: the time must be in the future")
    return time


def time_of(text: str) -> datetime:
    """A time that people typed; it is UTC where it does not say. Raises `ValueError`."""
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def time_asked(arguments: argparse.Namespace) -> datetime:
    """The time that `--as-of` names, or now; only a dry run may name one. Raises `UsageError`."""
    now = datetime.now(UTC)
    if arguments.as_of is None:
        return now
    if not arguments.dry_run:
        raise UsageError("--as-of needs --dry-run: nothing is deleted before its time")
    try:
        return time_of(arguments.as_of)
    except ValueError as error:
        raise UsageError("--as-of: use a time such as 2027-01-31T00:00:00Z") from error


def written(time: datetime | None) -> str | None:
    """A time for people and programs: RFC 3339, seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None


def render(result: Result, output: str) -> str:
    """A command's answer as text."""
    if output == "json":
        document = result.document if isinstance(result, Shaped) else result
        return json.dumps({} if document is None else document, indent=2) + "\n"
    answer = result.rows if isinstance(result, Shaped) else result
    rows = [answer] if isinstance(answer, Mapping) else list(answer or ())
    if output == "tsv":
        return "".join("\t".join(map(_field, row.values())) + "\n" for row in rows)
    if isinstance(result, Shaped) and result.text is not None:
        return result.text
    return tables.table(rows, Terminal.of_output())


def _field(value: object) -> str:
    """A cell without what ends one or moves a cursor, which is written as in C."""
    return "".join(
        each if each.isprintable() and each != "\\" else each.encode("unicode_escape").decode()
        for each in tables.full(value)
    )
