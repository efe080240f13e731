"""What people see of pushes through the relay: a line for each layer, and a summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from slipway_cli.output.cells import count, left_text, short_digest, size_text
from slipway_cli.output.lines import Lines
from slipway_cli.output.text import clean
from slipway_cli.relay.uploads import Upload

_NAME = 32
"""How much of a repository's name is shown in a line that changes."""


class Line:
    """A layer on its way."""

    def __init__(self, watch: Watch, repository: str, clock: Callable[[], float]) -> None:
        self.repository = repository
        self._watch = watch
        self._clock = clock
        self._began = clock()
        self._sent = 0
        self._size: int | None = None

    def expect(self, received: int, more: int | None) -> None:
        """How long it will be, if that is known: what has come, and what a body is to bring."""
        self._size = None if more is None else received + more

    def sent(self, position: int) -> None:
        """So much of it has gone out."""
        self._sent = position
        self._watch.lines.show()

    def done(self, digest: str, upload: Upload) -> None:
        """The registry has all of it."""
        self.end()
        self._watch.layers += 1
        self._watch.octets += upload.received
        self._watch.octets_again += max(upload.session.sent - upload.received, 0)
        self._watch.lines.tell(
            f"{clean(self.repository)}  {digest}  {size_text(upload.received)}  "
            f"{self._speed(upload.received)}/s"
        )

    def end(self) -> None:
        """It is over, however it ended."""
        self._watch.active.pop(id(self), None)

    def _speed(self, octets: int) -> str:
        seconds = self._clock() - self._began
        return size_text(int(octets / seconds) if seconds > 0 else octets)

    def __str__(self) -> str:
        name = clean(self.repository)
        name = name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"
        size = "" if self._size is None else f" of {size_text(self._size)}"
        return (
            f"{name:<{_NAME}} {size_text(self._sent) + size:>20}  {self._speed(self._sent):>9}/s"
            f"  {self._left()}"
        )

    def _left(self) -> str:
        if self._size is None:
            return ""
        passed = self._clock() - self._began
        return left_text(self._sent / passed if passed > 0 else 0.0, self._size - self._sent)


class Watch:
    """Shows all layers that are on their way, and counts those that arrived."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.lines = Lines(self._current)
        self.active: dict[int, Line] = {}
        self.layers = 0
        self.octets = 0
        self.octets_again = 0
        """How many went out twice, after a fault."""
        self.manifests = 0

    def begin(self, repository: str) -> Line:
        """A layer more."""
        line = Line(self, repository, self._clock)
        self.active[id(line)] = line
        return line

    def pushed(self, reference: str, digest: str) -> None:
        """A manifest has arrived."""
        self.manifests += 1
        self.lines.tell(f"{clean(reference)}  {short_digest(clean(digest))}  pushed")

    def tell(self, text: str) -> None:
        """Something that people should know meanwhile."""
        self.lines.tell(f"slipway: {text}")

    def summary(self) -> str:
        """What arrived, all together."""
        text = (
            f"{count(self.layers, 'layer')} of {size_text(self.octets)} and "
            f"{count(self.manifests, 'manifest')} pushed"
        )
        again = self.octets_again
        return f"{text}; {size_text(again)} were sent again after faults" if again else text

    def _current(self) -> Sequence[str]:
        return [str(line) for line in self.active.values()]
