"""What stands between a client and a registry, hands requests on, and does harm to some."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.integration.cli.servers import Server

_NOT_PASSED = ("connection", "transfer-encoding", "content-length", "host", "date", "server")


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def but(self, **changes: Any) -> Reply:
        """The same, but for some of it."""
        return replace(self, **changes)


Request = tuple[str, str]
"""Method and path, with its query."""
Harm = Callable[[Request, Callable[[], Reply]], Reply]
"""Answers a request, maybe by what the registry answers, for which it has to ask."""


def none(_: Request, ask: Callable[[], Reply]) -> Reply:
    """Hands on."""
    return ask()


class Between(Server):
    """Hands requests on to a registry, as `harm` says."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.harm: Harm = none
        self.asked: list[tuple[str, str, str]] = []
        """Method, path without the query, and what signs in."""
        self.hangs_up = False
        """Whether a connection ends after an answer that promised to keep it."""
        self.drops_chunks = False
        """Whether a body in chunks arrives as nothing but its first byte."""
        self.seconds_ahead = 0
        """By how much the date of its answers is."""
        self._thread = threading.Thread(target=self.serve_forever)

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def count(self, method: str, path: str) -> int:
        """How often something was asked for."""
        return [(m, p) for m, p, _ in self.asked].count((method, path))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Between

    def _answer(self) -> None:
        body = self._body()
        signed = self.headers.get("Authorization", "")
        self.server.asked.append((self.command, self.path.partition("?")[0], signed))
        reply = self.server.harm((self.command, self.path), lambda: self._asked(body))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.close_connection = self.close_connection or self.server.hangs_up

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content[:1] if self.server.drops_chunks else content

    def date_time_string(self, timestamp: float | None = None) -> str:
        now = datetime.now(UTC) if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
        return format_datetime(now + timedelta(seconds=self.server.seconds_ahead), usegmt=True)

    def _asked(self, body: bytes) -> Reply:
        connection = http.client.HTTPConnection(self.server.target, timeout=60)
        headers = {n: v for n, v in self.headers.items() if n.lower() not in _NOT_PASSED}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        kept = {n.lower(): v for n, v in answer.getheaders() if n.lower() not in _NOT_PASSED}
        reply = Reply(answer.status, answer.read(), kept)
        connection.close()
        return reply

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        pass
