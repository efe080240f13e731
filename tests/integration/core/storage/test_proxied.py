"""Storage that is reached through the proxy that the environment names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from registry_core.settings import Settings
from tests.integration.core.support import connect


class Proxy(ThreadingHTTPServer):
    """Passes requests with absolute addresses on (RFC 9112, 3.2.2), and notes their methods."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _pass_on(self) -> None:
        self.server.asked.append(self.command)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with httpx.Client(trust_env=False) as client:
            request = client.build_request(self.command, self.path, content=body)
            request.headers = httpx.Headers(self.headers.items())
            answer = client.send(request)
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name not in {"connection", "keep-alive", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        length = answer.headers.get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy() as running:
        serving = threading.Thread(target=running.serve_forever)
        serving.start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{running.server_port}")
        for name in ("NO_PROXY", "no_proxy", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield running
        running.shutdown()
        serving.join()


async def test_an_image_goes_through_a_proxy_and_comes_back(
    settings: Settings, repository: str, proxy: Proxy
) -> None:
    async with connect(settings) as client:
        image = await client.push_image(repository)
        pulled = await client.send("GET", f"/v2/{repository}/manifests/{image.digest}")
        assert pulled.content == image.manifest
    assert {"GET", "POST", "PUT"} <= set(proxy.asked)
