"""What commands take that speak to a registry as its clients do: which one, what, and as whom."""

from __future__ import annotations

import argparse
from typing import Any

from slipway_cli.command import describe, later

ORDERS = ("time_desc", "time_asc", "name")


def add(
    verbs: Any,
    name: str,
    run: tuple[str, str],
    text: str,
    *examples: str,
    reference: str,
    nargs: str = "?",
) -> argparse.ArgumentParser:
    """Adds a command on what a reference names: as an argument, or in the flags of `az acr`."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    describe(parser, later(*run), text, *examples)
    parser.add_argument(
        "reference",
        nargs=nargs,
        default=None,
        metavar=reference,
        help="as docker writes it, such as registry.example.com/team/web:v1; without the registry "
        "if --registry or SLIPWAY_REGISTRY names it",
    )
    parser.add_argument("--registry", "-r", metavar="ADDRESS", help="the registry's address")
    parser.add_argument(
        "--name",
        "-n",
        help="as in az: the registry, where something else names the repository; else the "
        "repository",
    )
    parser.add_argument("--repository", metavar="NAME", help="the repository, as in az")
    parser.add_argument("--image", "-t", metavar="NAME:TAG", help="the tag or digest, as in az")
    add_sign_in(parser)
    return parser


def add_sign_in(parser: argparse.ArgumentParser) -> None:
    """`--username`, `--password-stdin`, `--verbose`: see `registry.credentials`."""
    parser.add_argument(
        "--username",
        "-u",
        help="sign in as this user (default: SLIPWAY_USERNAME and SLIPWAY_PASSWORD, then what "
        "podman, docker or az keep, then nobody)",
    )
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="say where the credentials were found, and what could not be asked",
    )


def add_list(parser: argparse.ArgumentParser) -> None:
    """`--top`, `--orderby`, `--detail`."""
    parser.add_argument(
        "--top", type=_positive, metavar="NUMBER", help="only so many, the first of the order"
    )
    parser.add_argument(
        "--orderby",
        choices=ORDERS,
        default="time_desc",
        help="by the time of the last push, or by name (default: time_desc, the newest first)",
    )
    parser.add_argument("--detail", action="store_true", help="more columns in the table")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


_positive.__name__ = "number from 1"  # What argparse calls it if it is none.


def add_yes(parser: argparse.ArgumentParser) -> None:
    """`--yes`."""
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask for confirmation")


def add_locks(parser: argparse.ArgumentParser, *, is_lock: bool) -> None:
    """Which of the four attributes a lock is about."""
    does, default = ("forbid", "write and delete") if is_lock else ("allow", "write and delete")
    for name, text in (
        ("write", "pushes and deletions"),
        ("delete", "deletions"),
        ("read", "pulls"),
        ("list", "that lists show it"),
    ):
        parser.add_argument(
            f"--{name}",
            dest="locks",
            action="append_const",
            const=name,
            help=f"{does} {text} (default: {default})",
        )
