"""What the server processes of the tests log of each request, read while they run."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from devhost.processes.process import HostProcess
from tests.patience import PATIENCE

CORRELATION_ID = "X-Ms-Correlation-Request-Id"
"""The header by which a test finds the line of its request."""
_LINE = re.compile(r'\{"Category": ?.*\}')


@dataclass(frozen=True)
class Cost:
    """What a request took, as its line says."""

    calls: int
    rounds: int
    seconds: float

    @classmethod
    def of(cls, line: dict[str, Any]) -> Cost:
        """The cost in a line, which leaves out what is nothing."""
        calls, rounds = line.get("StorageCalls", 0), line.get("StorageRounds", 0)
        return cls(calls, rounds, int(line.get("DurationMs", 0)) / 1000)


@dataclass
class RequestLog:
    """The lines of one process that logs every request."""

    host: HostProcess
    _read: int = 0
    _requests: dict[str, Cost] = field(default_factory=dict)
    _opening: Cost | None = None

    def cost(self, correlation_id: str) -> Cost:
        """What one request took. Waits for its line, which is written after the answer."""
        return self.costs([correlation_id])[correlation_id]

    def costs(self, correlation_ids: Iterable[str]) -> dict[str, Cost]:
        """What each of the requests took. Waits until all of their lines are there."""
        wanted = set(correlation_ids)
        self._wait(lambda: wanted <= self._requests.keys(), f"lines of {len(wanted)} requests")
        return {each: self._requests[each] for each in wanted}

    def cost_of_opening(self) -> Cost:
        """What the process took to open its storage."""
        self._wait(lambda: self._opening is not None, "a line of the opening")
        assert self._opening
        return self._opening

    def _wait(self, is_there: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            self._take_in()
            if is_there():
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"the log has not all {what}")
            time.sleep(0.01)

    def _take_in(self) -> None:
        text = self.host.output
        end = text.rfind("\n") + 1  # What follows is a line half written.
        for line in text[self._read : end].splitlines():
            if found := _LINE.search(line):
                entry = json.loads(found[0])
                if "CorrelationId" in entry:
                    # The first of several has the figures.
                    self._requests.setdefault(entry["CorrelationId"], Cost.of(entry))
                else:
                    self._opening = Cost.of(entry)
        self._read = end
