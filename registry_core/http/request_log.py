"""The lines of requests that leave no audit record: of those that failed or took much, or of all.

A success that nobody has to answer for has no line: the host's own record of the request tells its
path, status and time. `REGISTRY_REQUEST_LOG` chooses. A line holds no secret, and the kind of the
route in place of the path, which can carry an upload's state.
"""

from __future__ import annotations

import logging

from registry_core.http import log_lines
from registry_core.http.answered import Answered
from registry_core.settings import RequestLog

LOGGER = logging.getLogger("slipway.requests")
CATEGORY = "Requests"
MANY_CALLS = 40
"""So many storage calls are worth a line: a push of an image of many layers takes fewer."""
_QUESTIONS = ("GET", "HEAD")


def write(answered: Answered) -> None:
    """Writes the request's line, if it is due."""
    if _is_due(answered):
        journal = answered.journal
        line = {
            "Category": CATEGORY,
            **answered.route(),
            "Repository": journal.repository,
            "Identity": journal.identity.name if journal.identity else "",
            **answered.outcome(has_failed=answered.has_failed),
            **answered.figures(),
        }
        log_lines.write(LOGGER, answered.level, line, answered)


def _is_due(answered: Answered) -> bool:
    settings = answered.settings.request_log
    if settings.requests is not RequestLog.FAILED:
        return settings.requests is RequestLog.ALL
    return (
        is_failure(answered)
        or answered.duration_ms >= settings.slow.total_seconds() * 1000
        or answered.trace.count >= MANY_CALLS
    )


def is_failure(answered: Answered) -> bool:
    """Whether somebody may want to know of it.

    Not of what every client meets: it is asked to sign in, and whoever pushes asks for what is not
    there yet.
    """
    status, request = answered.status, answered.request
    if status == 401:
        return "authorization" in request.headers
    return status >= 400 and not (status == 404 and request.method in _QUESTIONS)
