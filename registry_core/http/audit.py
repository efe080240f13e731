"""Audit records: every sign-in, push, pull, deletion and lock, one structured line each.

Their columns have the names of ACR's tables `ContainerRegistryLoginEvents` and
`ContainerRegistryRepositoryEvents`, so that queries written for those work on these. Secrets,
addresses of uploads and signed addresses never get here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from registry_core.http import addresses, log_lines
from registry_core.http.journal import Journal
from registry_core.model.change import Event, Operation
from registry_core.settings import Settings

LOGGER = logging.getLogger("slipway.audit")

_LOGIN, _REPOSITORY = "ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"


@dataclass(frozen=True)
class Answered:
    """A request with its answer."""

    settings: Settings
    request: Request
    response: Response
    correlation_id: str
    duration_ms: float

    @property
    def has_failed(self) -> bool:
        """Whether the answer is an error."""
        return self.response.status_code >= 400


def write(answered: Answered, journal: Journal) -> None:
    """Writes the records of a request: of its sign-in, and of what it did to a repository."""
    if journal.user_name is not None:
        _write(
            answered,
            _LOGIN,
            "Login",
            has_failed=answered.has_failed and not journal.is_proven,
            Identity=journal.identity.name if journal.identity else journal.user_name[:256],
            UserTenantId=journal.identity.tenant if journal.identity else "",
        )
    for event, has_failed in _events(answered, journal):
        _write(
            answered,
            _REPOSITORY,
            event.operation.value,
            has_failed=has_failed,
            Repository=event.repository,
            Tag=event.tag[:128],
            Digest=event.digest[:160],
            MediaType=event.media_type[:255],
            ArtifactType="Blob" if event.is_blob else "",
            Size=_size(answered, event),
            Identity=event.origin.actor,
            UserTenantId=journal.identity.tenant if journal.identity else "",
            # That region has the record of the sign-in.
            SignedInElsewhere=journal.is_foreign,
        )


def _events(answered: Answered, journal: Journal) -> Iterator[tuple[Event, bool]]:
    """What a change has told of itself; of a pull, and of what was refused, what was asked for.

    With each, whether it has failed: what a change tells has happened, even if it got no further.
    """
    for event in journal.events:
        yield event, False
    asked, has_failed = journal.asked, answered.has_failed
    if asked is not None and asked.operation is Operation.PULL:
        yield _pulled(answered, asked), has_failed
    elif asked is not None and has_failed:
        yield _refused(answered, asked), True


def _pulled(answered: Answered, asked: Event) -> Event:
    """What a pull asked for, completed by what it was answered."""
    headers = answered.response.headers
    digest = headers.get("docker-content-digest", asked.digest)
    is_told = not (asked.is_blob or answered.has_failed)
    media_type = headers.get("content-type", "") if is_told else ""
    return replace(asked, digest=digest, media_type=media_type)


def _refused(answered: Answered, asked: Event) -> Event:
    """A change that was refused; of a push, with the type that its sender gave."""
    if asked.operation is not Operation.PUSH:
        return asked
    return replace(asked, media_type=answered.request.headers.get("content-type", ""))


def _size(answered: Answered, event: Event) -> int | None:
    """The size of what was pulled, where this answer has it: a redirect has not."""
    text = answered.response.headers.get("content-length", "")
    is_told = event.operation is Operation.PULL and answered.response.status_code < 300
    return int(text) if is_told and text.isdigit() else None


def _write(
    answered: Answered, category: str, operation: str, *, has_failed: bool, **columns: object
) -> None:
    request, settings = answered.request, answered.settings
    line = {
        "Category": category,
        "OperationName": operation,
        **columns,
        "CallerIpAddress": addresses.caller_address(request, settings.trusted_proxies),
        "LoginServer": addresses.login_server(request, settings.login_servers),
        "UserAgent": request.headers.get("user-agent", "")[:256],
        "ResultType": "Failed" if has_failed else "Succeeded",
        "ResultDescription": str(answered.response.status_code),
        "DurationMs": str(round(answered.duration_ms)),
        "CorrelationId": answered.correlation_id,
        "Region": settings.region,
    }
    log_lines.write(LOGGER, logging.INFO, line)
