"""Cross-origin reads: what pages of the configured origins may ask of the registry in a browser.

See Fetch, "CORS protocol". Off unless `REGISTRY_CORS_ORIGINS` names origins. A page brings its own
token in `Authorization`: nothing here makes a browser send credentials that it keeps.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

READING = "GET, HEAD"
"""The methods that a page may use on repositories: none that changes one."""
SIGNING_IN = "GET, HEAD, POST"
"""And those by which it gets a token."""
_HEADERS = "Accept, Authorization, Content-Type, If-None-Match, Range, X-Ms-Correlation-Request-Id"
_EXPOSED = (
    "Accept-Ranges, Allow, Content-Length, Content-Range, Docker-Content-Digest, "
    "Docker-Distribution-Api-Version, ETag, Link, OCI-Filters-Applied, Retry-After, "
    "WWW-Authenticate, X-Ms-Correlation-Request-Id"
)
_PREFLIGHT_SECONDS = 3600


def preflight(request: Request, origins: Sequence[str], methods: str) -> Response | None:
    """The answer to a browser that asks before it asks; None for any other request.

    Without sign-in: a browser brings none, and nothing is told but what is told to all.
    """
    if request.method != "OPTIONS" or "access-control-request-method" not in request.headers:
        return None
    if _origin(request, origins) is None:
        return None
    headers = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }
    return Response(status_code=204, headers=headers)


def allow(response: Response, request: Request, origins: Sequence[str]) -> None:
    """Lets a page of one of the origins read the answer, whatever it is."""
    if not origins:
        return
    # For caches: without this header the answer to one origin would be given to another.
    response.headers.add_vary_header("Origin")
    origin = _origin(request, origins)
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED


def _origin(request: Request, origins: Sequence[str]) -> str | None:
    """The request's origin, as the settings spell it, if it is one of theirs."""
    asked = request.headers.get("origin", "").lower()
    return next((origin for origin in origins if origin == asked), None)
