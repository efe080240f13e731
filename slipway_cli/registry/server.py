"""A registry's address, and requests to it."""

from __future__ import annotations

import http.client
import ipaddress
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slipway_cli.command import UsageError

TIMEOUT_SECONDS = 14
"""How long a registry may be silent."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes


@dataclass(frozen=True)
class Server:
    """A server by scheme and authority."""

    scheme: str
    netloc: str

    @classmethod
    def parse(cls, text: str, flag: str = "--server") -> Server:
        """From an address or a name; plain http on loopback alone.

        Raises `UsageError`, which begins with the flag.
        """
        try:
            parts = urllib.parse.urlsplit(text if "://" in text else f"//{text}")
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise _no_name(flag) from None
        scheme = parts.scheme or ("http" if is_loopback(host) else "https")
        if scheme not in ("http", "https") or not host or parts.username is not None:
            raise _no_name(flag)
        if scheme == "http" and not is_loopback(host):
            raise UsageError(
                f"{flag}: use https, because a password is sent; http is allowed only on loopback"
            )
        return cls(scheme, parts.netloc.lower())

    @property
    def url(self) -> str:
        """The address with its scheme."""
        return f"{self.scheme}://{self.netloc}"

    def connect(self, timeout: float = TIMEOUT_SECONDS) -> http.client.HTTPConnection:
        """A connection, which opens itself at the first request."""
        kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
        return kind(self.netloc, timeout=timeout)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """Sends one request on a connection of its own; a body in pieces goes in chunks.

        Raises `OSError` and `HTTPException`.
        """
        connection = self.connect(timeout)
        try:
            return exchange(connection, method, target, headers, body)
        finally:
            connection.close()


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterator[bytes] | None = None,
) -> Answer:
    """One request and its answer, on a connection that may serve for more.

    Raises `OSError` and `HTTPException`.
    """
    sent = dict(headers or {})
    in_chunks = body is not None and not isinstance(body, bytes)
    if in_chunks:
        sent["Transfer-Encoding"] = "chunked"
    connection.request(method, target, body, sent, encode_chunked=in_chunks)
    answer = connection.getresponse()
    received = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, received, answer.read())


def _no_name(flag: str) -> UsageError:
    return UsageError(f"{flag}: use a name such as registry.example.com")
