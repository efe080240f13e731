"""Where a request comes from and went to, as the proxies in front of the app tell it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.requests import Request

from registry_core.auth import challenge

_CALLER = "slipway.caller"
"""Where in its scope a request keeps the address that was found: several ask for it."""


def scheme(request: Request) -> str:
    """`https` or `http`: what the client spoke to the outermost proxy."""
    told = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return told if told in ("http", "https") else str(request.scope.get("scheme", "https"))


def login_server(request: Request, login_servers: Sequence[str]) -> str:
    """The registry's name that the client used, if it is one of its names; else the first."""
    return challenge.login_server(request.headers.get("host"), login_servers)


def called(request: Request, login_servers: Sequence[str]) -> str:
    """The host by which the client called, if it is one of ours or this machine's; else empty."""
    server = request.headers.get("host", "").lower()
    host = challenge.host_of(server)
    return host if server in login_servers or host in challenge.LOOPBACK else ""


def caller_address(request: Request, trusted_proxies: int) -> str:
    """The caller's address: the entry of `X-Forwarded-For` that the outermost trusted proxy added.

    Each proxy adds the address that it was called from at the end; what stands before is the
    client's own word. Without such a header, the peer of the connection.
    """
    known: str | None = request.scope.get(_CALLER)
    if known is None:
        known = request.scope[_CALLER] = _found(request, trusted_proxies)
    return known


def _found(request: Request, trusted_proxies: int) -> str:
    entries = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    entries = [entry.strip() for entry in entries if entry.strip()]
    if trusted_proxies and entries:
        return _without_port(entries[-min(trusted_proxies, len(entries))])
    return request.client.host if request.client else ""


def source(request: Request, trusted_proxies: int) -> str:
    """Where what is counted by address is counted: the caller's address.

    Of IPv6, its network of 64 bits: whoever has one address of it has all of them (RFC 6177).
    """
    address = caller_address(request, trusted_proxies)
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0][:64]
    host, colon, _ = address.rpartition(":")
    return (host if colon and ":" not in host else address)[:64]
