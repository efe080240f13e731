"""What the commands share: errors for people, tables, and the connection to storage."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from registry_core.access.store import Access
from registry_core.settings import Settings
from registry_core.storage.cache import Cache
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection

Row = Mapping[str, object]
Result = Sequence[Row] | Row | None
"""What a command answers: a list, one thing, or nothing."""
Command = Callable[[argparse.Namespace], Awaitable[Result]]


class CommandError(Exception):
    """What was asked for can't be done; the text says why, and what to do."""


@asynccontextmanager
async def connection() -> AsyncIterator[Connection]:
    """A connection to the storage that the environment names. Raises `SettingsError`."""
    opened = Connection(Settings.from_environment().storage, CallHook())
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def access() -> AsyncIterator[Access]:
    """Tokens, scope maps and role assignments there, read anew each time."""
    async with connection() as opened:
        yield Access(opened, Cache(timedelta(0)))


def add(parsers: Any, name: str, run: Command, text: str, example: str) -> argparse.ArgumentParser:
    """Adds a command with its help and an example."""
    parser: argparse.ArgumentParser = parsers.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example:\n  slipway {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--output",
        "-o",
        choices=("table", "json", "tsv"),
        default="table",
        help="table for people, json for programs, tsv for shell scripts (default: table)",
    )
    parser.set_defaults(run=run)
    return parser


def say(text: str) -> None:
    """Tells people something beside the result."""
    sys.stderr.write(f"{text}\n")


def confirm(arguments: argparse.Namespace, question: str) -> None:
    """Asks before something is lost. Raises `CommandError` if it is not confirmed."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} There is no terminal to ask at: add --yes.")
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
    raise CommandError("there is no terminal to ask for the password: use --password-stdin")


def add_expiry(parser: argparse.ArgumentParser) -> None:
    """`--expiration-in-days`, `--expiration`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--expiration-in-days",
        type=int,
        metavar="DAYS",
        help="the password expires after this number of days (default: never)",
    )
    group.add_argument(
        "--expiration",
        metavar="TIME",
        help="when the password expires, such as 2027-01-31T00:00:00Z",
    )


def expiry(arguments: argparse.Namespace) -> datetime | None:
    """When a password is to end. Raises `CommandError`."""
    if arguments.expiration_in_days is not None:
        if not 0 < arguments.expiration_in_days <= 36_500:
            raise CommandError("--expiration-in-days: use a number of days from 1 to 36500")
        return datetime.now(UTC) + timedelta(days=arguments.expiration_in_days)
    if arguments.expiration is None:
        return None
    try:
        time = datetime.fromisoformat(arguments.expiration)
    except ValueError as error:
        raise CommandError("--expiration: use a time such as 2027-01-31T00:00:00Z") from error
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    if time <= datetime.now(UTC):
        raise CommandError("--expiration: the time must be in the future")
    return time


def written(time: datetime | None) -> str:
    """A time for people and programs: RFC 3339, seconds; empty for none."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


def render(result: Result, output: str) -> str:
    """A command's answer as text."""
    if output == "json":
        return json.dumps(result, indent=2) + "\n"
    rows = [result] if isinstance(result, Mapping) else list(result or ())
    if output == "tsv":
        return "".join("\t".join(map(_cell, row.values())) + "\n" for row in rows)
    if not rows:
        return ""
    heads = [name.upper() for name in rows[0]]
    lines = [heads, *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    spaced = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return "\n".join(spaced) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
