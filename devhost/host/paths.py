"""What the Functions host makes of a request path before it looks for a function.

Kestrel decodes the path once, except for `%2F`, and then removes dot segments. The function sees
the result: `%3A` arrives as `:`, while `%2F` (and `%252F`) arrive as the three characters `%2F`.
"""

import re
from urllib.parse import quote

_ESCAPES = re.compile("(?:%[0-9A-Fa-f]{2})+")


class BadPathError(ValueError):
    """The path cannot be part of a valid request."""


def decode_path(raw: bytes) -> str:
    """Decode the path of a request line as Kestrel does.

    Escapes that are not two hexadecimal digits, or whose octets are not UTF-8, stay as they are.

    Raises:
        BadPathError: the path contains an encoded NUL or octets outside ASCII.
    """
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise BadPathError("the request path has octets outside ASCII") from None
    decoded = _ESCAPES.sub(lambda run: _text(bytes.fromhex(run[0].replace("%", ""))), text)
    return remove_dot_segments(decoded)


def remove_dot_segments(path: str) -> str:
    """Resolve `.` and `..` segments; `..` at the root stays there (RFC 3986, section 5.2.4)."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def encode_path(path: str) -> bytes:
    """Encode a decoded path for the way to the worker, where `%` itself is escaped."""
    return quote(path, safe="/!$&'()*+,;=:@-._~").encode("ascii")


def _text(octets: bytes) -> str:
    if 0 in octets:
        raise BadPathError("the request path has an encoded NUL")
    # A slash stays encoded: it must not become a separator. The error handler re-encodes what is
    # not UTF-8.
    pieces = octets.split(b"/")
    return "%2F".join("".join(_lenient(piece)) for piece in pieces)


def _lenient(octets: bytes) -> str:
    text = octets.decode("utf-8", "surrogateescape")
    return "".join(
        f"%{ord(char) - 0xDC00:02X}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in text
    )
