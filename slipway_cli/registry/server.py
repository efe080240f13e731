"""A registry's address, and requests to it."""

from __future__ import annotations

import http.client
import ipaddress
import os
import ssl
import urllib.parse
from base64 import b64encode
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

    def connect(
        self, timeout: float = TIMEOUT_SECONDS, context: ssl.SSLContext | None = None
    ) -> http.client.HTTPConnection:
        """A connection, which opens itself at the first request; by TLS as `context` says.

        Through the proxy in HTTPS_PROXY, if there is one for this server. Raises `UsageError`.
        """
        if self.scheme == "http":
            return http.client.HTTPConnection(self.netloc, timeout=timeout)
        proxy = proxy_of(self.netloc)
        if proxy is None:
            return http.client.HTTPSConnection(self.netloc, timeout=timeout, context=context)
        connection = http.client.HTTPSConnection(
            proxy.hostname or "", proxy.port or 80, timeout=timeout, context=context
        )
        connection.set_tunnel(self.netloc, headers=_proxy_authorization(proxy))
        return connection

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


def proxy_of(netloc: str) -> urllib.parse.SplitResult | None:
    """The proxy by which a server is reached; never for this machine. Raises `UsageError`."""
    if not (os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")):
        return None
    # Imported here: it is slow to import, and most have no proxy.
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415

    address = getproxies().get("https", "")
    host = urllib.parse.urlsplit(f"//{netloc}").hostname or ""
    if not address or is_loopback(host) or proxy_bypass(netloc):
        return None
    try:
        proxy = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
        if proxy.scheme == "http" and proxy.hostname and proxy.port != 0:
            return proxy
    except ValueError:
        pass
    raise UsageError("HTTPS_PROXY: use an address such as http://proxy.example.com:3128")


def _proxy_authorization(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{proxy.username}:{proxy.password or ''}"
    encoded = b64encode(urllib.parse.unquote(pair).encode()).decode()
    return {"Proxy-Authorization": f"Basic {encoded}"}


def _no_name(flag: str) -> UsageError:
    return UsageError(f"{flag}: use a name such as registry.example.com")
