"""How far something is that takes long: told beside the result."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Self

from slipway_cli.command import say
from slipway_cli.output.terminal import Terminal

_AT_TERMINAL_SECONDS = 0.2
_ELSEWHERE_SECONDS = 10.0
"""How often it is told: one line that changes at a terminal, else a line each time."""
_LINE_START = "\r\x1b[K"


class Progress:
    """One line of progress. It goes at the end: what stays is the result."""

    def __init__(self) -> None:
        terminal = Terminal.of(sys.stderr, os.environ)
        # A dumb terminal cannot take a line back.
        self._width = terminal.width if terminal and os.environ.get("TERM") != "dumb" else 0
        self._pause = _AT_TERMINAL_SECONDS if self._width else _ELSEWHERE_SECONDS
        self._told = time.monotonic()
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()

    def show(self, text: str) -> None:
        """How far it is by now; not told each time."""
        now = time.monotonic()
        if now - self._told < self._pause:
            return
        self._told = now
        if not self._width:
            say(text)
            return
        sys.stderr.write(f"{_LINE_START}{text[: self._width - 1]}")
        sys.stderr.flush()
        self._is_shown = True

    def tell(self, text: str) -> None:
        """Something that stays on the screen."""
        self._clear()
        say(text)

    def _clear(self) -> None:
        if self._is_shown:
            sys.stderr.write(_LINE_START)
            sys.stderr.flush()
            self._is_shown = False
