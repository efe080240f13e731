"""The storage-call hook: counts every call to storage, and can fail, delay or drop any of them.

`CallPolicy` stands at the end of the pipeline of every Azure client, behind the SDK's retries, so
each attempt on the wire is one call. The calls made on behalf of one request are gathered in a
`CallTrace` that a context variable carries into the tasks which the request starts.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from registry_core.storage.operations import Operation, operations_of

Response = PipelineResponse[Any, Any]
Send = Callable[[PipelineRequest[Any]], Awaitable[Response]]


@dataclass
class StorageCall:
    """One attempt at one storage operation."""

    number: int
    """Counted from 1 within its trace."""
    method: str
    service: str
    """`blob`, `table` or `queue`, or the host's first label where it tells none of them."""
    path: str
    query: str
    """As sent, less any signature."""
    depth: int
    """How many calls of the trace had to end one after another before this could begin, plus 1."""
    status: int | None = None
    """The HTTP status answered; None while under way or if no answer came."""
    operations: tuple[Operation, ...] = ()
    """What it reads or writes; told only while faults are planned."""

    def __str__(self) -> str:
        if self.operations:
            return ", ".join(map(str, self.operations))
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
        return max((call.depth for call in self.calls), default=0)

    def begin(self, method: str, url: str) -> StorageCall:
        """Records that a call begins."""
        parts = urlsplit(url)
        query = "&".join(p for p in parts.query.split("&") if not p.startswith("sig="))
        call = StorageCall(
            number=len(self.calls) + 1,
            method=method,
            service=_service(parts.hostname or "", parts.path),
            path=parts.path,
            query=query,
            depth=self._ended_depth + 1,
        )
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


@contextmanager
def traced() -> Iterator[CallTrace]:
    """Gathers the calls made inside it, by this task and those it starts."""
    trace = CallTrace()
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def adopt(trace: CallTrace) -> None:
    """Gathers the calls that the rest of this task makes: those of a body being streamed."""
    _current.set(trace)


class Fault:
    """What happens to a call; the base class lets it pass. Test code derives its own."""

    async def before(self, call: StorageCall, /) -> None:
        """Runs before the call goes out; what it raises is the call's outcome, unapplied."""

    async def forward(self, request: PipelineRequest[Any], send: Send, /) -> Response:
        """Hands the call to storage."""
        return await send(request)

    async def after(self, call: StorageCall, /) -> None:
        """Runs when the answer has come; what it raises replaces it: applied, but unseen."""


@dataclass
class Refuse(Fault):
    """The connection fails before storage sees the call."""

    async def before(self, call: StorageCall) -> None:
        """Raises what a refused connection raises."""
        raise ServiceRequestError(f"injected: no connection for {call}")


@dataclass
class Drop(Fault):
    """Storage applies the call, and its answer is lost."""

    async def after(self, call: StorageCall) -> None:
        """Raises what a connection raises that breaks off before the answer."""
        raise ServiceResponseError(f"injected: answer lost of {call}")


@dataclass
class Divert(Fault):
    """Another server answers in storage's place, say with a status that storage may give."""

    url: str

    async def forward(self, request: PipelineRequest[Any], send: Send) -> Response:
        """Sends the call to the other server."""
        request.http_request.url = self.url
        return await send(request)


@dataclass
class Postpone(Fault):
    """The caller gives up waiting, and storage applies the call later: at `deliver`."""

    _delivery: Callable[[], Awaitable[Response]] | None = None

    async def forward(self, request: PipelineRequest[Any], send: Send) -> Response:
        """Raises what a timeout raises, and keeps the call."""
        self._delivery = partial(send, request)
        raise ServiceResponseTimeoutError("injected: no answer in time")

    async def deliver(self) -> int | None:
        """Has storage apply the call now, once; the status it answered, None if none was kept."""
        delivery, self._delivery = self._delivery, None
        return (await delivery()).http_response.status_code if delivery else None


@dataclass
class Hold(Fault):
    """The call waits for `before_gate` to go out, and its answer for `after_gate` to be seen."""

    before_gate: Callable[[], Awaitable[Any]] | None = None
    after_gate: Callable[[], Awaitable[Any]] | None = None

    async def before(self, _: StorageCall) -> None:
        """Waits before the call goes out."""
        if self.before_gate:
            await self.before_gate()

    async def after(self, _: StorageCall) -> None:
        """Waits before the answer is seen."""
        if self.after_gate:
            await self.after_gate()


class CallHook:
    """One per process: hands each call to its trace and to the faults that are planned for it."""

    def __init__(self) -> None:
        self.total = 0
        """Calls since the process began, retries included."""
        self.plan: Callable[[StorageCall], Fault | None] | None = None
        """Asked before every call; None in production."""

    def fail_nth(self, number: int, fault: Fault) -> None:
        """Plans `fault` for the `number`th call of any trace, counted from 1, once."""
        pending = [fault]

        def plan(call: StorageCall) -> Fault | None:
            return pending.pop() if call.number == number and pending else None

        self.plan = plan

    def policy(self) -> CallPolicy:
        """A policy for the end of one client's pipeline."""
        return CallPolicy(self)


class CallPolicy(AsyncHTTPPolicy[Any, Any]):
    """Reports each call to the hook, and lets it interfere."""

    def __init__(self, hook: CallHook) -> None:
        super().__init__()
        self._hook = hook

    async def send(self, request: PipelineRequest[Any]) -> Response:
        """Sends the request on, between the hook's `before` and `after`."""
        self._hook.total += 1
        trace = _current.get() or CallTrace()
        call = trace.begin(request.http_request.method, request.http_request.url)
        fault = None
        if self._hook.plan:
            call.operations = operations_of(request.http_request)
            fault = self._hook.plan(call)
        try:
            if not fault:
                response: Response = await self.next.send(request)
                call.status = response.http_response.status_code
                return response
            await fault.before(call)
            response = await fault.forward(request, self.next.send)
            call.status = response.http_response.status_code
            await _settle(response)
            await fault.after(call)
            return response
        finally:
            trace.end(call)


async def _settle(response: Response) -> None:
    """Reads the answer whole where it can be, so that a dropped one leaves its connection clean."""
    answer = response.http_response
    if not getattr(answer, "is_stream_consumed", True):
        await answer.read()


def _service(host: str, path: str) -> str:
    for label in host.split("."):
        if label in ("blob", "table", "queue"):
            return label
    first = path.strip("/").split("/")[1:2]
    if not first:
        return host.partition(".")[0]
    return "table" if first[0].startswith(("$batch", "Tables")) or "(" in path else "blob"
