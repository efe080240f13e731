"""The connections to a registry: kept for the next request, and never waited for too long."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress

from slipway_cli.command import CommandError
from slipway_cli.output.text import clean
from slipway_cli.registry.server import TIMEOUT_SECONDS, Answer, Server, exchange

CHANGE_SECONDS = 60
"""How long a change may take: the registry itself gives up before."""
_LATE_SECONDS = 10
"""After which it is said that a change takes long."""
AT_ONCE = 6
"""How many requests are under way at most."""


class Wire:
    """Sends requests to one server."""

    def __init__(self, server: Server, tell: Callable[[str], None]) -> None:
        self.server = server
        self._tell = tell
        self._idle: list[http.client.HTTPConnection] = []
        self._room = asyncio.Semaphore(AT_ONCE)
        self._is_closed = False

    def close(self) -> None:
        """Ends the connections that are kept, and keeps no more."""
        self._is_closed = True
        while connection := self._kept():
            connection.close()

    def _kept(self) -> http.client.HTTPConnection | None:
        """A connection that was kept; several threads ask for one at once."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    async def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """One request, in a thread: whoever presses Ctrl-C waits for no name and no socket.

        It may be sent twice, if a connection ends that was kept. Raises `CommandError`.
        """
        seconds = TIMEOUT_SECONDS if method in ("GET", "HEAD") else CHANGE_SECONDS
        late = asyncio.get_running_loop().call_later(_LATE_SECONDS, self._tell_late, seconds)
        try:
            async with self._room, asyncio.timeout(seconds):
                return await asyncio.to_thread(self._send, method, path, headers, body, seconds)
        except TimeoutError as error:
            raise CommandError(
                f"{self.server.netloc} did not answer within {seconds} seconds: check the address, "
                "and try again"
            ) from error
        except ssl.SSLError as error:
            raise CommandError(
                f"{self.server.netloc} cannot be reached over TLS: {_described(error)}"
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CommandError(
                f"{self.server.netloc} cannot be reached: {_described(error)}"
            ) from error
        finally:
            late.cancel()

    def _tell_late(self, seconds: float) -> None:
        if seconds > TIMEOUT_SECONDS:
            self._tell(f"{self.server.netloc} is at work; waiting for up to {seconds} s")

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        sent = {"User-Agent": "slipway", **headers}
        while connection := self._kept():
            # The server may have closed it meanwhile.
            with suppress(ConnectionError, http.client.HTTPException):
                return self._send_on(connection, method, path, sent, body, seconds)
            connection.close()
        return self._send_on(
            self.server.connect(TIMEOUT_SECONDS), method, path, sent, body, seconds
        )

    def _send_on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        seconds: float,
    ) -> Answer:
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(seconds)
            answer = exchange(connection, method, path, headers, body)
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            self._idle.append(connection)
        if self._is_closed:  # Its answer came when nobody waited for it any more.
            self.close()
        return answer


def _described(error: Exception) -> str:
    """Some exceptions have no text; and names of others may stand in it."""
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return error.strerror
    return clean(str(error)) or type(error).__name__
