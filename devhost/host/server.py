"""Serving the Functions host on a socket with uvicorn."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from devhost.errors import CertificateError
from devhost.host.asgi import FunctionsHost
from devhost.host.listeners import Listeners
from devhost.host.protocol import HostProtocol
from devhost.sockets import IDLE_CONNECTION_SECONDS

# How long requests and other calls in progress may go on after Ctrl-C, in seconds.
_SHUTDOWN_PATIENCE = 3


class HostServer(uvicorn.Server):
    """A uvicorn that reports when it is ready, and stops when `stop_when` says so.

    It runs the `listeners` of timer and queue triggers beside the requests.

    Signals are left to the caller: uvicorn would raise them again after its own shutdown, and so
    prevent that of others.
    """

    def __init__(
        self,
        application: FunctionsHost,
        listeners: Listeners,
        *,
        certificate: Path | None,
        key: Path | None,
        on_ready: Callable[[], None],
        stop_when: Callable[[], bool],
    ) -> None:
        """Prepare to serve `application`, over TLS if there is a certificate.

        Raises:
            CertificateError: the certificate and the key cannot be used together.
        """
        config = uvicorn.Config(
            application,
            # On httptools, which takes in a body in chunks of 32 KiB, as docker sends it, at almost
            # twice h11's rate.
            http=HostProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            # The host interprets X-Forwarded-* by its own rules: devhost.host.headers.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=IDLE_CONNECTION_SECONDS,
            timeout_graceful_shutdown=_SHUTDOWN_PATIENCE,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(f"cannot use {certificate} with {key}: {error}") from None
        super().__init__(config)
        self._listeners = listeners
        self._on_ready = on_ready
        self._stop_when = stop_when

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then say so."""
        await super().startup(sockets)
        await self._listeners.start()
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to serve; what the app leaves open then goes with the process, as in Azure."""
        await asyncio.gather(
            super().shutdown(sockets), self._listeners.stop(patience=_SHUTDOWN_PATIENCE)
        )
        # Which is where complaints of unclosed connections would go.
        logging.getLogger("asyncio").disabled = True

    async def on_tick(self, counter: int) -> bool:
        """Tell uvicorn, several times a second, whether to stop."""
        return await super().on_tick(counter) or self._stop_when()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
