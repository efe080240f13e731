"""The storage-call hook: counts every call to storage, and is the place to stand before each.

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
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceResponseTimeoutError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from registry_core.errors import Unavailable
from registry_core.storage.budget import current

Response = PipelineResponse[Any, Any]
Send = Callable[[PipelineRequest[Any]], Awaitable[Response]]

_READS = frozenset({"GET", "HEAD"})
_SLOWEST = 1024 * 1024
"""How many bytes a second storage may be counted on to take."""


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


class CallHook:
    """One per process. What derives from it may do something to a call, or to its answer."""

    def __init__(self) -> None:
        self.total = 0
        """Calls since the process began, retries included."""

    async def around(
        self,
        call: StorageCall,  # noqa: ARG002 - for those who derive from this class
        request: PipelineRequest[Any],
        send: Send,
    ) -> Response:
        """Hands a call to storage by `send`, and answers what storage answered."""
        return await send(request)

    def policy(self) -> CallPolicy:
        """A policy for the end of one client's pipeline."""
        return CallPolicy(self)


class CallPolicy(AsyncHTTPPolicy[Any, Any]):
    """Counts each call, in its trace and in the hook, and sends it through the hook, in time."""

    def __init__(self, hook: CallHook) -> None:
        super().__init__()
        self._hook = hook

    async def send(self, request: PipelineRequest[Any]) -> Response:
        """Sends the request on.

        Raises `Unavailable` if the budget has no time left: the SDK repeats the call no more.
        """
        if current().left <= 0:
            raise Unavailable
        self._hook.total += 1
        trace = _current.get() or CallTrace()
        call = trace.begin(request.http_request.method, request.http_request.url)
        try:
            response = await self._hook.around(call, request, self._send_in_time)
            call.status = response.http_response.status_code
            return response
        finally:
            trace.end(call)

    async def _send_in_time(self, request: PipelineRequest[Any]) -> Response:
        """Hands the call to storage, and raises what no answer in time is to the SDK.

        The transport's own limits are for reading. Where storage takes no bytes, a call that sends
        some would never end.
        """
        budget = current()
        seconds = budget.call_seconds + _body_size(request) / _SLOWEST
        request.context.options["read_timeout"] = budget.call_seconds
        try:
            async with budget.limited(seconds):
                return await self.next.send(request)
        except TimeoutError as error:
            if budget.left <= 0 and request.http_request.method in _READS:
                raise Unavailable from error
            raise ServiceResponseTimeoutError("no answer in time", error=error) from error


def _body_size(request: PipelineRequest[Any]) -> int:
    return int(request.http_request.headers.get("Content-Length") or 0)


def _service(host: str, path: str) -> str:
    for label in host.split("."):
        if label in ("blob", "table", "queue"):
            return label
    first = path.strip("/").split("/")[1:2]
    if not first:
        return host.partition(".")[0]
    return "table" if first[0].startswith(("$batch", "Tables")) or "(" in path else "blob"
