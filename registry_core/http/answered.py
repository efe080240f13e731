"""A request with its answer, and what it took: what the lines of the logs are written from."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from registry_core.http import addresses, bodies, fields
from registry_core.http.journal import Journal
from registry_core.settings import RequestLog, Settings
from registry_core.storage.calls import CallTrace

GONE = 499
"""The status in the log of a request whose client has gone, or that the host has given up."""


@dataclass(slots=True)
class Answered:
    """A request whose answer is known. What its streamed body will take is not, and not told."""

    settings: Settings
    request: Request
    response: Response
    journal: Journal
    correlation_id: str
    trace: CallTrace
    duration_ms: float

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @property
    def has_failed(self) -> bool:
        """Whether the answer is an error."""
        return self.status >= 400

    @property
    def level(self) -> int:
        """How much the line that tells of the request matters."""
        return logging.WARNING if self.status >= 500 else logging.INFO

    def header(self, name: bytes) -> str:
        """The first value of a header of the answer, named in lower case; empty if it has none.

        `Response.headers` would decode all of them for each.
        """
        for known, value in self.response.raw_headers:
            if known == name:
                return value.decode("latin-1")
        return ""

    def outcome(self, *, has_failed: bool) -> dict[str, object]:
        """The columns that every line has: who asked, and how it ended."""
        request, settings = self.request, self.settings
        caller = addresses.caller(request, settings)
        return {
            "CallerIpAddress": caller.address,
            "CallerIpAddressHeader": caller.header,
            "LoginServer": addresses.login_server(request, settings.login_servers),
            "UserAgent": (fields.first(request, b"user-agent") or "")[:256],
            "ResultType": "Failed" if has_failed else "Succeeded",
            "ResultDescription": str(self.status),
            "DurationMs": str(round(self.duration_ms)),
            "CorrelationId": self.correlation_id,
            "Region": settings.region,
        }

    def route(self) -> dict[str, object]:
        """The columns that tell where a request led to, where nothing else does."""
        return {"Method": self.request.method, "Kind": self.journal.kind}

    def figures(self) -> dict[str, object]:
        """The columns that one line of each request has: what it took.

        Also where it led, if it has failed, or if whoever reads the log wants to see each request.
        """
        trace, response = self.trace, self.response
        is_whole = not isinstance(response, StreamingResponse)
        is_shown = self.has_failed or self.settings.request_log.requests is RequestLog.ALL
        return {
            **(self.route() if is_shown else {}),
            "StorageCalls": trace.count,
            "StorageRounds": trace.rounds,
            "StorageMs": round(trace.busy_seconds * 1000, 1),
            "BytesIn": bodies.received(self.request),
            "BytesOut": len(response.body) if is_whole else 0,
            "Advice": self._advice(),
        }

    def _advice(self) -> str:
        """What to do about a body that the host cut off: its client is not told why."""
        limit = self.settings.body_limit
        if self.status != GONE or bodies.received(self.request) < limit:
            return ""
        return (
            f"the host cut off a body at {limit} bytes (FUNCTIONS_REQUEST_BODY_SIZE_LIMIT): push "
            "it through `slipway relay`"
        )
