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
        "fsck --output json",
    )
