"""What happens to headers between the client and the function."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]
Fields = Mapping[bytes, bytes]
"""The headers of a request, each once, by its name in lower case."""

# The names that YARP, the host's forwarder, drops in both directions.
_DROPPED = frozenset(
    {
        b"connection",
        b"transfer-encoding",
        b"keep-alive",
        b"upgrade",
        b"upgrade-insecure-requests",
        b"http2-settings",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-features",
        b"proxy-instruction",
        b"security-scheme",
        b"alpn",
        b"close",
        b"te",
        b"alt-svc",
    }
)

INVOCATION_ID = b"x-ms-invocation-id"

# What the host writes itself in any case, and what it writes or drops besides on a `Hop`.
_REPLACED = _DROPPED | {INVOCATION_ID, b"host"}
_REPLACED_ON_A_HOP = _REPLACED | {
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
}
# To requests with other methods, .NET's client adds a length of 0 where there is no body.
_WITHOUT_BODY = frozenset({"GET", "HEAD", "CONNECT", "OPTIONS", "DELETE"})


@dataclass(frozen=True, slots=True)
class Hop:
    """What the host says of the way to the function, where it does not keep the client's headers.

    `worker` is the address of the worker's server, with its port; `peer` the address from which the
    host was called; `scheme` that of the request.
    """

    worker: str
    peer: str
    scheme: str

    def headers(self, name: bytes) -> Headers:
        """Return the headers that the host writes; `name` is the host that the client called."""
        return [
            (b"host", self.worker.encode("ascii")),
            (b"x-forwarded-host", name),
            (b"x-forwarded-for", self.peer.encode("ascii")),
            (b"x-forwarded-proto", self.scheme.encode("ascii")),
        ]


def fields_of(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers as the host has them, in the order of their first occurrences.

    A header sent several times becomes one, its values joined by `, ` (RFC 9110, 5.3), even one
    that does not mean a list, as `Authorization`.
    """
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        key = name.lower()
        fields[key] = fields[key] + b", " + value if key in fields else value
    return fields


def is_chunked(fields: Fields) -> bool:
    """Tell whether the body comes in chunks, its length unknown."""
    return b"chunked" in fields.get(b"transfer-encoding", b"").lower()


def content_length(fields: Fields) -> int:
    """Return the length of a body that is not chunked, 0 where none is told."""
    return 0 if is_chunked(fields) else int(fields.get(b"content-length", b"0"))


def expects_continue(fields: Fields) -> bool:
    """Tell whether the client waits to be told to send its body (RFC 9110, 10.1.1)."""
    return fields.get(b"expect", b"").lower() == b"100-continue"


def is_websocket(fields: Fields) -> bool:
    """Tell whether the client wants to go on with WebSocket (RFC 6455, 4.1)."""
    if fields.get(b"upgrade", b"").lower() != b"websocket":
        return False
    tokens = fields.get(b"connection", b"").lower().split(b",")
    return b"upgrade" in map(bytes.strip, tokens)


def called(fields: Fields) -> bytes:
    """Return the host that was called, as the front end says, or else the client; or empty."""
    return fields.get(b"disguised-host") or fields.get(b"host", b"")


def to_function(
    fields: Fields, invocation_id: str, *, method: str = "GET", hop: Hop | None = None
) -> Headers:
    """Return the headers the function sees.

    The transfer coding between host and worker is the forwarder's own: chunked if the client's was.
    An invocation id sent by the client is replaced, and the front end's `DISGUISED-HOST` takes the
    place of `Host`. On a `hop`, the host goes on to write its own `Host` and `X-Forwarded-*`.
    """
    replaced = _REPLACED if hop is None else _REPLACED_ON_A_HOP
    kept = [field for field in fields.items() if field[0] not in replaced]
    kept += [(b"host", called(fields))] if hop is None else hop.headers(called(fields))
    if is_chunked(fields):
        kept.append((b"transfer-encoding", b"chunked"))
    elif method not in _WITHOUT_BODY and b"content-length" not in fields:
        kept.append((b"content-length", b"0"))
    kept.append((INVOCATION_ID, invocation_id.encode("ascii")))
    return kept


def peer(fields: Fields) -> str:
    """Return whom the worker's own server takes for its client where the host is no `Hop`.

    That is the last entry of `X-Forwarded-For`, as uvicorn does; the host, if there is none.
    """
    last = fields.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
    return (last.rpartition(":")[0] if last.count(":") == 1 else last) or "127.0.0.1"


def to_client(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers the client sees, repeated ones still repeated.

    Raises:
        ValueError: one has octets above 127, which Kestrel does not send.
    """
    kept = [(name, value) for name, value in headers if name.lower() not in _DROPPED]
    for name, value in kept:
        if not value.isascii():
            raise ValueError(f"the response header {name.decode('latin-1')} is not ASCII")
    return kept


def scheme(fields: Fields, default: str) -> str:
    """Return the scheme the client used according to `X-Forwarded-Proto`, else `default`."""
    forwarded = fields.get(b"x-forwarded-proto", b"").partition(b",")[0].strip().lower()
    return forwarded.decode("ascii") if forwarded in {b"http", b"https"} else default
