"""One structured line a request, which Application Insights can query; it holds no secret."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from registry_core.http import log_lines
from registry_core.storage.calls import CallTrace

LOGGER = logging.getLogger("slipway.requests")


@dataclass(frozen=True)
class Entry:
    """A request that has been, or is being, answered."""

    method: str
    kind: str
    """The route's, not the path: a path can carry an upload's state."""
    repository: str
    identity: str
    status: int
    trace: CallTrace
    started: float
    bytes_in: int
    """How much of the body was taken in."""
    correlation_id: str

    def write(self, bytes_out: int) -> None:
        """Writes the line, with the bytes answered."""
        line = {
            "method": self.method,
            "kind": self.kind,
            "repository": self.repository,
            "identity": self.identity,
            "status": self.status,
            "duration_ms": round((time.monotonic() - self.started) * 1000, 1),
            "storage_calls": self.trace.count,
            "storage_rounds": self.trace.rounds,
            "storage_ms": round(self.trace.busy_seconds * 1000, 1),
            "bytes_in": self.bytes_in,
            "bytes_out": bytes_out,
            "correlation_id": self.correlation_id,
        }
        level = logging.WARNING if self.status >= 500 else logging.INFO
        log_lines.write(LOGGER, level, line, request=line)
