"""What `slipway soft-delete` takes."""

from __future__ import annotations

import argparse

from registry_core.repositories.soft_delete import DEFAULT_DAYS, MAX_DAYS, MIN_DAYS
from slipway_cli.command import describe, later

_MODULE = "soft_delete"


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    describe(
        verbs.add_parser("show"),
        later(_MODULE, "show"),
        "Show whether what is deleted can be restored, and for how many days.",
        "soft-delete show",
    )
    enable = verbs.add_parser("enable")
    describe(
        enable,
        later(_MODULE, "enable"),
        "Have what is deleted from now on kept, so that it can be restored for some days. Each "
        "instance of the registry takes notice within REGISTRY_CACHE_TTL. The days count for what "
        "was deleted before, too: with fewer of them, some of it may go the next night.",
        f"soft-delete enable --days {DEFAULT_DAYS}",
    )
    enable.add_argument(
        "--days",
        type=int,
        metavar="N",
        help=f"for how many days it can be restored: {MIN_DAYS} to {MAX_DAYS}; without this, as "
        f"many as were set last, and {DEFAULT_DAYS} at first",
    )
    enable.add_argument("--yes", "-y", action="store_true", help="do not ask")
    describe(
        verbs.add_parser("disable"),
        later(_MODULE, "disable"),
        "Have what is deleted from now on gone for good. What was deleted before can still be "
        "restored, and goes when its days are over.",
        "soft-delete disable",
    )
    purge = verbs.add_parser("purge")
    describe(
        purge,
        later(_MODULE, "purge"),
        "Delete for good what was deleted and whose days are over. The app itself does it each "
        "night. Its storage is freed by garbage collection, some days later.",
        "soft-delete purge --dry-run",
        "soft-delete purge",
    )
    purge.add_argument(
        "--dry-run", action="store_true", help="delete nothing: only count what would go"
    )
