"""The proxy's own process: `python -m bench.proxy.server PORT...`.

It listens on a port of its own for each port named, and prints them as a line of JSON. Then it
answers lines of JSON on its standard input, and ends with it:

    {"delay": 0.005}   each call takes so many seconds longer from now on
    {"take": 0.02}     what has passed since the last such order, once nothing has been under way
                       for so many seconds

A call begins with the first bytes from the client on a new connection, or after bytes from the
server. Only these are held back, and what follows them waits in the client's socket. It takes no
request for two, unless a server answers before it has all of it; neither Azurite nor Azure does so
with a request that they accept.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

from bench.proxy.calls import Call, Tally

_LOOPBACK = "127.0.0.1"
_LOOK_AGAIN = 0.001
"""How often it is looked whether what is under way is over, in seconds."""


@dataclass
class _Mark:
    """A call that is under way, or has been; times as in `Call`."""

    began: float
    sent: float
    ended: float | None = None
    """None until the server has sent something."""


class Journal:
    """The delay, and the calls that have passed."""

    def __init__(self) -> None:
        self.delay = 0.0
        """In seconds, for each call."""
        self._clock = asyncio.get_running_loop().time
        self._marks: list[_Mark] = []
        self._unanswered = 0
        self._quiet_since = self._clock()

    def begin(self) -> _Mark:
        """Notes that a call begins."""
        self._unanswered += 1
        now = self._clock()
        mark = _Mark(now, now)
        self._marks.append(mark)
        return mark

    def answered(self, mark: _Mark) -> None:
        """Notes that its answer, or more of it, has come; or that none will come."""
        if mark.ended is None:
            self._unanswered -= 1
        mark.ended = self._quiet_since = self._clock()

    def _left_of(self, quiet: float) -> float:
        """For how long to wait before it is looked again whether nothing has been under way."""
        if self._unanswered:
            return _LOOK_AGAIN
        return self._quiet_since + quiet - self._clock()

    async def take(self, quiet: float) -> Tally:
        """What has passed since this was asked last, once nothing was under way for `quiet`."""
        # An event for each call would cost more than to look, and be in every time measured.
        while self._left_of(quiet) > 0:  # noqa: ASYNC110
            await asyncio.sleep(self._left_of(quiet))
        marks, self._marks = self._marks, []
        return Tally.of(
            [Call(each.began, each.ended or each.began, each.sent - each.began) for each in marks]
        )


class _Far(asyncio.Protocol):
    """The connection to the server."""

    def __init__(self, near: Near) -> None:
        self._near = near
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = _checked(transport)

    def data_received(self, data: bytes) -> None:
        self._near.answer(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._near.transport.close()

    def pause_writing(self) -> None:
        self._near.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self._near.is_holding and not self._near.transport.is_closing():
            self._near.transport.resume_reading()


class Near(asyncio.Protocol):
    """The connection from the client."""

    transport: asyncio.Transport

    def __init__(self, journal: Journal, port: int) -> None:
        self._journal, self._port = journal, port
        self._loop = asyncio.get_running_loop()
        self._far: _Far | None = None
        self._early = b""
        """What the client has sent before the server is there: until Python 3.11.3, a transport
        that is told not to read when its connection is made does so nevertheless."""
        self._call: _Mark | None = None
        """The last one; None before the first."""
        self.is_holding = True
        """Whether nothing is to be read: the server is not there yet, or a call is held back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connects to the server as well."""
        self.transport = _checked(transport)
        self.transport.pause_reading()
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        try:
            _, self._far = await self._loop.create_connection(
                lambda: _Far(self), _LOOPBACK, self._port
            )
        except OSError:
            self.transport.close()
        else:
            self._go_on()
            if self._early:
                self.data_received(self._early)

    def _go_on(self) -> None:
        self.is_holding = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Sends it on; at once, unless a call begins with it."""
        if self._far is None:
            self._early += data
            return
        if self._call is not None and self._call.ended is None:
            self._send(data)
            return
        self._call = self._journal.begin()
        if not self._journal.delay:
            self._send(data)
            return
        self.is_holding = True
        self.transport.pause_reading()
        self._loop.call_at(self._call.began + self._journal.delay, self._release, self._call, data)

    def _release(self, call: _Mark, data: bytes) -> None:
        call.sent = self._loop.time()
        self._send(data)
        self._go_on()

    def _send(self, data: bytes) -> None:
        if self._far is not None:
            self._far.transport.write(data)

    def answer(self, data: bytes) -> None:
        """Sends on what the server has sent."""
        if self._call is not None:
            self._journal.answered(self._call)
        self.transport.write(data)

    def pause_writing(self) -> None:
        """Reads no more of an answer that the client is slow to take."""
        if self._far is not None:
            self._far.transport.pause_reading()

    def resume_writing(self) -> None:
        """Goes on with it."""
        if self._far is not None and not self._far.transport.is_closing():
            self._far.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Ends the connection to the server, too."""
        if self._call is not None and self._call.ended is None:
            self._journal.answered(self._call)
        if self._far is not None:
            self._far.transport.close()


def _checked(transport: asyncio.BaseTransport) -> asyncio.Transport:
    if not isinstance(transport, asyncio.Transport):
        raise TypeError(f"not a stream: {transport!r}")
    return transport


async def serve(ports: Sequence[int]) -> None:
    """Serves until standard input ends."""
    loop = asyncio.get_running_loop()
    journal = Journal()
    servers = [
        await loop.create_server(partial(Near, journal, port), _LOOPBACK, 0) for port in ports
    ]
    _say([server.sockets[0].getsockname()[1] for server in servers])
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = json.loads(line)
        journal.delay = order.get("delay", journal.delay)
        _say(asdict(await journal.take(order["take"])) if "take" in order else {})
    for server in servers:
        server.close()


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def exact_loop() -> asyncio.AbstractEventLoop:
    """An event loop that sleeps to the microsecond: epoll's timeout has whole milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=exact_loop) as runner:
        runner.run(serve([int(port) for port in sys.argv[1:]]))
