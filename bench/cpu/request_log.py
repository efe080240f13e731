"""What an instance logs of each request, in the order in which it answered them."""

import json

from bench.cpu.shapes import Cost
from devhost.processes.process import HostProcess

_REQUEST = '{"method"'


class RequestLog:
    """The lines of one process, read as they come."""

    def __init__(self, host: HostProcess) -> None:
        self._host = host
        self._read = 0

    def requests(self) -> list[Cost]:
        """The requests since this was last asked; each was logged before it was answered."""
        text = self._host.output
        new, self._read = text[self._read :], len(text)
        lines = [json.loads(line) for line in new.splitlines() if line.startswith(_REQUEST)]
        return [Cost(line["storage_calls"], line["storage_rounds"]) for line in lines]
