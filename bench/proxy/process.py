"""The proxy as a child process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.proxy.calls import Tally
from devhost.processes.azurite import Azurite

_ROOT = Path(__file__).resolve().parents[2]
_SETTLED = 0.03
"""For how many seconds nothing must be under way: a registry may work on after an answer."""


class Proxy:
    """Passes on to ports of this machine, in a process of its own; it ends with this one."""

    def __init__(self, *ports: int) -> None:
        command = [sys.executable, "-m", "bench.proxy.server", *map(str, ports)]
        self._process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C in a terminal reaches all of a group, and this is to end last.
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self.ports: Mapping[int, int] = dict(zip(ports, self._read(), strict=True))
        """Where it listens, by the port that it stands before."""

    @classmethod
    def of(cls, azurite: Azurite) -> Proxy:
        """In front of all services of an emulator."""
        return cls(azurite.blob_port, azurite.queue_port, azurite.table_port)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def through(self, address: str) -> str:
        """The address, or addresses, with its ports in the place of those that it stands before."""
        for port, own in self.ports.items():
            address = address.replace(f":{port}/", f":{own}/")
        return address

    def delay(self, milliseconds: float) -> None:
        """Has each call take so much longer from now on."""
        self._order({"delay": milliseconds / 1000})

    def take(self, settled: float = _SETTLED) -> Tally:
        """What has passed since this was asked last, once nothing was under way for `settled`."""
        return Tally(**self._order({"take": settled}))

    def _order(self, order: Mapping[str, float]) -> Any:
        with self._lock:
            if self._process.stdin is None:
                raise RuntimeError("the proxy has no standard input")
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the proxy has ended with status {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """Ends it. Safe to call again."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
