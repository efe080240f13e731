"""What `slipway restore` takes."""

from __future__ import annotations

import argparse

from slipway_cli.command import describe, later


def register(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    describe(
        parser,
        later("backup", "restore"),
        "Restore a backup into the registry of the storage account that RegistryStorage names, "
        "which must be empty. It may be in another account and region than the one that was backed "
        "up. The backup is checked before anything is written. A restore that was ended is gone "
        "on with by the same command.",
        "restore https://mybackups.blob.core.windows.net/registry --dry-run",
        "restore /mnt/backups/registry --backup 2027-01-31T023000Z",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="where the backups are: a folder, or "
        "https://<account>.blob.core.windows.net/<container>[/<prefix>]",
    )
    parser.add_argument(
        "--backup",
        metavar="ID",
        help="which backup, as slipway backup list shows it (default: the newest complete one)",
    )
    parser.add_argument(
        "--verify-content",
        action="store_true",
        help="read all bytes of the backup first, and hold them against their digests; a folder "
        "is always read",
    )
    parser.add_argument(
        "--content-from",
        metavar="CONTAINER",
        help="for a backup that was made with --rows-only: the container content of the registry "
        "that has the bytes",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="write nothing: check the backup, and that the registry is empty",
    )
