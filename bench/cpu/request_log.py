"""What an instance logs of each request, in the order in which it answered them."""

import json
from dataclasses import dataclass

from devhost.processes.process import HostProcess

_REQUEST = '{"method"'


@dataclass(frozen=True)
class Cost:
    """Storage calls, and rounds: the longest chain of calls of which each waited for another."""

    calls: int
    rounds: int


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
