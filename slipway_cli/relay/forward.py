"""Requests that are handed on as they are: everything but uploads."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

import aiohttp
from aiohttp import web

from registry_core.errors import Denied, SizeInvalid
from slipway_cli.command import CommandError
from slipway_cli.relay import answers, scopes
from slipway_cli.relay.patience import PASSING
from slipway_cli.relay.upstream import Broken, Upstream

MAX_BODY_BYTES = 8 * 1024 * 1024
"""The largest body that is handed on: manifests have at most 4 MiB."""
_REPEATABLE = ("GET", "HEAD", "PUT", "DELETE", "PATCH")
"""What may be sent again without harm."""
_NOT_HANDED_ON = answers.OF_ONE_CONNECTION | {"host", "content-length", "expect", "authorization"}
_PIECE = 256 * 1024


async def forward(
    upstream: Upstream, request: web.BaseRequest, pushed: Callable[[str, str], None]
) -> web.StreamResponse:
    """Hands a request on, and its answer back as it flows; tried again while the registry is away.

    `pushed` is told the path of a manifest that was pushed, and its digest. Raises `CommandError`.
    """
    path = request.raw_path
    scope = scopes.needed(request.method, urllib.parse.unquote(path.partition("?")[0]))
    headers = {
        name: value for name, value in request.headers.items() if name.lower() not in _NOT_HANDED_ON
    }
    body = await _body(request)
    patience = upstream.patience()
    is_doubtful = False
    while True:
        try:
            async with upstream.ask(request.method, path, scope, headers, body) as answer:
                is_passing = answer.status in PASSING and request.method in _REPEATABLE
                if is_passing and await upstream.may_wait(patience, await upstream.whole(answer)):
                    is_doubtful = True
                    continue
                if is_doubtful and (request.method, answer.status) == ("DELETE", 404):
                    return web.Response(status=202)  # By a try whose answer was another.
                if request.method == "PUT" and answer.status == 201:
                    pushed(path, answer.headers.get("Docker-Content-Digest", ""))
                return await _hand_back(upstream, request, answer)
        except Broken as broken:
            if request.method not in _REPEATABLE:
                raise
            is_doubtful = True
            await upstream.wait(patience, broken)


async def _body(request: web.BaseRequest) -> bytes | None:
    """The body, if there is one. Raises `SizeInvalid`."""
    if not request.body_exists:
        return None
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise SizeInvalid(f"the body is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


async def _hand_back(
    upstream: Upstream, request: web.BaseRequest, answer: aiohttp.ClientResponse
) -> web.StreamResponse:
    if answer.status == 401:
        refused = await upstream.whole(answer)
        scope = scopes.needed(request.method, request.path)
        text = str(upstream.client.refused(refused, scope)) if scope else "sign-in is needed"
        return answers.of_error(Denied(text))
    headers = answers.headers_of(answer.headers, upstream.server)
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_chunked(_PIECE):
            await response.write(piece)
    except (aiohttp.ClientError, TimeoutError) as error:
        # The client has had the beginning: it sees that the rest does not come, and asks again.
        if request.transport is not None:
            request.transport.abort()
        raise CommandError(f"an answer of {upstream.server.netloc} broke off") from error
    await response.write_eof()
    return response
