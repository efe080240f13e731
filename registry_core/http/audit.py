"""Audit records: every sign-in, push, pull, deletion and lock, one structured line each.

Their columns have the names of ACR's tables `ContainerRegistryLoginEvents` and
`ContainerRegistryRepositoryEvents`, so that queries written for those work on these. Secrets,
addresses of uploads and signed addresses never get here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from registry_core.http import log_lines
from registry_core.http.answered import Answered
from registry_core.model import audit
from registry_core.model.change import Event, Operation

LOGGER = logging.getLogger("slipway.audit")

_LOGIN = "ContainerRegistryLoginEvents"


def write(answered: Answered) -> bool:
    """Writes the records of a request: of its sign-in, and of what it did to a repository.

    Answers whether there were any. A sign-in that succeeds has no record of its own where another
    record of the request can tell it. The first of them has the request's figures.
    """
    lines = list(_lines(answered))
    for number, line in enumerate(lines):
        is_first = number == 0
        whole = {**line, **answered.figures()} if is_first else line
        level = answered.level if is_first else logging.INFO
        log_lines.write(LOGGER, level, whole, answered if is_first else None)
    return bool(lines)


def _lines(answered: Answered) -> Iterator[dict[str, object]]:
    journal = answered.journal
    events = _events(answered)
    sign_in = {}
    if journal.user_name is not None:
        if answered.has_failed and not journal.is_proven:
            # It is for this alone that whatever was asked for is refused.
            yield _login(answered, has_failed=True)
            return
        if not events:
            yield _login(answered, has_failed=False)
            return
        sign_in = {"SignIn": "Succeeded"}
    for event, has_failed in events:
        yield {
            **_about(answered, event),
            "UserTenantId": journal.identity.tenant if journal.identity else "",
            # That region has the record of the sign-in.
            "SignedInElsewhere": journal.is_foreign,
            **sign_in,
            **answered.outcome(has_failed=has_failed),
        }
        sign_in = {}


def _login(answered: Answered, *, has_failed: bool) -> dict[str, object]:
    journal = answered.journal
    name = journal.identity.name if journal.identity else (journal.user_name or "")[:256]
    return {
        "Category": _LOGIN,
        "OperationName": "Login",
        **answered.route(),
        "Repository": journal.repository,
        "Identity": name,
        "UserTenantId": journal.identity.tenant if journal.identity else "",
        **answered.outcome(has_failed=has_failed),
    }


def _events(answered: Answered) -> list[tuple[Event, bool]]:
    """What a change has told of itself; of a pull, and of what was refused, what was asked for.

    With each, whether it has failed: what a change tells has happened, even if it got no further.
    """
    found = [(event, False) for event in answered.journal.events]
    asked, has_failed = answered.journal.asked, answered.has_failed
    if asked is not None and (has_failed or asked.operation is Operation.PULL):
        found.append((asked, has_failed))
    return found


def _about(answered: Answered, event: Event) -> dict[str, object]:
    """The columns that tell what it was about.

    What a pull asked for is completed by what it was answered, and a push that was refused by the
    type that its sender gave. The size of what was pulled is known where the answer has it: a
    redirect has not.
    """
    digest, media_type, size = event.digest, event.media_type, ""
    if event.operation is Operation.PULL:
        digest = answered.header(b"docker-content-digest") or digest
        if not (event.is_blob or answered.has_failed):
            media_type = answered.header(b"content-type")
        if answered.status < 300:
            size = answered.header(b"content-length")
    elif event is answered.journal.asked and event.operation is Operation.PUSH:
        media_type = answered.request.headers.get("content-type", "")
    return {
        **audit.columns(event, digest=digest, media_type=media_type),
        "Size": int(size) if size.isdigit() else 0,
    }
