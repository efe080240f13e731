"""The edge: what every request passes, in and out, whatever surface it goes to.

In: a correlation id, sign-in, routing, permission. Out: errors as OCI bodies, the headers common
to all answers, one log line. Nothing of a private surface can be told apart without sign-in.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Content, Response, StreamingResponse

from registry_core.auth import basic
from registry_core.auth.identity import Caller
from registry_core.auth.policy import is_allowed
from registry_core.auth.rate_limiter import MINUTE
from registry_core.errors import (
    InsufficientStorage,
    InternalError,
    RegistryError,
    Unauthorized,
    Unavailable,
)
from registry_core.http import (
    addresses,
    audit,
    bodies,
    cors,
    fields,
    policy,
    query,
    request_log,
)
from registry_core.http.answered import GONE, Answered
from registry_core.http.authentication import authenticate, challenge_of, refusal
from registry_core.http.context import Context
from registry_core.http.journal import Journal
from registry_core.http.query import Query
from registry_core.http.surface import Route, Surface
from registry_core.model.actions import Action
from registry_core.model.change import Event, Operation, Origin
from registry_core.model.names import RepositoryName
from registry_core.model.requests import RequestKind
from registry_core.registry import Registry
from registry_core.storage.budget import Budget, budgeted, resume
from registry_core.storage.calls import CallTrace, adopt, traced
from registry_core.storage.faults import NoRoom, StorageFault

_LOGGER = logging.getLogger("slipway")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_CORRELATION_HEADER = b"x-ms-correlation-request-id"
TRACE = "slipway.storage_calls"
"""Where in its scope a request keeps the trace of its storage calls."""
_WRITES = ("PUT", "PATCH", "DELETE")
"""The methods whose success shows that storage takes writes; a POST may need none."""
_SHOWN_OF = (RequestKind.SIGN_IN, RequestKind.DELETE)
"""The kinds of requests whose answers show what is left of the rate limit, as ACR's do."""
_VERSION = (b"docker-distribution-api-version", b"registry/2.0")


async def handle(registry: Registry, surface: Surface, request: Request, path: str) -> Response:
    """Answers a request to the prefix of `surface` plus `path`, whatever happens."""
    started = time.monotonic()
    settings, journal, correlation_id = registry.settings, Journal(), _correlation_id(request)
    limits = settings.limits
    with traced() as trace, budgeted(Budget(limits.request, call_seconds=limits.call)) as budget:
        passage = _Passage(registry, surface, request, path, correlation_id, journal)
        request.scope[TRACE] = trace
        response = await _answer(passage)
    if passage.shown:
        response.headers.update(passage.shown)
    policy.apply(response, _VERSION, (_CORRELATION_HEADER, correlation_id.encode()))
    cors.allow(response, request, settings.cors_origins)
    duration_ms = (time.monotonic() - started) * 1000
    answered = Answered(settings, request, response, journal, correlation_id, trace, duration_ms)
    _log(answered)
    if registry.metrics is not None:
        # Where there are none, no instance has to load this.
        from registry_core.http import measures  # noqa: PLC0415

        measures.note(registry.metrics, answered)
    if response.status_code >= 400:
        return bodies.EarlyAnswer(response, request)
    if request.method in _WRITES and registry.room.is_out:
        registry.room.is_back()
    return _carried(response, trace, budget)


def _log(answered: Answered) -> None:
    """Writes at most one line, unless a change has several records to leave."""
    if not audit.write(answered):
        request_log.write(answered)


async def _answer(passage: _Passage) -> Response:
    """The answer of the handler, or to whatever was raised instead."""
    registry, correlation_id = passage.registry, passage.correlation_id
    try:
        return passage.preflight() or await passage.answer()
    except ClientDisconnect:
        return Response(status_code=GONE)
    except RegistryError as error:
        if isinstance(error, Unauthorized):
            challenge = challenge_of(registry.settings, passage.request)
            error.headers.setdefault("WWW-Authenticate", challenge)
        return _error_response(error)
    except NoRoom:
        if registry.room.ran_out():
            full = "storage is full: nothing can be written until it has room"
            _LOGGER.error(full)  # noqa: TRY400 - nothing of ours failed, so no stack trace
        return _error_response(InsufficientStorage())
    except StorageFault:
        _LOGGER.warning("storage failed, correlation id %s", correlation_id, exc_info=True)
        return _error_response(Unavailable())
    except Exception:
        _LOGGER.exception("unhandled, correlation id %s", correlation_id)
        return _error_response(InternalError(detail={"correlationId": correlation_id}))


@dataclass(slots=True)
class _Passage:
    """One request on its way in: who sends it, what it leads to, whether that is allowed."""

    registry: Registry
    surface: Surface
    request: Request
    path: str
    correlation_id: str
    journal: Journal
    shown: dict[str, str] = field(default_factory=dict)
    """Headers of the answer, whatever it will be."""

    def preflight(self) -> Response | None:
        """The answer to a browser that asks before it asks; None for any other request."""
        origins = self.registry.settings.cors_origins
        return cors.preflight(self.request, origins, self.surface.for_pages)

    async def answer(self) -> Response:
        """The handler's answer. Raises whatever keeps the request from it."""
        caller = await self._caller()
        target = self._target()
        is_known = caller is not None and caller.is_known
        if target.error is not None and (is_known or not self.surface.is_private):
            raise target.error
        if caller is None or target.route is None or not target.allows(caller):
            settings, scope = self.registry.settings, target.scope
            also = self._mount_source(target)
            raise refusal(settings, self.request, caller, scope, target.name, also)
        opened = None
        if target.route.needs_storage:
            self._count(target.route, caller)
            opened = await self.registry.open()
        context = Context(
            request=self.request,
            settings=self.registry.settings,
            opened=opened,
            caller=caller,
            query=self._query(),
            params=target.params,
            name=target.name,
            scope=target.scope,
            origin=self._origin(),
            journal=self.journal,
        )
        target.route.check_enabled(self.registry.settings)
        return await target.route.handler(context)

    async def _caller(self) -> Caller | None:
        """Who sends it; nobody yet, where that is left to the handler. None if proven wrongly."""
        registry, journal = self.registry, self.journal
        if not self.surface.is_private:
            return registry.anonymous
        if found := basic.credentials(fields.first(self.request, b"authorization")):
            journal.user_name = found[0]
        caller = await authenticate(registry, self.request)
        if caller is None:
            return None
        journal.identity, journal.is_foreign = caller.identity, caller.is_foreign
        journal.is_proven = True
        anybody = registry.anonymous.grants
        return caller if caller.anybody == anybody else replace(caller, anybody=anybody)

    def _count(self, route: Route, caller: Caller) -> None:
        """Holds the request to the rate limits, before it costs anything of storage.

        What is refused for another reason has cost as little, and is not counted: otherwise
        somebody without a password could use up what those with one are to share. Who has not
        signed in yet, because that is what they come for, is counted by address.
        """
        settings, who = self.registry.settings, caller.identity.key
        kinds = route.counts_as
        source = who if self.surface.is_private else addresses.source(self.request, settings)
        left = self.registry.rate_limiter.take(kinds, source)
        if left is not None and kinds[0] in _SHOWN_OF:
            self.shown["X-Ms-Ratelimit-Remaining-Calls-Per-Second"] = f"{left / MINUTE:.2f}"

    def _target(self) -> _Target:
        """What it leads to: nobody is told an error before they have signed in."""
        journal = self.journal
        journal.kind = self.surface.kind
        try:
            # Once more than the host does: SDKs send ``library%2Fapp`` and ``sha256%3A…``.
            found = self.surface.find(unquote(self.path))
            journal.kind = found.kind
            route = found.route(self.request.method)
            if route.is_sign_in:
                journal.user_name = ""
            text = found.params.pop("name", None)
            name = None if text is None else RepositoryName.parse(text)
        except RegistryError as error:
            return _Target(error=error)
        target = _Target(route, name, found.params)
        journal.repository = str(name or "")
        journal.asked = target.asked(self._origin())
        return target

    def _origin(self) -> Origin:
        identity = self.journal.identity
        return Origin(identity.name if identity else "", self.correlation_id)

    def _query(self) -> Query:
        """As it was sent: an address put together again would have the client's `Host` in it."""
        raw = self.request.scope["query_string"].decode("latin-1")
        return query.read(self.surface.query, raw)

    def _mount_source(self, target: _Target) -> RepositoryName | None:
        """The repository that a mount is to be from, which its sender has to be allowed as well.

        Told at once: there are clients that ask for a token just once.
        """
        if target.route is None or target.route.mounts_from is None:
            return None
        try:
            source = target.route.mounts_from(self._query())
        except RegistryError:
            return None
        return None if source == target.name else source


@dataclass(slots=True)
class _Target:
    """What a path and a method lead to: a route, or the error that is told who signed in."""

    route: Route | None = None
    name: RepositoryName | None = None
    params: dict[str, str] = field(default_factory=dict)
    error: RegistryError | None = None

    @property
    def scope(self) -> tuple[Action, ...]:
        """The actions that a challenge asks a token for."""
        return self.route.scope if self.route else ()

    def allows(self, caller: Caller) -> bool:
        """Whether the caller may use the route."""
        if self.route is None:
            return False
        action = self.route.action
        return action is None or is_allowed(caller, action, self.name)

    def asked(self, origin: Origin) -> Event | None:
        """What the route says is asked for, of what the path names; None if it says nothing."""
        if self.route is None or self.route.audit is None:
            return None
        reference, operation = self.params.get("reference", ""), self.route.audit
        is_digest = ":" in reference
        if operation is Operation.DELETE and reference and not is_digest:
            operation = Operation.UNTAG
        return Event(
            operation,
            str(self.name or ""),
            origin,
            digest=reference if is_digest else self.params.get("digest", ""),
            tag="" if is_digest else reference,
            is_blob="digest" in self.params,
        )


def _error_response(error: RegistryError) -> Response:
    return Response(
        error.body(), error.status, error.headers, media_type="application/json; charset=utf-8"
    )


def _correlation_id(request: Request) -> str:
    """The client's own, if it sent one that can be used; else a new one, which is no secret."""
    given = fields.first(request, _CORRELATION_HEADER)
    if given and _CORRELATION_ID.fullmatch(given):
        return given
    digits = random.randbytes(16).hex()  # noqa: S311 - no secret
    # A UUID of version 4 (RFC 9562, 5.4).
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _carried(response: Response, trace: CallTrace, budget: Budget) -> Response:
    """Lets the body of a streamed answer go on with the request's trace and budget.

    It is sent in another task.
    """
    if isinstance(response, StreamingResponse):
        body = response.body_iterator

        async def carried() -> AsyncIterator[Content]:
            adopt(trace)
            resume(budget)
            async for chunk in body:
                yield chunk

        response.body_iterator = carried()
    return response
