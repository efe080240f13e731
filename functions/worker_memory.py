"""Makes the Functions Python worker forget requests that are over; it never does by itself.

With HTTP streaming on, the worker keeps an object of about 2 KB for every request it has served:
`HttpCoordinator._context_references`, from the invocation id to the events by which the forwarded
request and the invocation find each other. Nothing is ever removed, so a busy instance grows until
it is killed. Seen in azure-functions-runtime 1.3.0, the engine from Python 3.13 on, and in the
worker 4.34.0 for those before.

An object is needed until the worker has picked the function's answer up, which it does in the next
rounds of the event loop after the function returned; sending the answer does not need it. So only
ids of functions that have returned are recorded here, and each is forgotten when `KEPT` more have
returned. All of this is private to the worker: where there is no such thing, as in devhost, or it
looks different, nothing is done.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

from starlette.requests import Request

KEPT = 2000
"""Far more than an instance serves at once, in about 4 MB."""

# From Python 3.13 on, and before.
_WORKER_MODULES = ("azure_functions_runtime.http_v2", "azure_functions_worker.http_v2")

_returned: deque[str] = deque()


class forgetting:  # noqa: N801 - reads as the function that it stands for
    """Surrounds all that a function does for `request`: in time, the worker forgets it."""

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        self._request = request

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        references = _context_references()
        if references is None:
            return
        invocation_id = self._request.headers.get("x-ms-invocation-id")
        if invocation_id:
            _returned.append(invocation_id)
            if len(_returned) > KEPT:
                references.pop(_returned.popleft(), None)


def _context_references() -> dict[str, Any] | None:
    """What the worker keeps, by invocation id; None where this is not the worker we know."""
    for name in _WORKER_MODULES:
        coordinator = getattr(sys.modules.get(name), "http_coordinator", None)
        references = getattr(coordinator, "_context_references", None)
        if isinstance(references, dict):
            return references
    return None
