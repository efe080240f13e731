"""`python -m slipway_cli`: the command line."""

from __future__ import annotations

import os
import sys


def _status() -> int:
    # Imported here, so that Ctrl-C while it is imported ends in a line as well.
    from slipway_cli.command import say  # noqa: PLC0415
    from slipway_cli.main import main  # noqa: PLC0415

    try:
        return main()
    except SystemExit as ended:  # By --help, --version, or arguments that are none.
        return ended.code if isinstance(ended.code, int) else 1
    except OSError as error:
        say(f"slipway: the answer could not be written: {error.strerror}")
        return 1


def run() -> None:
    """Runs a command, and ends the process."""
    try:
        status = _status()
    except KeyboardInterrupt:
        status = 130
        if sys.stderr is not None:
            sys.stderr.write("\nslipway: interrupted\n")
    # Without waiting for threads that look up a name or wait for a registry. All is written.
    os._exit(status)


if __name__ == "__main__":
    run()
