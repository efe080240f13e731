"""The edge: what every request passes, in and out.

In: a correlation id, sign-in, routing, permission. Out: errors as OCI bodies, the headers common
to all answers, one log line. Nothing of a private registry can be told apart without sign-in.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from registry_core.auth import basic, challenge
from registry_core.auth.policy import decide
from registry_core.errors import (
    Denied,
    InternalError,
    RegistryError,
    Unauthorized,
    Unavailable,
)
from registry_core.http import bodies, request_log, routes
from registry_core.http.exchange import Exchange, Query
from registry_core.model.names import RepositoryName
from registry_core.registry import Registry
from registry_core.storage.calls import adopt, traced
from registry_core.storage.faults import StorageFault

_LOGGER = logging.getLogger("slipway")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_CORRELATION_HEADER = "X-Ms-Correlation-Request-Id"
_COMMON_HEADERS = {  # Unless a handler has said otherwise.
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass
class _Facts:
    """What the log line will say of a request, learnt on its way."""

    kind: str = "unknown"
    repository: str = ""
    identity: str = ""


async def handle(registry: Registry, request: Request, path: str) -> Response:
    """Answers a request to `/v2` plus `path`, whatever happens."""
    started = time.monotonic()
    correlation_id = _correlation_id(request)
    facts = _Facts()
    with traced() as trace:
        request.state.storage_calls = trace
        try:
            response = await _answer(registry, request, path, facts)
        except ClientDisconnect:
            response = Response(status_code=499)
        except RegistryError as error:
            response = _error_response(error)
        except StorageFault:
            _LOGGER.warning("storage failed, correlation id %s", correlation_id, exc_info=True)
            response = _error_response(Unavailable())
        except Exception:
            _LOGGER.exception("unhandled, correlation id %s", correlation_id)
            detail = {"correlationId": correlation_id}
            response = _error_response(InternalError(detail=detail))
        if response.status_code >= 400:
            await bodies.drain(request)
    for name, value in {**_COMMON_HEADERS, _CORRELATION_HEADER: correlation_id}.items():
        response.headers.setdefault(name, value)
    entry = request_log.Entry(
        method=request.method,
        kind=facts.kind,
        repository=facts.repository,
        identity=facts.identity,
        status=response.status_code,
        trace=trace,
        started=started,
        bytes_in=bodies.received(request),
        correlation_id=correlation_id,
    )
    return _logged(response, entry)


async def _answer(registry: Registry, request: Request, path: str, facts: _Facts) -> Response:
    identity = basic.authenticate(request.headers.get("authorization"), registry.settings.admin)
    if identity is None:
        host, servers = request.headers.get("host"), registry.settings.login_servers
        raise Unauthorized(headers={"WWW-Authenticate": challenge.basic(host, servers)})
    facts.identity = identity.name
    route, params = routes.find(unquote(path))
    facts.kind = route.kind
    endpoint = routes.endpoint(route, request.method)
    name_text = params.pop("name", None)
    name = None if name_text is None else RepositoryName.parse(name_text)
    facts.repository = str(name or "")
    if not decide(identity, endpoint.action, name).allowed:
        raise Denied
    await registry.open()
    exchange = Exchange(request, registry, identity, _query(request), params, name)
    return await endpoint.handler(exchange)


def _query(request: Request) -> Query:
    """As it was sent: an address put together again would have the client's `Host` in it."""
    return Query(request.scope["query_string"].decode("latin-1"))


def _error_response(error: RegistryError) -> Response:
    return Response(
        error.body(), error.status, error.headers, media_type="application/json; charset=utf-8"
    )


def _correlation_id(request: Request) -> str:
    given = request.headers.get(_CORRELATION_HEADER, "")
    return given if _CORRELATION_ID.fullmatch(given) else str(uuid.uuid4())


def _logged(response: Response, entry: request_log.Entry) -> Response:
    """Writes the log line: now, or when a streamed body has ended."""
    if not isinstance(response, StreamingResponse):
        entry.write(len(response.body))
        return response
    body = response.body_iterator

    async def counted() -> AsyncIterator[bytes]:
        adopt(entry.trace)
        sent = 0
        try:
            async for chunk in body:
                data = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
                sent += len(data)
                yield data
        finally:
            entry.write(sent)

    response.body_iterator = counted()
    return response
