"""What the Functions host's web server, Kestrel, takes from a connection, on uvicorn's protocol.

What it refuses, it answers with an empty response and a closed connection, and no function runs.
"""

import asyncio
import re
import socket
import struct
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Kestrel's defaults, in octets: https://learn.microsoft.com/aspnet/core/fundamentals/servers/kestrel
REQUEST_LINE_LIMIT = 8 * 1024
HEADERS_LIMIT = 32 * 1024
HEADER_COUNT_LIMIT = 100

# How long what is left of a body is let in after its request was answered, in seconds.
DRAIN_SECONDS = 5.0

_SERVED_VERSIONS = frozenset({"1.0", "1.1"})
# HttpUtilities.IsHostHeaderValid and HttpCharacters of https://github.com/dotnet/aspnetcore.
_HOST = re.compile(rb"(?:(?:[A-Za-z0-9!$&'()._~-]+|\[[0-9A-Fa-f:.]{3,}\])(?::[0-9]+)?)?")
# More than any method has.
_METHOD_LIMIT = 32
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FOLD = re.compile(rb"\r\n[ \t]")
_END_OF_HEAD = b"\r\n\r\n"
# Of SO_LINGER: to close without a word, which resets the connection.
_NO_LINGER = struct.pack("ii", 1, 0)


class _RefusedError(Exception):
    """Ends the parsing of a request that is refused."""


class HostProtocol(HttpToolsProtocol):
    """One connection, over which a client sends requests one after another."""

    # How long a client may take to send the head of a request, in seconds: for the first one from
    # the start of the connection, for others from their first octet.
    head_timeout = 30.0
    drain_timeout = DRAIN_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare to wait for the first request."""
        super().__init__(*args, **kwargs)
        self.url = b""
        self._awaits_head = True
        self._head_timer: asyncio.TimerHandle | None = None
        # Octets since the parser last had something whole, or a part of a body: what it keeps.
        self._kept_by_parser = 0
        self._refusal = HTTPStatus.BAD_REQUEST
        # Whether the parser takes control characters in headers, and then folded headers as well.
        self._is_lenient = False
        # The last octets of the part of a head before, in which the end of a line may begin.
        self._tail = b""
        # Whether what is left of a body is let in before the connection is closed.
        self._drains = True
        self._drain_timer: asyncio.TimerHandle | None = None
        # The length beside the coding is for on_headers_complete to put aside.
        self.parser.set_dangerous_leniencies(lenient_chunked_length=True)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Limit the time of the first head."""
        super().connection_made(transport)
        self._for_responses: Any = SimpleNamespace(
            write=transport.write, is_closing=transport.is_closing, close=self._close
        )
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._stop_head_timer()
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse a head, a trailer or a chunk's extension that does not end."""
        if self._awaits_head:
            self._start_head_timer()
            data = self._in_upper_case(data)
            if self._has_fold(data):
                self.send_400_response(self._refusal.phrase)
                return
        self._kept_by_parser += len(data)
        super().data_received(data)
        is_too_much = self._kept_by_parser > REQUEST_LINE_LIMIT + HEADERS_LIMIT
        if is_too_much and not self.transport.is_closing():
            self._refusal = (
                HTTPStatus.REQUEST_URI_TOO_LONG
                if self._awaits_head and len(self.url) > REQUEST_LINE_LIMIT
                else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            )
            self.send_400_response(self._refusal.phrase)

    def on_message_begin(self) -> None:
        """Take the first octet of a request."""
        super().on_message_begin()
        self._kept_by_parser = 0
        self._start_head_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but no trailer: a function would take it for a header."""
        if self._awaits_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start to serve the request, unless the host would not."""
        self._kept_by_parser = 0
        self._stop_head_timer()
        refusal = self._reason_to_refuse()
        if refusal is not None:
            self._refusal = refusal
            raise _RefusedError
        self._awaits_head = False
        if self._is_lenient:
            self._set_lenient(on=False)
        # To the host, a target has no fragment (RFC 9112, 3.2).
        self.url = self.url.replace(b"#", b"%23")
        self.scope["devhost.connection"] = self  # type: ignore[typeddict-unknown-key]
        self._put_length_aside()
        super().on_headers_complete()
        self.cycle.transport = self._for_responses

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._kept_by_parser = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        self._kept_by_parser = 0
        self._awaits_head = True
        # Until another has begun, which tells that the method has been read.
        self.url = self._tail = b""
        super().on_message_complete()
        if self._drain_timer is not None:
            self.transport.close()

    def reset(self) -> None:
        """Break off: what has not gone out is dropped, and the client is told of no end."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def let_no_more_in(self) -> None:
        """What is left of the body is not read before the connection is closed."""
        self._drains = False

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the host's answer is empty
        """Refuse what came, and let nothing come after it.

        uvicorn calls this for whatever the parser does not take.
        """
        if self._awaits_head and self._is_answering():
            # It was sent before the last request was answered, which comes first.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if not self._awaits_head and self.cycle.response_started:
            # A second response would pass for a part of the first.
            self.transport.close()
            return
        if not self._awaits_head and self._refusal is HTTPStatus.BAD_REQUEST:
            # The host meets it while it reads the body for a function.
            self._refusal = HTTPStatus.INTERNAL_SERVER_ERROR
        self.transport.write(
            f"HTTP/1.1 {self._refusal.value} {self._refusal.phrase}\r\n"
            "content-length: 0\r\nconnection: close\r\n\r\n".encode("ascii")
        )
        self.transport.close()

    def _reason_to_refuse(self) -> HTTPStatus | None:
        """Return the status with which the host refuses the head that was read, if it does."""
        version = self.parser.get_http_version()
        # Two spaces, the version, and the end of the line, besides.
        line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        # A colon, a space, and the end of the line, each; and the empty line.
        fields = sum(len(name) + len(value) + 4 for name, value in self.headers) + 2
        if line > REQUEST_LINE_LIMIT:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        if version not in _SERVED_VERSIONS:
            return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
        if fields > HEADERS_LIMIT or len(self.headers) > HEADER_COUNT_LIMIT:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        is_plain = all(value.isascii() and b"\0" not in value for _, value in self.headers)
        return None if is_plain and self._names_one_host(version) else HTTPStatus.BAD_REQUEST

    def _names_one_host(self, version: str) -> bool:
        hosts = [value for name, value in self.headers if name == b"host"]
        if not hosts:
            return version == "1.0"
        return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None

    def _in_upper_case(self, data: bytes) -> bytes:
        """Return a part of a head with its method as the parser takes it."""
        if self.url:
            return data
        end = data.find(b" ", 0, _METHOD_LIMIT)
        method = data[: _METHOD_LIMIT if end < 0 else end]
        upper = method.upper()
        return data if method == upper else upper + data[len(method) :]

    def _has_fold(self, data: bytes) -> bool:
        """Whether a header of this part of a head goes on in the next line.

        The parser sees to that itself, until it has to take control characters.
        """
        part = self._tail + data if self._tail else data
        self._tail = part[1 - len(_END_OF_HEAD) :]
        end = part.find(_END_OF_HEAD)
        end = len(part) if end < 0 else end
        if not self._is_lenient and _CONTROL.search(part, 0, end):
            self._set_lenient(on=True)
        return self._is_lenient and _FOLD.search(part, 0, end) is not None

    def _set_lenient(self, *, on: bool) -> None:
        self.parser.set_dangerous_leniencies(lenient_headers=on)
        self._is_lenient = on

    def _put_length_aside(self) -> None:
        """Disregard a length beside a coding (RFC 9112, 6.3); the function is told it as another.

        https://github.com/dotnet/aspnetcore: Http1MessageBody.cs.
        """
        names = [name for name, _ in self.headers]
        if b"transfer-encoding" in names and b"content-length" in names:
            at = names.index(b"content-length")
            self.headers[at] = (b"x-content-length", self.headers[at][1])

    def _close(self) -> None:
        """Close the connection after a response: what is left of the body is let in before.

        Otherwise the client, which is still sending, would see a reset and not the response.
        """
        if self._awaits_head or not self._drains or self.transport.is_closing():
            self.transport.close()
            return
        # TLS knows no end in one direction only.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._drain_timer = self.loop.call_later(self.drain_timeout, self.transport.close)
        self.flow.resume_reading()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing of it."""

    def _start_head_timer(self) -> None:
        """Limit the time of the head, from now on unless it is limited already."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout, self._end_wait_for_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_wait_for_head(self) -> None:
        self._head_timer = None
        if self._is_answering():
            # The client is ahead: the host would not read on before the response is complete.
            self._start_head_timer()
        else:
            self.transport.close()

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete
