"""The heads of HTTP messages: a request's as bytes, and a response's from bytes (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9]\d\d)(?: .*)?")
_DIVIDES = re.compile(r"[\r\n\0]")
_NO_TARGET = re.compile(r"[\x00-\x20\x7f]")
_WITHOUT_BODY = frozenset({"GET", "HEAD"})


class ProtocolError(ConnectionError):
    """What came is not a response, or not all of one."""


class Origin(NamedTuple):
    """Where a connection leads (RFC 9110, 4.3.1)."""

    is_secure: bool
    host: str
    port: int


class Headers(Mapping[str, str]):
    """The fields of a response; a name is found in any case (RFC 9110, 5.1).

    They are iterated over as they were spelt.
    """

    __slots__ = ("_spelt", "_values")

    def __init__(self, fields: Iterator[tuple[str, str]]) -> None:
        self._spelt: list[str] = []
        self._values: dict[str, str] = {}
        for name, value in fields:
            lower = name.lower()
            if lower in self._values:  # A list, in parts (RFC 9110, 5.2).
                self._values[lower] += f", {value}"
            else:
                self._spelt.append(name)
                self._values[lower] = value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._spelt)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Head:
    """What a response begins with."""

    status: int
    headers: Headers
    size: int | None
    """How many bytes of body follow; None if it says so itself, or ends with the connection."""
    is_chunked: bool
    is_last: bool
    """Whether the connection takes no further request."""


def origin(url: str) -> tuple[Origin, str, str]:
    """Where an absolute address leads, the name to ask for there, and the target to ask for.

    Raises `ValueError`.
    """
    scheme, _, rest = url.partition("://")
    authority, slash, target = rest.partition("/")
    if scheme not in {"http", "https"} or not authority or "@" in authority:
        raise ValueError("an address of storage is http(s)://host[:port]/path")
    host, port = authority, ""
    if not authority.endswith("]"):
        host, colon, port = authority.rpartition(":")
        if not colon:
            host, port = authority, ""
    is_secure = scheme == "https"
    number = int(port) if port else (443 if is_secure else 80)
    return Origin(is_secure, host.strip("[]"), number), authority, f"/{target}" if slash else "/"


def request_head(
    method: str, host: str, target: str, headers: Mapping[str, str], size: int
) -> bytes:
    """A request's head, with the length of its body.

    Raises `ValueError` if a part of it could be taken for the end of a line.
    """
    if _NO_TARGET.search(target) or _DIVIDES.search("".join(headers.values())):
        raise ValueError("a request to storage with a character that divides lines")
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if "Content-Length" not in headers and (size or method not in _WITHOUT_BODY):
        lines.append(f"Content-Length: {size}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


def response_head(data: bytes, method: str) -> Head:
    """The head of the response to such a request, from its bytes without the empty line.

    Raises `ProtocolError`.
    """
    line, *lines = data.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise ProtocolError("no status line")
    status = int(match[2])
    headers = Headers(map(_field, lines))
    coding = headers.get("transfer-encoding", "").lower()
    connection = headers.get("connection", "").lower()
    is_last = "close" in connection or (match[1] == "0" and "keep-alive" not in connection)
    if method == "HEAD" or status < 200 or status in {204, 304}:
        return Head(status, headers, 0, is_chunked=False, is_last=is_last)
    if coding:
        if coding != "chunked":
            raise ProtocolError("a transfer coding that nobody asked for")
        return Head(status, headers, None, is_chunked=True, is_last=is_last)
    length = headers.get("content-length")
    if length is None:
        return Head(status, headers, None, is_chunked=False, is_last=True)
    if not (length.isascii() and length.isdigit()):
        raise ProtocolError("a length that is no number")
    return Head(status, headers, int(length), is_chunked=False, is_last=is_last)


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise ProtocolError("a line that is no field")
    return name, value.strip(" \t")
