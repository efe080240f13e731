"""Audit records: every sign-in, push, pull and deletion, one structured line each.

Their columns have the names of ACR's tables `ContainerRegistryLoginEvents` and
`ContainerRegistryRepositoryEvents`, so that queries written for those work on these. Secrets,
addresses of uploads and signed addresses never get here.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from registry_core.auth.identity import Identity
from registry_core.http import addresses
from registry_core.settings import Settings

LOGGER = logging.getLogger("slipway.audit")

_LOGIN, _REPOSITORY = "ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"
_OPERATIONS = {
    ("manifest", "GET"): "Pull",
    ("blob", "GET"): "Pull",
    ("manifest", "PUT"): "Push",
    ("manifest", "DELETE"): "Delete",
    ("blob", "DELETE"): "Delete",
}
_COMMITS = {("upload", "POST"), ("upload-session", "PUT")}


@dataclass(frozen=True)
class Facts:
    """What a record tells of a request and its answer."""

    settings: Settings
    request: Request
    response: Response
    correlation_id: str
    duration_ms: float


def login(facts: Facts, name: str, identity: Identity | None) -> None:
    """Records a sign-in: by whom it was tried, and whether it was let in."""
    _write(
        facts,
        _LOGIN,
        "Login",
        Identity=identity.name if identity else name[:256],
        UserTenantId=identity.tenant if identity else "",
    )


def repository(
    facts: Facts,
    kind: str,
    name: str,
    reference: str,
    identity: Identity | None,
    *,
    is_foreign: bool = False,
) -> None:
    """Records a push, a pull or a deletion; nothing for other requests.

    `is_foreign` says that another region signed the token: it has the record of the sign-in.
    """
    method, headers = facts.request.method, facts.response.headers
    operation = _OPERATIONS.get((kind, method), "")
    if (kind, method) in _COMMITS and facts.response.status_code == 201:
        operation = "Push"
    if not operation or not name:
        return
    tag = reference if kind == "manifest" and ":" not in reference else ""
    if operation == "Delete" and tag:
        operation = "Untag"
    given = reference if ":" in reference else ""
    media_type = headers.get("content-type", "") if kind == "manifest" else ""
    if method == "PUT" and kind == "manifest":
        media_type = facts.request.headers.get("content-type", "")
    size = headers.get("content-length", "") if operation == "Pull" else ""
    _write(
        facts,
        _REPOSITORY,
        operation,
        Repository=name,
        Tag=tag[:128],
        Digest=headers.get("docker-content-digest", given)[:160],
        MediaType=media_type[:255],
        ArtifactType="Blob" if kind != "manifest" else "",
        Size=int(size) if size.isdigit() and facts.response.status_code < 300 else None,
        Identity=identity.name if identity else "",
        UserTenantId=identity.tenant if identity else "",
        SignedInElsewhere=is_foreign,
    )


def _write(facts: Facts, category: str, operation: str, **columns: object) -> None:
    status = facts.response.status_code
    line = {
        "Category": category,
        "OperationName": operation,
        **columns,
        "CallerIpAddress": addresses.caller_address(facts.request, facts.settings.trusted_proxies),
        "LoginServer": addresses.login_server(facts.request, facts.settings.login_servers),
        "UserAgent": facts.request.headers.get("user-agent", "")[:256],
        "ResultType": "Succeeded" if status < 400 else "Failed",
        "ResultDescription": str(status),
        "DurationMs": str(round(facts.duration_ms)),
        "CorrelationId": facts.correlation_id,
        "Region": facts.settings.region,
    }
    LOGGER.info(json.dumps(line))
