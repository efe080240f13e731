"""What happens to headers between the client and the function."""

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

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


def values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return the values of a header, whose name is given in lower case."""
    return [value for key, value in headers if key.lower() == name]


def is_chunked(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether the body comes in chunks, its length unknown."""
    return any(b"chunked" in value.lower() for value in values(headers, b"transfer-encoding"))


def expects_continue(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether the client waits to be told to send its body (RFC 9110, 10.1.1)."""
    return any(value.lower() == b"100-continue" for value in values(headers, b"expect"))


def to_function(headers: Headers, invocation_id: str) -> Headers:
    """Return the headers the function sees.

    A header sent several times becomes one, its values joined by `, ` (RFC 9110, 5.3), even one
    that does not mean a list, as `Authorization`. The transfer coding between host and worker is
    the forwarder's own: chunked if the client's was. An invocation id sent by the client is
    replaced, and the front end's `DISGUISED-HOST` takes the place of `Host`.
    """
    disguised = values(headers, b"disguised-host")
    own = {INVOCATION_ID, b"host"} if disguised else {INVOCATION_ID}
    kept = _joined((name, value) for name, value in headers if name.lower() not in _DROPPED | own)
    if disguised:
        kept.append((b"host", disguised[0]))
    if is_chunked(headers):
        kept.append((b"transfer-encoding", b"chunked"))
    kept.append((INVOCATION_ID, invocation_id.encode("ascii")))
    return kept


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return every header once, under the name and in the place of its first occurrence."""
    first: dict[bytes, bytes] = {}
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        key = name.lower()
        first.setdefault(key, name)
        found.setdefault(key, []).append(value)
    return [(first[key], b", ".join(each)) for key, each in found.items()]


def to_client(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers the client sees, repeated ones still repeated."""
    return [(name, value) for name, value in headers if name.lower() not in _DROPPED]


def scheme(headers: Headers, default: str) -> str:
    """Return the scheme the client used according to `X-Forwarded-Proto`, else `default`."""
    for value in values(headers, b"x-forwarded-proto"):
        forwarded = value.decode("latin-1").split(",")[0].strip().lower()
        if forwarded in {"http", "https"}:
            return forwarded
    return default
