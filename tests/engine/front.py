"""What the Functions host does to an HTTP request on its way to the engine, as an ASGI application.

The request goes two ways: as it is to the engine's own HTTP server, and as an invocation that names
the function and the route's parameters. The invocation id, a header of the first and the id of the
second, is what the engine joins them by. Both have to be done before the answer is complete.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yarl
from starlette.types import Receive, Scope, Send

from devhost.host import headers
from devhost.host.paths import decode_path, encode_path
from devhost.host.routing import Route, RouteTable
from tests.engine.process import EngineProcess, Function
from tests.engine.protos import StatusResult

_IDLE_TIMEOUT = 240.0
"""In seconds: the host's own limit for a forwarded request on which nothing moves."""
# The forwarder sends on what the client sent, and nothing of its own.
_NO_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class Front:
    """Forwards to the HTTP functions of one engine."""

    def __init__(self, engine: EngineProcess, app_dir: Path) -> None:
        self._engine = engine
        self._routes = _routes(engine.functions.values(), app_dir)
        self._session = aiohttp.ClientSession(
            # The engine's server closes a connection after a function failed, and does not say so.
            # The host would try the next request again; here each has a connection of its own.
            connector=aiohttp.TCPConnector(force_close=True),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NO_AUTOMATIC_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_read=_IDLE_TIMEOUT),
        )
        self.failures: list[dict[str, Any]] = []
        """The exceptions (`message`, `stack_trace`) of the invocations that failed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        path = decode_path(scope["raw_path"])
        found = self._routes.find(scope["method"], path)
        if found is None:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body"})
            return
        route, parameters = found
        # A body of known length is read whole before anything else happens.
        sent = headers.fields_of(scope["headers"])
        chunked = headers.is_chunked(sent)
        body = _chunks(receive) if chunked else b"".join([part async for part in _chunks(receive)])
        invocation_id = str(uuid.uuid4())
        function = self._engine.functions[route.function_name]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._invoke(function, parameters, invocation_id))
            await self._forward(
                scope, path, self._headers(scope, sent, invocation_id), body or None, send
            )

    async def _invoke(
        self, function: Function, parameters: Mapping[str, str], invocation_id: str
    ) -> None:
        data = {"http": {"params": parameters}}
        result = await self._engine.invoke(function, data, invocation_id=invocation_id)
        if result["status"] != StatusResult.Success:
            self.failures.append(result["exception"])

    async def _forward(
        self,
        scope: Scope,
        path: str,
        fields: list[tuple[str, str]],
        body: AsyncIterator[bytes] | bytes | None,
        send: Send,
    ) -> None:
        query = scope["query_string"].decode("ascii")
        address = self._engine.http_uri + encode_path(path).decode("ascii")
        url = yarl.URL(f"{address}?{query}" if query else address, encoded=True)
        async with self._session.request(
            scope["method"], url, headers=fields, data=body, allow_redirects=False
        ) as response:
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": headers.to_client(response.raw_headers),
                }
            )
            async for part in response.content.iter_any():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})

    def _headers(
        self, scope: Scope, sent: headers.Fields, invocation_id: str
    ) -> list[tuple[str, str]]:
        """The headers the engine sees: no hop-by-hop ones, and those that the host writes."""
        worker = yarl.URL(self._engine.http_uri).authority
        hop = headers.Hop(worker, scope["client"][0], headers.scheme(sent, scope["scheme"]))
        seen = headers.to_function(sent, invocation_id, method=scope["method"], hop=hop)
        return [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in seen
            # The session sees by the kind of body whether it is to be chunked.
            if name != b"transfer-encoding"
        ]

    async def close(self) -> None:
        """Closes the connections to the engine."""
        await self._session.close()


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionResetError("the client hung up before its body had ended")
        if part := message.get("body"):
            yield part
        more = message.get("more_body", False)


def _routes(functions: Any, app_dir: Path) -> RouteTable:
    host = json.loads((app_dir / "host.json").read_text(encoding="utf-8"))
    prefix = host["extensions"]["http"]["routePrefix"]
    return RouteTable(
        Route.parse(
            function.name, f"{prefix}/{function.trigger['route']}", function.trigger["methods"]
        )
        for function in functions
        if function.trigger["type"] == "httpTrigger"
    )
