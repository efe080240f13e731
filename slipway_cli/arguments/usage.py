"""What `slipway usage` takes."""

from __future__ import annotations

import argparse

from slipway_cli.command import describe, later


def register(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    describe(
        parser,
        later("usage", "count"),
        "Count what the whole registry takes of storage, now: each layer once, what is shared, and "
        "what waits for collection. The app itself counts a part each night; this also brings what "
        "it tells up to date. `slipway repository usage` tells of single repositories.",
        "usage",
        "usage --output json",
    )
