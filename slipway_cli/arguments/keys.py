"""What `slipway key` takes."""

from __future__ import annotations

import argparse

from slipway_cli.command import add, later


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    rotate = add(
        verbs,
        "rotate",
        later("keys", "rotate"),
        "Add a signing key if the newest is older than 30 days. It is used after one hour.",
        "key rotate --force",
    )
    rotate.add_argument(
        "--force", action="store_true", help="add one even if the newest is not that old"
    )
    add(
        verbs,
        "list",
        later("keys", "list_all"),
        "List the signing keys. The private keys are never shown.",
        "key list",
    )
