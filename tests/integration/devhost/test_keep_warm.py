"""The timer that keeps an instance for HTTP, in a real host that serves the registry by TLS."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from devhost.cert import CertificateDirectory
from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 120


class FrontEnd(ThreadingHTTPServer):
    """Stands where Azure's front end does: takes requests by TLS, and hands them to the host."""

    def __init__(self, certificates: CertificateDirectory) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.name = f"localhost:{self.server_address[1]}"
        self.host = ""
        self.passed: list[tuple[str, str, int]] = []
        self.came = threading.Event()


class _Forward(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, FrontEnd)
        if server.host:
            answer = httpx.get(server.host + self.path, timeout=60)
            status, content = answer.status_code, answer.content
        else:
            status, content = 404, b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        server.passed.append((self.command, self.path, status))
        server.came.set()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateDirectory:
    made = CertificateDirectory(tmp_path_factory.mktemp("certificates"))
    made.ensure()
    return made


@pytest.fixture
def front_end(certificates: CertificateDirectory) -> Iterator[FrontEnd]:
    with FrontEnd(certificates) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def in_seconds(seconds: int) -> str:
    """A schedule of once a minute, for the first time in so many seconds."""
    return f"{(int(time.time()) + seconds) % 60} * * * * *"


@contextmanager
def registry(
    azurite: Azurite, certificates: CertificateDirectory, **environment: str
) -> Iterator[HostProcess]:
    given = {
        "RegistryStorage": azurite.connection_string,
        "SSL_CERT_FILE": str(certificates.authority),
    }
    with HostProcess(ROOT, given | environment) as host:
        yield host


def test_the_timer_asks_the_running_host_for_its_health(
    azurite: Azurite, certificates: CertificateDirectory, front_end: FrontEnd
) -> None:
    with registry(
        azurite,
        certificates,
        REGISTRY_KEEP_WARM=in_seconds(10),
        WEBSITE_HOSTNAME=front_end.name,
    ) as host:
        front_end.host = host.base_url
        assert "Timer keep_warm (" in host.output
        assert front_end.came.wait(PATIENCE)
        assert set(front_end.passed) == {("GET", "/healthz", 200)}
        assert "keep warm" not in host.output


def test_an_answer_that_is_not_well_is_one_line_in_the_log_and_no_failure(
    azurite: Azurite, certificates: CertificateDirectory, front_end: FrontEnd
) -> None:
    with registry(
        azurite,
        certificates,
        REGISTRY_KEEP_WARM=in_seconds(10),
        WEBSITE_HOSTNAME=front_end.name,
    ) as host:
        assert front_end.came.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while "keep warm" not in host.output:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert f"keep warm: {front_end.name} answered 404" in host.output
        assert "Traceback" not in host.output


def test_without_a_schedule_there_is_no_such_timer(
    azurite: Azurite, certificates: CertificateDirectory
) -> None:
    with registry(azurite, certificates) as host:
        assert "Timer rotate_signing_keys (" in host.output
        assert "keep_warm" not in host.output
