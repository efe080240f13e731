"""What is wrong with an archive."""

from __future__ import annotations

from slipway_cli.command import CommandError


class ArchiveError(CommandError):
    """An archive can't be pushed; the text says why."""


class CutOff(ArchiveError):
    """An archive ends before its content does."""

    def __init__(self) -> None:
        super().__init__("the archive ends too early: it was cut off")
