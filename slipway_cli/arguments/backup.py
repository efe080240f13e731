"""What `slipway backup` takes."""

from __future__ import annotations

import argparse

from slipway_cli.command import describe, later


def register(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    describe(
        parser,
        later("backup", "back_up"),
        "Back up a registry, rows and bytes, beside pushes and deletions; list its backups; delete "
        "old ones. The destination is a folder, or a container of any storage account. Content is "
        "copied once for all backups. A backup that was ended is gone on with by the next run. "
        "Restore with slipway restore.",
        "backup https://mybackups.blob.core.windows.net/registry",
        "backup /mnt/backups/registry",
        "backup list /mnt/backups/registry",
        "backup prune /mnt/backups/registry --keep 14",
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "prune"),
        help="list: show the backups at the destination; prune: delete old ones; without it, make "
        "a backup",
    )
    parser.add_argument(
        "destination",
        metavar="DESTINATION",
        help="a folder, or https://<account>.blob.core.windows.net/<container>[/<prefix>]. For "
        "another account than the registry's, sign in with az login, or set BackupStorage to its "
        "connection string",
    )
    parser.add_argument(
        "--rows-only",
        action="store_true",
        help="export the rows, and leave the bytes where they are: needs --keep-for",
    )
    parser.add_argument(
        "--keep-for",
        type=int,
        metavar="DAYS",
        help="with --rows-only: for so many days garbage collection leaves the bytes that the "
        "backup names",
    )
    parser.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="prune: keep the newest N complete backups that have bytes",
    )
    parser.add_argument(
        "--older-than",
        type=int,
        metavar="DAYS",
        help="prune: delete those that are older; the newest complete one always stays",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="prune: delete nothing, only tell what would go"
    )
