"""How far several transfers are: at a terminal a line for each, else one when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from slipway_cli.output.cells import count, duration_text, left_text, size_text
from slipway_cli.output.lines import Lines
from slipway_cli.output.text import clean

SENT, THERE, MOUNTED = "sent", "there already", "mounted"
"""How a transfer ended well."""

_ELSEWHERE_SECONDS = 60.0
"""How often it is told where there is no terminal how far they are, so that a log shows life."""
_NAME_WIDTH = 20


@dataclass(eq=False)
class Transfer:
    """One of them, which came to nothing if its block ends before it is said to be done."""

    name: str
    size: int | None
    """In bytes; None where it is not known before the end."""
    _owner: Transfers
    _begun: float
    position: int = 0
    _first: int | None = field(default=None)
    """Where it began: one that goes on where another had ended has not sent all of it."""

    def at(self, position: int) -> None:
        """So many bytes have gone out; it may be less than before, after a fault."""
        if self._first is None:
            self._first, self._begun = position, self._owner.now()
        self.position = position
        self._owner.moved()

    def end(self, how: str, size: int) -> None:
        """It is done: how, and how large it was."""
        self.size = self.position = size
        self._owner.ended(self, how)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._owner.left(self)

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return self._owner.now() - self._begun

    @property
    def rate(self) -> float:
        """How many bytes of its own have gone out in a second, on average."""
        sent = max(self.position - (self._first or 0), 0)
        return sent / self.seconds if self.seconds > 0 else 0.0

    def line(self) -> str:
        """How far it is: columns of fixed width, so that nothing jumps."""
        done = f"{size_text(self.position):>9}"
        of = "" if self.size is None else f" of {size_text(self.size):>9}"
        part = "" if not self.size else f"  {min(self.position * 100 // self.size, 100):3} %"
        speed = f"  {size_text(int(self.rate)):>9}/s" if self.position else ""
        left = f"  {left_text(self.rate, self.size - self.position)}" if self.size else ""
        return f"{self.column} {done}{of}{part}{speed}{left}".rstrip()

    @property
    def column(self) -> str:
        """Its name, as wide as all others."""
        return f"{self.name:{_NAME_WIDTH}.{_NAME_WIDTH}}"


class Transfers:
    """Those of one command."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._begun = self._told = now()
        self._active: list[Transfer] = []
        self._lines = Lines(lambda: [transfer.line() for transfer in self._active])
        self._numbers: dict[str, list[int]] = {}
        """How many have ended, and with how many bytes, by how they did."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.clear()

    def begin(self, name: str, size: int | None) -> Transfer:
        """One more."""
        transfer = Transfer(clean(name), size, self, self.now())
        self._active.append(transfer)
        return transfer

    def tell(self, text: str) -> None:
        """Something that stays on the screen."""
        self._lines.tell(text)

    def moved(self) -> None:
        """One has got on; not told each time."""
        if self._lines.is_at_terminal:
            self._lines.show()
        elif self.now() - self._told >= _ELSEWHERE_SECONDS:
            self._told = self.now()
            for transfer in self._active:
                self.tell(transfer.line())

    def ended(self, transfer: Transfer, how: str) -> None:
        """One is done."""
        numbers = self._numbers.setdefault(how, [0, 0])
        numbers[0] += 1
        numbers[1] += transfer.position
        self._active.remove(transfer)
        took = ""
        if how == SENT:
            took = f" in {duration_text(transfer.seconds)}"
            if transfer.seconds >= 1:
                took += f", {size_text(int(transfer.rate))}/s"
        self.tell(f"{transfer.column} {size_text(transfer.position):>9}  {how}{took}")

    def left(self, transfer: Transfer) -> None:
        """One is at its end, whether it is done or not."""
        if transfer in self._active:
            self._active.remove(transfer)

    def summary(self, one: str) -> str:
        """What was done in all, of things with that name."""
        parts = [
            f"{count(number, one)} {how} ({size_text(size)})"
            for how, (number, size) in self._numbers.items()
        ]
        return (
            f"{', '.join(parts) or f'no {one} sent'} in {duration_text(self.now() - self._begun)}"
        )
