"""The way to a server: its name, a connection, and its certificate."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from slipway_cli.health.checks import Failed, Passed, Skipped
from slipway_cli.registry.server import Server, proxy_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

NAME_SECONDS = 10.0
CONNECT_SECONDS = 6.0
HANDSHAKE_SECONDS = 10.0
LATE_SECONDS = 20.0
"""For a connection or a handshake, and to find out what is wrong with it."""
_FEW_DAYS = 14
"""With so many days left or less, people are told to renew a certificate."""
_EXPIRED, _NOT_YET_VALID = 10, 9
_OTHER_NAME = frozenset({62, 64})
"""Of a name, and of an address."""
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
"""X509_V_ERR_… of OpenSSL, as `SSLCertVerificationError.verify_code` has them."""


@dataclass(frozen=True)
class Place:
    """Where a server listens."""

    host: str
    port: int
    note: str = ""
    """What people are told with the name."""

    @classmethod
    def first(cls, server: Server) -> Place:
        """What a client connects to for a server: the proxy, where there is one."""
        proxy = proxy_of(server.netloc) if server.scheme == "https" else None
        if proxy is None:
            return cls.of(server)
        return cls(proxy.hostname or "", proxy.port or 80, " (HTTPS_PROXY)")

    @classmethod
    def of(cls, server: Server) -> Place:
        """Where a server of this address listens."""
        parts = urllib.parse.urlsplit(server.url)
        return cls(parts.hostname or "", parts.port or (443 if server.scheme == "https" else 80))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{self.note}"


def find(place: Place) -> Passed:
    """Whether the name has an address."""
    try:
        ipaddress.ip_address(place.host)
    except ValueError:
        addresses = _addresses(place)
    else:
        raise Skipped("address", f"{place.host} is an address and no name", goes_on=True)
    return Passed(f"{place.host}{place.note} is {', '.join(addresses)}", {"addresses": addresses})


def _addresses(place: Place) -> list[str]:
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise Failed(
            "no-name", f"{place.host} cannot be a host's name", "check the spelling"
        ) from error
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Failed(
                "no-name-server",
                f"no name server answers for {place.host}",
                "check the network of this machine and its name servers, and try again",
            ) from error
        raise Failed(
            "unknown-name",
            f"{place.host}{place.note} has no address",
            "check the spelling. If the name is new, its record may need time to be known; if it "
            "is known only within a network, connect to that network or its name server",
        ) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def connect(place: Place) -> Passed:
    """Whether a connection is accepted."""
    with _connection(place, CONNECT_SECONDS) as connected:
        address = connected.getpeername()[0]
    return Passed(
        f"{address} accepts connections at port {place.port}{place.note}",
        {"address": address, "port": place.port},
    )


@contextmanager
def _connection(place: Place, seconds: float) -> Iterator[socket.socket]:
    """A connection to the first address that accepts one. Raises `Failed`."""
    until = time.monotonic() + seconds
    refused: OSError = TimeoutError()
    for address in _addresses(place):
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            connected = socket.create_connection((address, place.port), timeout=left)
        except OSError as error:
            refused = error
            continue
        with connected:
            yield connected
        return
    raise _not_connected(place, refused)


def _not_connected(place: Place, error: OSError) -> Failed:
    facts = {"port": place.port}
    if isinstance(error, ConnectionRefusedError):
        return Failed(
            "refused",
            f"nothing listens at {place}",
            "check the port, and that the registry runs",
            facts,
        )
    if isinstance(error, TimeoutError):
        return Failed(
            "no-answer",
            f"{place} does not answer",
            "a firewall may drop the connection: let this machine connect to it, or go by a "
            "network that can",
            facts,
        )
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return Failed(
            "unreachable",
            f"there is no way to {place}",
            "check the network of this machine, and a VPN if the registry is behind one",
            facts,
        )
    return Failed("not-connected", f"{place}: {error}", "check the network of this machine", facts)


def secure(server: Server) -> Passed:
    """As `shake_hands`, where the server is one with TLS."""
    if server.scheme != "https":
        raise Skipped("plain-http", "plain http, within this machine", goes_on=True)
    return shake_hands(server)


def shake_hands(server: Server) -> Passed:
    """Whether the server has a certificate that this machine trusts, for this name."""
    place = Place.of(server)
    try:
        with _secured(server, ssl.create_default_context()) as secured:
            certificate, version = secured.getpeercert() or {}, secured.version()
    except ssl.SSLCertVerificationError as error:
        raise _not_trusted(server, error) from error
    except ssl.SSLError as error:
        raise Failed(
            "no-tls",
            f"{place} does not speak TLS ({error.reason or error})",
            "check the port. A registry on this machine may be served by plain http: say "
            "http://… then. Else something on the way answers in its place",
        ) from error
    except TimeoutError as error:
        raise Failed(
            "no-answer",
            f"{place} accepted the connection and did not answer",
            "check that a registry listens at this port; a proxy on the way may hold the answer",
        ) from error
    except OSError as error:
        raise Failed(
            "broken-off",
            f"{place} broke off the connection ({error})",
            "a firewall or a proxy on the way may refuse TLS to this name",
        ) from error
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (ends - datetime.now(UTC)).days
    renew = ": renew it" if days <= _FEW_DAYS else ""
    return Passed(
        f"{version}; the certificate is trusted, and has {days} days left{renew}",
        {"version": version, "days_left": days, "expires": _written(ends)},
    )


@contextmanager
def _secured(server: Server, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection after the handshake, as requests have one."""
    connection = server.connect(HANDSHAKE_SECONDS, context)
    try:
        connection.connect()
        yield cast("ssl.SSLSocket", connection.sock)
    finally:
        connection.close()


def _not_trusted(server: Server, error: ssl.SSLCertVerificationError) -> Failed:
    """What is wrong with the certificate, and what to do."""
    place = Place.of(server)
    certificate = _shown(server)
    names = _names(certificate) if certificate else []
    facts = _facts(certificate, names) if certificate else {}
    if error.verify_code == _EXPIRED:
        return Failed(
            "expired",
            f"the certificate expired at {facts.get('expires', 'an unknown time')}",
            "renew it where the registry is served. If that time is still to come, set the clock "
            "of this machine",
            facts,
        )
    if error.verify_code == _NOT_YET_VALID:
        return Failed(
            "not-yet-valid",
            "the certificate is not valid yet",
            "check the clock of this machine; if it is right, the certificate was made too early",
            facts,
        )
    if error.verify_code in _OTHER_NAME:
        return Failed(
            "wrong-name",
            f"the certificate is not for {place.host} but for {', '.join(names) or 'none'}",
            "use a name that it has, or give the registry a certificate for this one",
            facts,
        )
    if error.verify_code in _UNKNOWN_ISSUER:
        return Failed(
            "not-trusted",
            f"this machine does not trust who issued the certificate "
            f"({facts.get('issuer', 'unknown')})",
            "add that authority's certificate to those which this machine trusts, or name the file "
            "for this command: SSL_CERT_FILE=ca.crt. If you do not know it, something on the way "
            "may answer in the registry's place",
            facts,
        )
    return Failed(
        "not-trusted",
        f"the certificate is refused: {error.verify_message}",
        "give the registry a certificate that this machine accepts",
        facts,
    )


def _shown(server: Server) -> Certificate | None:
    """The certificate that the server shows, trusted or not; only to tell what is wrong with it."""
    from cryptography import x509  # noqa: PLC0415 - slow to import, and seldom needed

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _secured(server, context) as secured:
            shown = secured.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(shown) if shown else None
    except (OSError, ValueError):
        return None


def _names(certificate: Certificate) -> list[str]:
    from cryptography import x509  # noqa: PLC0415

    try:
        kind = x509.SubjectAlternativeName
        alternatives = certificate.extensions.get_extension_for_class(kind).value
        return [str(each.value) for each in alternatives]
    except (x509.ExtensionNotFound, ValueError):
        return []


def _facts(certificate: Certificate, names: list[str]) -> dict[str, object]:
    return {
        "names": names,
        "issuer": certificate.issuer.rfc4514_string(),
        "expires": _written(certificate.not_valid_after_utc),
    }


def _written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
