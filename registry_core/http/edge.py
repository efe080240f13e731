"""The edge: what every request passes, in and out.

In: a correlation id, sign-in, routing, permission. Out: errors as OCI bodies, the headers common
to all answers, one log line. Nothing of a private registry can be told apart without sign-in.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from registry_core.auth import basic
from registry_core.auth.identity import Caller, Identity
from registry_core.auth.policy import decide
from registry_core.errors import (
    InsufficientStorage,
    InternalError,
    RegistryError,
    Unauthorized,
    Unavailable,
    UnknownRoute,
)
from registry_core.http import (
    audit,
    authentication,
    base,
    bodies,
    cors,
    oauth2,
    request_log,
    routes,
    uploads,
)
from registry_core.http.authentication import authenticate, refusal
from registry_core.http.exchange import Exchange, Query
from registry_core.http.oauth2 import Attempt
from registry_core.model.actions import Action
from registry_core.model.names import RepositoryName
from registry_core.registry import Registry
from registry_core.storage.budget import Budget, budgeted, resume
from registry_core.storage.calls import adopt, traced
from registry_core.storage.faults import NoRoom, StorageFault

_LOGGER = logging.getLogger("slipway")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_CORRELATION_HEADER = "X-Ms-Correlation-Request-Id"
_WRITES = ("PUT", "PATCH", "DELETE")
"""The methods whose success shows that storage takes writes; a POST may need none."""
_COMMON_HEADERS = {  # Unless a handler has said otherwise.
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass
class _Facts:
    """What will be recorded of a request, learnt on its way."""

    kind: str = "unknown"
    repository: str = ""
    reference: str = ""
    identity: Identity | None = None
    is_foreign: bool = False
    """Whether that is by the word of another region."""
    attempt: Attempt | None = None
    """A sign-in, where the request is one."""


async def handle(registry: Registry, request: Request, path: str) -> Response:
    """Answers a request to `/v2` plus `path`, whatever happens."""
    return await _handle(registry, request, partial(_answer, registry, request, path))


async def handle_oauth2(registry: Registry, request: Request, path: str) -> Response:
    """Answers a request to `/oauth2` plus `path`, whatever happens."""
    answer = partial(_answer_oauth2, registry, request, path)
    return await _handle(registry, request, answer, methods=cors.SIGNING_IN)


async def handle_unknown(registry: Registry, request: Request) -> Response:
    """Answers a request to any other path: there is nothing, whoever asks."""
    return await _handle(registry, request, _answer_unknown)


async def _handle(
    registry: Registry,
    request: Request,
    answer: Callable[[_Facts], Awaitable[Response]],
    *,
    methods: str = cors.READING,
) -> Response:
    started = time.monotonic()
    correlation_id = _correlation_id(request)
    facts = _Facts()
    limits = registry.settings.limits
    with traced() as trace, budgeted(Budget(limits.request, call_seconds=limits.call)) as budget:
        request.state.storage_calls = trace
        try:
            allowed = cors.preflight(request, registry.settings.cors_origins, methods)
            response = allowed or await answer(facts)
        except ClientDisconnect:
            response = Response(status_code=499)
        except RegistryError as error:
            response = _error_response(error)
        except NoRoom:
            if registry.room.ran_out():
                full = "storage is full: nothing can be written until it has room"
                _LOGGER.error(full)  # noqa: TRY400 - nothing of ours failed, so no stack trace
            response = _error_response(InsufficientStorage())
        except StorageFault:
            _LOGGER.warning("storage failed, correlation id %s", correlation_id, exc_info=True)
            response = _error_response(Unavailable())
        except Exception:
            _LOGGER.exception("unhandled, correlation id %s", correlation_id)
            detail = {"correlationId": correlation_id}
            response = _error_response(InternalError(detail=detail))
    for name, value in {**_COMMON_HEADERS, _CORRELATION_HEADER: correlation_id}.items():
        response.headers.setdefault(name, value)
    cors.allow(response, request, registry.settings.cors_origins)
    duration = (time.monotonic() - started) * 1000
    _audit(facts, audit.Facts(registry.settings, request, response, correlation_id, duration))
    entry = request_log.Entry(
        method=request.method,
        kind=facts.kind,
        repository=facts.repository,
        identity=facts.identity.name if facts.identity else "",
        status=response.status_code,
        trace=trace,
        started=started,
        bytes_in=bodies.received(request),
        correlation_id=correlation_id,
    )
    if response.status_code >= 400:
        response = bodies.EarlyAnswer(response, request)
    elif request.method in _WRITES and registry.room.is_out:
        registry.room.is_back()
    return _logged(response, entry, budget)


async def _answer(registry: Registry, request: Request, path: str, facts: _Facts) -> Response:
    if found := basic.credentials(request.headers.get("authorization")):
        facts.attempt = Attempt(found[0])
    caller = await authenticate(registry, request)
    if caller is not None:
        caller = replace(caller, anybody=registry.anonymous.grants)
        facts.identity, facts.is_foreign = caller.identity, caller.is_foreign
        if facts.attempt:
            facts.attempt.identity = caller.identity
    target = _Target.of(path, request.method, facts)
    if target.error is not None and caller is not None and caller.is_known:
        raise target.error
    if caller is None or not target.allows(caller):
        also = _source(target, request)
        raise refusal(registry, request, caller, target.action, target.name, also)
    await registry.open()
    exchange = Exchange(request, registry, caller, _query(request), target.params, target.name)
    return await target.handler(exchange)


def _source(target: _Target, request: Request) -> RepositoryName | None:
    """The repository that a mount is to be from, which its sender has to be allowed as well.

    Told at once: there are clients that ask for a token just once.
    """
    if target.handler is not uploads.post:
        return None
    try:
        source = uploads.source(_query(request))
    except RegistryError:
        return None
    return None if source == target.name else source


async def _answer_oauth2(
    registry: Registry, request: Request, path: str, facts: _Facts
) -> Response:
    facts.kind, attempt = "oauth2", Attempt()
    if oauth2.is_sign_in(path, request.method):
        facts.attempt = attempt
    try:
        return await oauth2.answer(registry, request, path, attempt)
    except Unauthorized as error:
        error.headers["WWW-Authenticate"] = authentication.challenge_of(registry, request)
        raise
    finally:
        facts.identity = attempt.identity


async def _answer_unknown(_: _Facts) -> Response:
    raise UnknownRoute


@dataclass(frozen=True)
class _Target:
    """What a path and a method lead to: an endpoint, or the error that is told who signed in."""

    action: Action = Action.SIGN_IN
    name: RepositoryName | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    handler: routes.Handler = base.get
    error: RegistryError | None = None

    @classmethod
    def of(cls, path: str, method: str, facts: _Facts) -> _Target:
        """Whatever it is: nobody is told an error before they have signed in."""
        try:
            route, params = routes.find(unquote(path))
            facts.kind = route.kind
            facts.reference = params.get("reference") or params.get("digest") or ""
            endpoint = routes.endpoint(route, method)
            text = params.pop("name", None)
            name = None if text is None else RepositoryName.parse(text)
            facts.repository = str(name or "")
        except RegistryError as error:
            return cls(error=error)
        return cls(endpoint.action, name, params, endpoint.handler)

    def allows(self, caller: Caller) -> bool:
        """Whether the caller may do it."""
        return self.error is None and decide(caller, self.action, self.name).allowed


def _audit(facts: _Facts, record: audit.Facts) -> None:
    if facts.attempt is not None:
        audit.login(record, facts.attempt.name, facts.attempt.identity)
    audit.repository(
        record,
        facts.kind,
        facts.repository,
        facts.reference,
        facts.identity,
        is_foreign=facts.is_foreign,
    )


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


def _logged(response: Response, entry: request_log.Entry, budget: Budget) -> Response:
    """Writes the log line: now, or when a streamed body has ended."""
    if not isinstance(response, StreamingResponse):
        entry.write(len(response.body))
        return response
    body = response.body_iterator

    async def counted() -> AsyncIterator[bytes]:
        adopt(entry.trace)
        resume(budget)
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
