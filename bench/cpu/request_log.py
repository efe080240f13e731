"""What an instance logs of each request, in the order in which it answered them."""

import json
from typing import Any

from bench.cpu.shapes import Cost
from devhost.processes.process import HostProcess

_OURS = '{"Category"'


class RequestLog:
    """The lines of one process that logs every request, read as they come."""

    def __init__(self, host: HostProcess) -> None:
        self._host = host
        self._read = 0

    def requests(self) -> list[Cost]:
        """The requests since this was last asked; each was logged before it was answered."""
        text = self._host.output
        new, self._read = text[self._read :], len(text)
        first: dict[str, dict[str, Any]] = {}
        for text in new.splitlines():
            if text.startswith(_OURS) and "CorrelationId" in text:
                line = json.loads(text)
                # Of several lines of one request, the first has the figures.
                first.setdefault(line["CorrelationId"], line)
        return [
            Cost(line.get("StorageCalls", 0), line.get("StorageRounds", 0))
            for line in first.values()
        ]
