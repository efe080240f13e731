"""The development host as a child process, for tests.

with HostProcess(app_dir, {"RegistryStorage": azurite.connection_string}) as host:
    httpx.get(host.base_url + "/v2/")
"""

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from devhost.banner import READY
from devhost.errors import DevhostError
from devhost.processes.children import Child

_ROOT = Path(__file__).resolve().parents[2]
# Settings of the surrounding shell must not change what a test sees.
_NOT_INHERITED_PREFIXES = (
    "REGISTRY_",
    "RegistryStorage",
    "AzureWebJobs",
    "AZURITE_",
    "TLS_",
    "FUNCTIONS_",
)
_NOT_INHERITED = frozenset(
    {"PORT", "HOST", "DATA_DIR", "LOG_FORMAT", "LOG_LEVEL", "FORWARDED_HEADERS"}
)


class HostProcess:
    """`python -m devhost` serving the app in `app_dir`; it is ready once the constructor returns.

    `env` is added to this process's environment, from which the settings of devhost and the
    registry are left out. Without a `DATA_DIR` in it, the data lives in a temporary directory that
    goes when the host is stopped; without `RegistryStorage`, the host starts an Azurite of its own.
    """

    base_url: str

    def __init__(
        self,
        app_dir: Path,
        env: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        timeout: float = 90.0,
    ) -> None:
        """Start the host and wait until it serves.

        Raises:
            DevhostError: it ended, or was not ready after `timeout` seconds; the message has what
            it printed.
        """
        self._directory = tempfile.TemporaryDirectory(prefix="devhost-")
        directory = Path(self._directory.name)
        self._log = directory / "output.log"
        environment = {name: value for name, value in os.environ.items() if not _is_setting(name)}
        python_path = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
        environment |= {
            "DATA_DIR": str(directory / "data"),
            "PYTHONPATH": os.pathsep.join(python_path),
        }
        environment |= env or {}
        command = [
            sys.executable,
            "-u",
            "-m",
            "devhost",
            "--port",
            str(port),
            "--app-dir",
            str(app_dir),
        ]
        with self._log.open("wb") as output:
            self._process = Child(
                command, output=output, env=environment, cwd=directory, patience=40
            )
        try:
            self.base_url = self._wait_until_ready(timeout)
        except BaseException:
            self.stop()
            raise

    @property
    def output(self) -> str:
        """What the host has printed so far, on both streams. Not to be asked after `stop`."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """With what the host has ended, negative if by a signal; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Stop the host and what it started. Safe to call again."""
        self._process.stop()
        self._directory.cleanup()

    def kill(self) -> None:
        """Kill the host, giving it no chance to clean up."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_until_ready(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while True:
            # Asked before reading, so that the last words of a process found dead have been read.
            ended = self._process.poll()
            output = self.output
            for line in output.splitlines(keepends=True):
                if line.startswith(READY) and line.endswith("\n"):
                    return line.removeprefix(READY).strip()
            if ended is not None:
                raise DevhostError(f"devhost ended with status {ended}:\n{output}")
            if time.monotonic() > deadline:
                raise DevhostError(f"devhost was not ready after {timeout:g} s:\n{output}")
            time.sleep(0.02)


def _is_setting(name: str) -> bool:
    return name in _NOT_INHERITED or name.startswith(_NOT_INHERITED_PREFIXES)
