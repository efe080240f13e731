"""What commands take that speak to a registry as its clients do: which one, and as whom."""

from __future__ import annotations

import argparse


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
