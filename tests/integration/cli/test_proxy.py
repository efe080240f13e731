"""A registry that is reached through a proxy, as HTTPS_PROXY says."""

from __future__ import annotations

import gc
import select
import socket
import threading
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from devhost.cert import CertificateDirectory
from devhost.processes.process import HostProcess
from tests.integration.cli.conftest import ROOT, Slipway
from tests.integration.cli.servers import Server
from tests.integration.cli.shelf import Shelf

NAME = "registry.test"
"""Nobody but the proxy knows where that is."""


class Proxy(Server):
    """Makes tunnels to one port of this machine, whatever the name."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.asked: list[tuple[str, str]] = []
        self.is_open = True


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_CONNECT(self) -> None:
        credentials = self.headers.get("Proxy-Authorization", "").removeprefix("Basic ")
        self.server.asked.append((self.path, b64decode(credentials).decode()))
        if not self.server.is_open:
            self.send_error(403, "Not this one")
            return
        with socket.create_connection(("127.0.0.1", self.server.port)) as registry:
            self.send_response(200)
            self.end_headers()
            both = (self.connection, registry)
            while True:
                for ready in select.select(both, (), ())[0]:
                    content = ready.recv(65_536)
                    if not content:
                        return
                    both[1 - both.index(ready)].sendall(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(
    served_storage: str, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    certificates = CertificateDirectory(tmp_path, [NAME])
    certificates.ensure()
    settings = {
        "RegistryStorage": served_storage,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": shelf.password,
        "REGISTRY_LOGIN_SERVERS": NAME,
        "REGISTRY_BLOB_REDIRECT": "off",  # The storage of the tests has no TLS.
        "TLS_CERT": str(certificates.certificate),
        "TLS_KEY": str(certificates.key),
    }
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    with (
        HostProcess(ROOT, settings) as host,
        Proxy(int(host.base_url.rpartition(":")[2])) as running,
    ):
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


# Before 3.11.4, Python leaves the answer of a proxy that refuses to the garbage collector, which
# tells of it in whatever test it comes to it.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_registry_is_reached_through_the_proxy_that_the_environment_names(
    proxy: Proxy, shelf: Shelf, slipway: Slipway, admin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.image("team/web", "v1")
    address = f"127.0.0.1:{proxy.server_port}"
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://some%20body:hidden-word@{address}")
    status, out, err = slipway(f"tag list {NAME}/team/web -o tsv")
    assert (status, err) == (0, "")
    assert out.startswith("v1\t")
    assert set(proxy.asked) == {(f"{NAME}:443", "some body:hidden-word")}

    proxy.is_open = False
    status, _, err = slipway(f"tag list {NAME}/team/web")
    assert status == 1
    assert "Tunnel connection failed: 403" in err
    assert "hidden-word" not in err
    gc.collect()

    asked = len(proxy.asked)
    assert slipway(f"tag list {shelf.netloc}/team/web")[0] == 0  # This machine.
    monkeypatch.setenv("NO_PROXY", "example.com,.test")
    assert slipway(f"tag list {NAME}/team/web")[0] == 1  # Nobody knows the name.
    assert len(proxy.asked) == asked

    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://someone:hidden-word@proxy.example.com")
    status, _, err = slipway(f"tag list {NAME}/team/web")
    assert status == 2
    assert err.startswith("slipway: HTTPS_PROXY: use an address such as")
    assert "hidden-word" not in err


def test_check_health_goes_the_same_way_and_tells_the_proxy_from_the_registry(
    proxy: Proxy, slipway: Slipway, admin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(
        "HTTPS_PROXY", f"http://some%20body:hidden-word@127.0.0.1:{proxy.server_port}"
    )
    status, out, err = slipway(f"check-health {NAME} --wait 0")
    assert (status, err) == (0, ""), out
    assert f"127.0.0.1 accepts connections at port {proxy.server_port} (HTTPS_PROXY)" in out
    assert "hidden-word" not in out

    proxy.is_open = False
    status, out, _ = slipway(f"check-health {NAME}")
    assert status == 1
    (failed,) = [line for line in out.splitlines() if " failed " in line]
    assert failed.startswith("tls")
    assert "Tunnel connection failed: 403" in failed
