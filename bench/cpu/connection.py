"""A client on one connection that is kept alive, for one instance."""

import http.client
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from bench.client import UnexpectedAnswerError

_WITH_BODY = ("POST", "PUT", "PATCH")
_KEPT_ALIVE = 2.0
"""For how many seconds without a request a connection is sure to be there still."""
_PATIENCE = 600
"""For how many seconds an answer is waited for."""


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    headers: http.client.HTTPMessage
    content: bytes


class Connection:
    """Sends one request after another; each with its body in one piece, as clients in Go do."""

    def __init__(self, base_url: str) -> None:
        self.address = urlsplit(base_url).netloc
        """Host and port."""
        self._socket: socket.socket | None = None
        self._answered = 0.0

    def close(self) -> None:
        """Ends it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(
        self,
        status: int,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """The answer, which must have this status. Raises `UnexpectedAnswerError`."""
        connected = self._connected()
        fields = {
            "Host": self.address,
            "User-Agent": "slipway-bench",
            **(headers or {}),
            "Accept-Encoding": "gzip",
        }
        if method in _WITH_BODY:
            fields["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connected.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        response = http.client.HTTPResponse(connected, method=method)
        try:
            response.begin()
            content = response.read()
        finally:
            response.close()
            self._answered = time.monotonic()
        if response.status != status:
            text = content.decode(errors="replace")
            raise UnexpectedAnswerError(
                f"{method} {path[:100]}: {response.status} instead of {status}: {text}"
            )
        return Answer(response.headers, content)

    def _connected(self) -> socket.socket:
        """The connection; a new one where the server may have ended it, as nothing was asked."""
        if self._socket is None or time.monotonic() - self._answered > _KEPT_ALIVE:
            self.close()
            host, _, port = self.address.partition(":")
            self._socket = socket.create_connection((host, int(port)), timeout=_PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket


class Client:
    """Asks an instance of the registry with access tokens, as clients do."""

    def __init__(self, base_url: str, basic: Mapping[str, str]) -> None:
        self.connection = Connection(base_url)
        self.ask = self.connection.ask
        self._basic = basic

    def token(self, *repositories: str) -> Answer:
        """Signs in for everything in the repositories."""
        scopes = "".join(f"&scope=repository:{quote(each)}:*" for each in repositories)
        path = f"/oauth2/token?service={quote(self.connection.address)}{scopes}"
        return self.ask(200, "GET", path, self._basic)

    def access(self, *repositories: str) -> dict[str, str]:
        """The header that allows everything in the repositories."""
        token = json.loads(self.token(*repositories).content)["access_token"]
        return {"Authorization": f"Bearer {token}"}
