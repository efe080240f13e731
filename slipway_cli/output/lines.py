"""Several lines of progress at a terminal, below what stays; elsewhere only what stays."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

from slipway_cli.command import say
from slipway_cli.output.terminal import Terminal

_PAUSE_SECONDS = 0.2
_CLEAR_BELOW = "\x1b[J"


class Lines:
    """Lines that change in place; `current` gives those of this moment."""

    def __init__(self, current: Callable[[], Sequence[str]]) -> None:
        self._current = current
        terminal = Terminal.of(sys.stderr, os.environ)
        # A dumb terminal cannot take a line back.
        self._width = terminal.width if terminal and os.environ.get("TERM") != "dumb" else 0
        self._shown = 0
        self._told = 0.0

    @property
    def is_at_terminal(self) -> bool:
        """Whether lines are shown that change."""
        return bool(self._width)

    def show(self) -> None:
        """Shows the lines as they are by now; not each time."""
        now = time.monotonic()
        if self._width and now - self._told >= _PAUSE_SECONDS:
            self._told = now
            self._draw()

    def tell(self, text: str) -> None:
        """Something that stays on the screen, above the lines."""
        if not self._width:
            say(text)
            return
        sys.stderr.write(self._back())
        say(text)
        self._draw()

    def clear(self) -> None:
        """Takes the lines away."""
        if self._shown:
            sys.stderr.write(self._back())
            sys.stderr.flush()

    def _draw(self) -> None:
        lines = [line[: self._width - 1] for line in self._current()]
        sys.stderr.write(self._back() + "".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
        self._shown = len(lines)

    def _back(self) -> str:
        up = f"\x1b[{self._shown}A" if self._shown else ""
        self._shown = 0
        return f"\r{up}{_CLEAR_BELOW}"
