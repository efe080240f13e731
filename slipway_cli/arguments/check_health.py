"""What `slipway check-health` takes."""

from __future__ import annotations

import argparse

from slipway_cli.arguments.registry import add_sign_in
from slipway_cli.command import describe, later

REPOSITORY = "slipway/check-health"


def register(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    describe(
        parser,
        later("health.command", "run"),
        "Check the way to a registry, and that it works: its name, the connection, its "
        "certificate, the clock, its health, sign-in, a push and a pull of 4 KiB. What was pushed "
        "is deleted. Each check that fails says what to do next. The exit status is 1 then.",
        "check-health registry.example.com --username ci-web --password-stdin < password",
    )
    named = parser.add_mutually_exclusive_group()
    named.add_argument(
        "registry",
        nargs="?",
        metavar="REGISTRY",
        help="the registry, such as registry.example.com or localhost:7071 (default: "
        "SLIPWAY_REGISTRY)",
    )
    named.add_argument(
        "--registry", "-r", dest="named", metavar="REGISTRY", help="the same, as az spells it"
    )
    add_sign_in(parser)
    parser.add_argument(
        "--repository",
        default=REPOSITORY,
        help="where to push; you need pull and push there, and delete to leave nothing (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--pull-only",
        action="store_true",
        help="do not push: pull the smallest blob of a tag that is in the repository",
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=0,
        metavar="SECONDS",
        help="first wait so long until the registry answers; a first start takes time (default: 0)",
    )
    parser.add_argument(
        "--storage",
        choices=("operator", "app"),
        help="check the storage account as well, by the roles that the command line needs "
        "(operator: the default where RegistryStorage is set), or the app",
    )


def _seconds(text: str) -> int:
    seconds = int(text)
    if not 0 <= seconds <= 3600:
        raise ValueError(text)
    return seconds


_seconds.__name__ = "number from 0 to 3600"  # What argparse calls it if it is none.
