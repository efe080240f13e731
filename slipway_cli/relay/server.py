"""The registry on loopback: lets clients in, takes uploads, and hands on everything else."""

from __future__ import annotations

import ssl
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import HttpVersion11, web

from registry_core.errors import RegistryError, UnknownRoute
from slipway_cli.command import CommandError
from slipway_cli.output.text import clean
from slipway_cli.relay import answers
from slipway_cli.relay.client_uploads import ClientGone, ClientUploads
from slipway_cli.relay.door import Door
from slipway_cli.relay.forward import forward
from slipway_cli.relay.upstream import Upstream
from slipway_cli.relay.watch import Watch

LOOPBACK = "127.0.0.1"
_BASE = ("/v2", "/v2/")
_HANDED_ON = ("/v2/", "/acr/v1/")
_SHUTDOWN_SECONDS = 1.0
"""How long requests may go on that are under way at the end."""


@dataclass
class Relay:
    """A registry that is another one behind it."""

    upstream: Upstream
    watch: Watch
    door: Door
    uploads: ClientUploads = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = ClientUploads(self.upstream, self.watch)

    @asynccontextmanager
    async def listening(
        self, host: str = LOOPBACK, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[str]:
        """Serves until the end of the block; answers its address, such as `127.0.0.1:5000`.

        Port 0 is any that is free. Raises `CommandError` if it cannot.
        """
        # What clients have compressed stays so.
        server = web.Server(self._answer, access_log=None, auto_decompress=False)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await _start(web.TCPSite(runner, host, port, ssl_context=tls), f"{host}:{port}")
            address, number = runner.addresses[0][:2]
            yield f"[{address}]:{number}" if ":" in address else f"{address}:{number}"
        finally:
            await runner.cleanup()
            await self.uploads.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        server = self.upstream.server
        try:
            self.door.check(request)
            return await self._let_in(request)
        except RegistryError as error:
            return answers.of_error(error)
        except CommandError as error:
            self.watch.tell(
                f"{request.method} {clean(request.raw_path.partition('?')[0])}: {error}"
            )
            return answers.of_failure(error, server)
        except ClientGone:
            return web.Response(status=400)

    async def _let_in(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue":
            await _continue(request)
        path = request.raw_path.partition("?")[0]
        if path in _BASE and request.method in ("GET", "HEAD"):
            headers = {"Docker-Distribution-Api-Version": "registry/2.0"}
            return web.json_response({}, headers=headers)
        if not path.startswith(_HANDED_ON):
            raise UnknownRoute
        uploaded = await self.uploads.answer(request)
        if uploaded is not None:
            return uploaded
        return await forward(self.upstream, request, self._pushed)

    def _pushed(self, path: str, digest: str) -> None:
        path = urllib.parse.unquote(path.partition("?")[0])
        name, mark, reference = path.rpartition("/manifests/")
        if mark:
            joint = "@" if ":" in reference else ":"
            self.watch.pushed(f"{name.removeprefix('/v2/')}{joint}{reference}", digest)


async def _start(site: web.TCPSite, address: str) -> None:
    try:
        await site.start()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CommandError(
            f"the relay cannot listen at {address} ({reason}): choose another --port"
        ) from error


async def _continue(request: web.BaseRequest) -> None:
    """Tells a client that waits for it to send its body (RFC 9110, 10.1.1)."""
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
