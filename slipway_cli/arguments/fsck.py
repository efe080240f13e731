"""What `slipway fsck` takes."""

from __future__ import annotations

import argparse

from slipway_cli.command import describe, later


def register(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    describe(
        parser,
        later("fsck", "check"),
        "Check everything in storage: that all rows and objects say the same. It is safe at any "
        "time, beside pushes and deletions. It ends with 0 if the registry is sound, with 1 if "
        "something is broken, and with 3 if storage failed before all was looked at. Garbage is "
        "counted, and is no error. docs/check-and-repair.md says what each finding means.",
        "fsck",
        "fsck --repair",
        "fsck --verify-content --output json",
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="mend what can be mended; what was mended is told, and is no error any more",
    )
    parser.add_argument(
        "--verify-content",
        action="store_true",
        help="read each blob, and compare its bytes with its digest: it takes as long as a "
        "download of everything",
    )
