"""How an archive is to be read: anywhere, or from its first byte to its last."""

from __future__ import annotations

import sys
from pathlib import Path

from slipway_cli.command import UsageError
from slipway_cli.output.text import clean
from slipway_cli.push.archives.contents import Contents, Folder, members_of
from slipway_cli.push.archives.sources import Flow, is_compressed, open_regular, unreadable

STANDARD_INPUT = "-"


def opened(name: str) -> Path | Flow:
    """A path that can be read anywhere, or what only flows.

    Raises `UsageError` if there is nothing, and `ArchiveError`.
    """
    if name == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("--archive -: standard input is a terminal: pipe an archive into it")
        return Flow(sys.stdin.buffer)
    path, shown = Path(name), clean(name)
    try:
        if path.is_dir():
            return path
        if not path.exists():
            raise UsageError(f"--archive: {shown} is not there")
        if not path.is_file():
            return Flow(path.open("rb"))  # As `<(docker save …)` of a shell.
    except OSError as error:
        raise unreadable(error) from error
    file = open_regular(path, shown)
    if is_compressed(file):
        file.seek(0)
        return Flow(file, file)
    file.close()
    return path


def contents_of(path: Path) -> Contents:
    """What an archive holds that can be read anywhere. Raises `ArchiveError`."""
    return Folder(path) if path.is_dir() else members_of(path)
