"""Azurite, the storage emulator, as a child process.

with Azurite(tmp_path) as azurite:
    client = BlobServiceClient.from_connection_string(azurite.connection_string)
"""

import fcntl
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from devhost.errors import AzuriteError
from devhost.processes.children import Child
from devhost.processes.node import check_azurite, find_node

_START = Path(__file__).resolve().with_name("azurite_start.js")
# How long an Azurite may take to save its data, in seconds, and the next one for that data waits.
_PATIENCE = 30.0

# The account every Azurite has, published in its documentation; it protects nothing.
ACCOUNT_NAME = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

_SERVICES = ("Blob", "Queue", "Table")
_LISTENING = re.compile(
    rb"Azurite (Blob|Queue|Table) service is successfully listening at https?://\S+:(\d+)"
)


class Azurite:
    """One running Azurite: blob, queue and table service on 127.0.0.1, its data in `location`.

    It is up once the constructor returns. A port of 0 lets the system choose one. With
    `certificate` and `key` (PEM files) it speaks TLS, and accepts bearer tokens as well as the
    account key.

    It ends with this process and then saves its data. Of what it has acknowledged nothing is lost
    unless it is itself killed, which costs the last five seconds.
    """

    blob_port: int
    queue_port: int
    table_port: int

    def __init__(
        self,
        location: Path,
        *,
        blob_port: int = 0,
        queue_port: int = 0,
        table_port: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
        timeout: float = 60.0,
    ) -> None:
        """Start Azurite and wait until all three services accept connections.

        Raises:
            NodeError: Node.js or Azurite is not installed.
            AzuriteError: it ended, or was not up after `timeout` seconds; the message has Azurite's
                own words.
        """
        if (certificate is None) != (key is None):
            raise ValueError("TLS needs both a certificate and its key")
        self._scheme = "https" if certificate else "http"
        self._certificate = str(certificate) if certificate else None
        location.mkdir(parents=True, exist_ok=True)
        self.log = location / "azurite.log"
        check_azurite()
        command = [str(find_node()), str(_START)]
        # What it prints of its own start is needed; a line for each request is not.
        command += [
            "--silent",
            "--disableTelemetry",
            "--skipApiVersionCheck",
            # The account stands in the path, whatever name a client calls this machine by.
            "--disableProductStyleUrl",
            "--location",
            str(location),
        ]
        for service, port in (("blob", blob_port), ("queue", queue_port), ("table", table_port)):
            command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port)]
        if certificate and key:
            command += ["--cert", str(certificate), "--key", str(key), "--oauth", "basic"]
        # A file and not a pipe: Azurite must be able to write its last words, and save its tables,
        # when we are gone.
        with _saved(location) as lock, self.log.open("wb") as output:
            self._process = Child(
                command, output=output, cwd=location, patience=_PATIENCE, keep_open=lock
            )
        try:
            self._wait_until_up(timeout)
        except BaseException:
            self.stop()
            raise

    @property
    def connection_string(self) -> str:
        """What a storage client needs to reach all three services with the account key."""
        endpoints = (
            ("Blob", self.blob_port),
            ("Queue", self.queue_port),
            ("Table", self.table_port),
        )
        return (
            f"DefaultEndpointsProtocol={self._scheme};AccountName={ACCOUNT_NAME};AccountKey={ACCOUNT_KEY};"
            + "".join(
                f"{name}Endpoint={self._scheme}://127.0.0.1:{port}/{ACCOUNT_NAME};"
                for name, port in endpoints
            )
        )

    def let_pages_read(self) -> None:
        """Let pages of any origin read blobs in a browser, where a signed address lets them.

        Of any, because a browser that was redirected from another origin says `Origin: null`.
        """
        # It imports aiohttp, which has to find settled what to trust.
        from azure.storage.blob import BlobServiceClient, CorsRule  # noqa: PLC0415

        rule = CorsRule(
            ["*"],
            ["GET", "HEAD"],
            allowed_headers=["*"],
            exposed_headers=["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
            max_age_in_seconds=3600,
        )
        with BlobServiceClient.from_connection_string(
            self.connection_string, connection_verify=self._certificate or True
        ) as service:
            service.set_service_properties(cors=[rule])

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End Azurite, letting it save its data. Safe to call again."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_until_up(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            # Asked before reading, so that the last words of a process found dead have been read.
            ended = self._process.poll()
            said = self.log.read_bytes()
            ports = {service.decode(): int(port) for service, port in _LISTENING.findall(said)}
            if len(ports) == len(_SERVICES):
                self.blob_port, self.queue_port, self.table_port = (
                    ports[service] for service in _SERVICES
                )
                return
            words = said.decode(errors="replace").strip() or "(it said nothing)"
            if ended is not None:
                raise AzuriteError(f"Azurite ended with status {ended}:\n{words}")
            if time.monotonic() > deadline:
                raise AzuriteError(f"Azurite was not ready after {timeout:g} s:\n{words}")
            time.sleep(0.02)


@contextmanager
def _saved(location: Path) -> Iterator[int]:
    """Wait until no other Azurite writes to `location`; give the lock to hand to the next one.

    The last one may have lost its parent, and still be saving.
    """
    with (location / ".azurite-lock").open("w") as file:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise AzuriteError(
                        f"another Azurite still uses {location}. Stop it first."
                    ) from None
                time.sleep(0.05)
        yield file.fileno()
