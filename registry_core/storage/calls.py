"""The storage-call hook: counts every call to storage, and is the place to stand before each.

It stands behind everything that repeats a call, so each attempt on the wire is one. The calls made
on behalf of one request are gathered in a `CallTrace` that a context variable carries into the
tasks which the request starts.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from registry_core.errors import Unavailable
from registry_core.storage.budget import current
from registry_core.storage.faults import Ambiguous

_READS = frozenset({"GET", "HEAD"})
_SLOWEST = 1024 * 1024
"""How many bytes a second storage may be counted on to take."""


@dataclass
class Request:
    """One request to storage, whole."""

    method: str
    url: str
    """As it is sent: every part of it is encoded."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | memoryview = b""
    is_content: bool = False
    """Whether the answer is bytes of content, whose arrival begins the request's time anew."""

    @property
    def size(self) -> int:
        """How many bytes the body has."""
        return len(self.body)


@dataclass(frozen=True)
class Answer:
    """What storage answered, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Send = Callable[[Request], Awaitable[Answer]]


@dataclass
class StorageCall:
    """One attempt at one storage operation."""

    number: int
    """Counted from 1 within its trace."""
    method: str
    url: str
    """As sent, less any signature."""
    depth: int
    """How many calls of the trace had to end one after another before this could begin, plus 1."""
    status: int | None = None
    """The HTTP status answered; None while under way or if no answer came."""

    @property
    def service(self) -> str:
        """`blob`, `table` or `queue`, or the host's first label where it tells none of them."""
        parts = urlsplit(self.url)
        return _service(parts.hostname or "", parts.path)

    @property
    def path(self) -> str:
        """The path of the address."""
        return urlsplit(self.url).path

    @property
    def query(self) -> str:
        """The query of the address."""
        return urlsplit(self.url).query

    def __str__(self) -> str:
        return f"{self.method} {self.service}:{self.path}{'?' + self.query if self.query else ''}"


@dataclass
class CallTrace:
    """The storage calls made for one request."""

    calls: list[StorageCall] = field(default_factory=list)
    busy_seconds: float = 0
    """For how long at least one of the calls that have ended was under way."""
    _ended_depth: int = 0
    _under_way: int = 0
    _busy_since: float = 0

    @property
    def count(self) -> int:
        """How many calls, retries included."""
        return len(self.calls)

    @property
    def rounds(self) -> int:
        """How many calls lie on the longest chain of calls that waited for one another."""
        return max([call.depth for call in self.calls], default=0)

    def begin(self, method: str, url: str) -> StorageCall:
        """Records that a call begins."""
        if "sig=" in url:
            path, _, query = url.partition("?")
            url = f"{path}?{'&'.join(p for p in query.split('&') if not p.startswith('sig='))}"
        call = StorageCall(len(self.calls) + 1, method, url, self._ended_depth + 1)
        self.calls.append(call)
        if not self._under_way:
            self._busy_since = time.monotonic()
        self._under_way += 1
        return call

    def end(self, call: StorageCall) -> None:
        """Records that a call has ended, so that what begins from now on may depend on it."""
        self._ended_depth = max(self._ended_depth, call.depth)
        self._under_way -= 1
        if not self._under_way:
            self.busy_seconds += time.monotonic() - self._busy_since


_current: ContextVar[CallTrace | None] = ContextVar("slipway_storage_calls", default=None)


class traced:  # noqa: N801 - reads as the function that it stands for
    """Gathers the calls made inside it, by this task and those it starts: `with traced() as t:`."""

    __slots__ = ("_token",)

    def __enter__(self) -> CallTrace:
        trace = CallTrace()
        self._token = _current.set(trace)
        return trace

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def adopt(trace: CallTrace) -> None:
    """Gathers the calls that the rest of this task makes: those of a body being streamed."""
    _current.set(trace)


class CallHook:
    """One per process. What derives from it may do something to a call, or to its answer."""

    def __init__(self) -> None:
        self.total = 0
        """Calls since the process began, retries included."""

    async def send(self, request: Request, send: Send) -> Answer:
        """Counts a call, here and in its trace, and has it sent in time.

        Raises `Unavailable` if the budget has no time left, and `Ambiguous` after that of a call.
        """
        if current().left <= 0:
            raise Unavailable

        async def send_in_time(request: Request) -> Answer:
            return await in_time(request, send)

        self.total += 1
        trace = _current.get() or CallTrace()
        call = trace.begin(request.method, request.url)
        try:
            answer = await self.around(call, request, send_in_time)
            call.status = answer.status
            return answer
        finally:
            trace.end(call)

    async def around(
        self,
        call: StorageCall,  # noqa: ARG002 - for those who derive from this class
        request: Request,
        send: Send,
    ) -> Answer:
        """Hands a call to storage by `send`, and answers what storage answered."""
        return await send(request)


async def in_time(request: Request, send: Send) -> Answer:
    """Hands a call to storage, which has so long for the whole of it.

    Raises `Ambiguous` where the time is over; `Unavailable` for a read that nobody can try again.
    """
    budget = current()
    try:
        async with budget.limited(budget.call_seconds + request.size / _SLOWEST):
            return await send(request)
    except TimeoutError as error:
        if budget.left <= 0 and request.method in _READS:
            raise Unavailable from error
        raise Ambiguous("no answer in time") from error


def _service(host: str, path: str) -> str:
    for label in host.split("."):
        if label in ("blob", "table", "queue"):
            return label
    # Of the emulator, whose services differ by their ports.
    first, *rest = path.strip("/").split("/")[1:3] or [""]
    if not first:
        return host.partition(".")[0]
    if rest == ["messages"]:
        return "queue"
    return "table" if first.startswith(("$batch", "Tables")) or "(" in path else "blob"
