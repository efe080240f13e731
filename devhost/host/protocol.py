"""What the Functions host's web server, Kestrel, takes from a connection, on uvicorn's protocol.

What it refuses, it answers with an empty response and a closed connection, and no function runs.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Kestrel's defaults, in octets: https://learn.microsoft.com/aspnet/core/fundamentals/servers/kestrel
REQUEST_LINE_LIMIT = 8 * 1024
HEADERS_LIMIT = 32 * 1024
HEADER_COUNT_LIMIT = 100

_SERVED_VERSIONS = frozenset({"1.0", "1.1"})


class _RefusedError(Exception):
    """Ends the parsing of a request that is refused."""


class HostProtocol(HttpToolsProtocol):
    """One connection, over which a client sends requests one after another."""

    # How long a client may take to send the head of a request, in seconds: for the first one from
    # the start of the connection, for others from their first octet.
    head_timeout = 30.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare to wait for the first request."""
        super().__init__(*args, **kwargs)
        self.url = b""
        self._awaits_head = True
        self._head_timer: asyncio.TimerHandle | None = None
        # Octets since the parser last had something whole, or a part of a body: what it keeps.
        self._kept_by_parser = 0
        self._refusal = HTTPStatus.BAD_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Limit the time of the first head."""
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse a head, a trailer or a chunk's extension that does not end."""
        if self._awaits_head:
            self._start_head_timer()
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
        # To the host, a target has no fragment (RFC 9112, 3.2).
        self.url = self.url.replace(b"#", b"%23")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._kept_by_parser = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        self._kept_by_parser = 0
        self._awaits_head = True
        super().on_message_complete()

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
        hosts = sum(name == b"host" for name, _ in self.headers)
        if line > REQUEST_LINE_LIMIT:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        if version not in _SERVED_VERSIONS:
            return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
        if fields > HEADERS_LIMIT or len(self.headers) > HEADER_COUNT_LIMIT:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            return HTTPStatus.BAD_REQUEST
        return None

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
