"""The terminal that an answer goes to, if it goes to one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True)
class Terminal:
    """What can be shown there."""

    width: int
    has_colour: bool = False

    @classmethod
    def of(cls, stream: TextIO | None, environment: Mapping[str, str]) -> Terminal | None:
        """The terminal behind a stream; None if it is a file, a pipe, or closed."""
        if stream is None or stream.closed or not stream.isatty():
            return None
        # https://no-color.org: present and not empty.
        is_plain = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
        return cls(shutil.get_terminal_size().columns, not is_plain)

    @classmethod
    def of_output(cls) -> Terminal | None:
        """That of standard output."""
        return cls.of(sys.stdout, os.environ)

    def bold(self, text: str) -> str:
        """For heads."""
        return f"{_BOLD}{text}{_PLAIN}" if self.has_colour else text

    def dim(self, text: str) -> str:
        """For what is there to be looked up."""
        return f"{_DIM}{text}{_PLAIN}" if self.has_colour else text
