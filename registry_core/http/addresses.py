"""Who called, and by which name, as the platform in front of the app tells it.

The Functions host forwards a request in one of two ways, and an app cannot choose. Either `Host`
and `X-Forwarded-For` reach the function as they reached the host. Or `Host` is the address of the
worker's own server, `X-Forwarded-Host` the name that the client called, and `X-Forwarded-For` the
address of whatever called the host. What is found here is right for both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request

from registry_core.auth import challenge
from registry_core.http import fields
from registry_core.settings import Settings

_CALLER = "slipway.caller"
"""Where in its scope a request keeps the address that was found: several ask for it."""
_OF_THE_FRONT_END = (("CLIENT-IP", b"client-ip"), ("X-Client-IP", b"x-client-ip"))
"""Where Azure's front end tells the client's address besides; each name as it is sent, and as ASGI
has it."""
_LONGEST = 64
"""More characters than an address has, with its zone and port."""
_BY_NAME = (b"host", b"x-forwarded-host")
"""Where the name is told by which the client called, the one that counts first."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def scheme(request: Request) -> str:
    """`https` or `http`: what the client spoke to the outermost proxy."""
    told = fields.first(request, b"x-forwarded-proto") or ""
    told = told.partition(",")[0].strip().lower()
    return told if told in ("http", "https") else str(request.scope.get("scheme", "https"))


def login_server(request: Request, login_servers: Sequence[str]) -> str:
    """The registry's name that the client used, if it is one of its names; else the first.

    What the client sends is compared, never echoed.
    """
    for name in _names(request):
        if name in login_servers:
            return name
    return login_servers[0]


def called(request: Request, login_servers: Sequence[str]) -> str:
    """The host by which the client called, if it is one of ours or this machine's; else empty."""
    names = list(_names(request))
    ours = [name for name in names if name in login_servers]
    # The other way round: `Host` may be the worker's, which is on this machine always.
    local = [name for name in reversed(names) if challenge.host_of(name) in challenge.LOOPBACK]
    return next(map(challenge.host_of, ours + local), "")


def _names(request: Request) -> Iterator[str]:
    """The names by which the client may have called, the one that counts first."""
    for header in _BY_NAME:
        yield fields.only(request, header).lower()


@dataclass(frozen=True)
class Caller:
    """Where a request comes from."""

    address: str
    """An IPv4 or IPv6 address; empty if nothing tells one."""
    header: str = ""
    """The header that told it, where it was not `X-Forwarded-For`; empty for the peer as well."""


def caller(request: Request, settings: Settings) -> Caller:
    """Where the request comes from.

    With `client_address_header`, what that header says. Else the entry of `X-Forwarded-For` that
    the outermost trusted proxy added: each adds the address that it was called from at the end, and
    what stands before is the client's own word. Unless that is an address of the platform's inside,
    and the front end tells another. Else the peer of the connection.
    """
    known: Caller | None = request.scope.get(_CALLER)
    if known is None:
        known = request.scope[_CALLER] = _found(request, settings)
    return known


def _found(request: Request, settings: Settings) -> Caller:
    chosen = settings.client_address_header
    if chosen and (told := _parse(_told(request, chosen.lower().encode()))):
        return Caller(str(told), chosen)
    client = request.scope.get("client")
    peer = client[0][:_LONGEST] if client else ""
    if not settings.trusted_proxies:
        return _behind(peer, None, ())
    entry = _forwarded(request, settings.trusted_proxies)
    by_front_end = tuple([(shown, _told(request, name)) for shown, name in _OF_THE_FRONT_END])
    names_worker = _names_worker(request, settings.login_servers)
    return _behind(peer, entry, by_front_end, names_worker=names_worker)


@lru_cache(maxsize=1024)  # A client sends the same with each of its requests.
def _behind(
    peer: str,
    entry: str | None,
    by_front_end: Sequence[tuple[str, str]],
    *,
    names_worker: bool = False,
) -> Caller:
    """The caller behind a peer, from the entry of `X-Forwarded-For` that counts."""
    forwarded = _parse(entry) if entry else None
    if forwarded is None or _is_inside(forwarded) or names_worker:
        for header, text in by_front_end:
            told = _parse(text)
            if told is not None and told != forwarded and not _is_inside(told):
                return Caller(str(told), header)
    return Caller(str(forwarded or _parse(peer) or ""))


def _forwarded(request: Request, trusted_proxies: int) -> str | None:
    """The entry of `X-Forwarded-For` that the outermost trusted proxy added; None if none did."""
    entries = ",".join(fields.values(request, b"x-forwarded-for")).split(",")
    entries = [entry for each in entries if (entry := each.strip(" \t"))]
    return _short(entries[-min(trusted_proxies, len(entries))]) if entries else None


def _is_inside(address: Address) -> bool:
    """Whether only the platform itself can have it, and no client."""
    return address.is_loopback or address.is_link_local


def _names_worker(request: Request, login_servers: Sequence[str]) -> bool:
    """Whether `Host` is the worker's own server: then `X-Forwarded-For` has the host's peer.

    That peer is not to be told from the request itself: the worker's server puts what
    `X-Forwarded-For` says in the place of whoever it was called by.
    """
    address, port = request.scope.get("server") or ("", None)
    host = fields.only(request, b"host")
    return host == f"{address}:{port}" and host not in login_servers


def _told(request: Request, name: bytes) -> str:
    """What a header says that may hold an address."""
    return _short(fields.only(request, name))


def _short(text: str) -> str:
    """The text, if it is short enough for an address; else nothing, which is none either."""
    return text if len(text) <= _LONGEST else ""


@lru_cache(maxsize=1024)
def _parse(text: str) -> Address | None:
    """An address, with a port or without; None if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def source(request: Request, settings: Settings) -> str:
    """Where what is counted by address is counted: the caller's address.

    Of IPv6, its network of 64 bits: whoever has one address of it has all of them (RFC 6177).
    """
    address = caller(request, settings).address
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(address)) >> 64 << 64))
