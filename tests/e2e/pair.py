"""Two registries on one storage account, and a balancer in front of them."""

from __future__ import annotations

import re
import socket
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.balancer import READY
from tests.e2e.process import Daemon
from tests.e2e.registry import ROOT, Registry

LINE = re.compile(r"(\d) (\w+) (/v2/\S+)")


class Pair(Registry):
    """Two registries on one storage account, behind one address."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        *,
        app_dir: Path = ROOT,
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._shared: int = free.getsockname()[1]
        settings = {"REGISTRY_LOGIN_SERVERS": f"localhost:{self._shared}", **(settings or {})}
        super().__init__(folder, app_dir=app_dir, settings=settings)
        self._second = Registry(
            folder,
            app_dir=app_dir,
            storage=self.storage,
            password=self.password,
            settings=settings,
        )
        ports = (self._port, self._second._port)
        self.servers = [f"http://127.0.0.1:{port}" for port in ports]
        """Where each of the two is reached by itself."""
        command = [sys.executable, "-m", "tests.e2e.balancer", str(self._shared), *self.servers]
        self._balancer = Daemon(command, cwd=ROOT)
        self._balancer.wait_for(READY, 30)

    @property
    def address(self) -> str:
        return f"localhost:{self._shared}"

    def sessions(self) -> dict[str, list[tuple[int, str]]]:
        """Of each upload session the servers that it visited, and with which method."""
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for line in self._balancer.lines():
            if match := LINE.fullmatch(line):
                server, method, path = match.groups()
                if "/blobs/uploads/" in path:
                    found[path].append((int(server), method))
        return found

    def stop_servers(self) -> None:
        """Ends the two and the balancer. Storage stays. Safe to call again."""
        self._balancer.stop()
        self._second.stop()
        self._daemon.stop()

    def stop_storage(self) -> None:
        """Ends the storage of both."""
        self._stop_storage()

    def stop(self) -> None:
        self._balancer.stop()
        self._second.stop()
        super().stop()
