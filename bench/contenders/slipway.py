"""Slipway under the development host, and under the production engine."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from bench.compare.wire import HOST
from bench.contenders.contender import Contender, Kind
from bench.proxy.process import Proxy
from devhost.errors import DevhostError
from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess

ROOT = Path(__file__).resolve().parents[2]
ENGINE_PYTHON = ROOT / ".venv-engine" / "bin" / "python"
USERNAME = "admin"


def settings(storage: str, password: str) -> dict[str, str]:
    """The app settings, those of a deployment but for the limits on requests."""
    return {
        "RegistryStorage": storage,
        "REGISTRY_LOGIN_SERVERS": HOST,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": USERNAME,
        "REGISTRY_ADMIN_PASSWORD": password,
        "REGISTRY_RATE_LIMITS": "off",
        "REGISTRY_REQUEST_LOG": "failed",
    }


def devhost(azurite: Azurite, password: str) -> Contender:
    """One under the development host. Raises `DevhostError`."""
    proxy = Proxy.of(azurite)
    began = time.perf_counter()
    try:
        host = HostProcess(ROOT, settings(proxy.through(azurite.connection_string), password))
    except BaseException:
        proxy.close()
        raise

    took = time.perf_counter() - began

    def stop() -> None:
        host.stop()
        proxy.close()

    return Contender(Kind.DEVHOST, host.base_url, host.pid, proxy, stop, took)


def has_engine() -> bool:
    """Whether there is an environment with the production engine."""
    return ENGINE_PYTHON.is_file()


def engine(azurite: Azurite, password: str, folder: Path) -> Contender:
    """One under the production engine. Raises `DevhostError`."""
    proxy = Proxy.of(azurite)
    try:
        host = EngineChild(settings(proxy.through(azurite.connection_string), password), folder)
    except BaseException:
        proxy.close()
        raise

    def stop() -> None:
        host.stop()
        proxy.close()

    return Contender(
        Kind.ENGINE, host.base_url, host.pid, proxy, stop, host.start_seconds, host.front
    )


class EngineChild:
    """The engine and what stands in for the Functions host, each a process of its own."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        """Returns once it serves. Raises `DevhostError`."""
        command = [str(ENGINE_PYTHON), "-m", "bench.contenders.engine_host", str(folder)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C in a terminal reaches all of a group, and this is to end last.
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("Popen was asked for both pipes and has not made them")
        self._input, self._output = self._process.stdin, self._process.stdout
        self._input.write(json.dumps(environment) + "\n")
        self._input.flush()
        line = self._output.readline()
        if not line:
            status = self._process.wait()
            raise DevhostError(f"the production engine ended with status {status}")
        ready = json.loads(line)
        self.base_url: str = ready["base_url"]
        self.pid: int = ready["pid"]
        """Of the engine."""
        self.front = self._process.pid
        """The process that stands in for the Functions host."""
        self.start_seconds: float = ready["seconds"]
        """From the start of the engine until it served."""

    def stop(self) -> None:
        """Ends both. Safe to call again."""
        self._input.close()
        self._process.wait()
        self._output.close()
