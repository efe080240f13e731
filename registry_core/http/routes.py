"""The routes: which path and method is which handler's, and which action each takes.

Paths are matched after the host decoded them and once more (SDKs send ``library%2Fapp`` and
``sha256%3A…``). A repository's name has slashes of its own, so patterns are told apart by what
follows the name.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from registry_core.errors import UnknownRoute, Unsupported
from registry_core.http import base, blobs, listings, manifests, uploads
from registry_core.http.exchange import Exchange
from registry_core.model.actions import Action

Handler = Callable[[Exchange], Awaitable[Response]]


@dataclass(frozen=True)
class Endpoint:
    """What handles a method of a route, and the action its sender must be allowed."""

    action: Action
    handler: Handler


@dataclass(frozen=True)
class Route:
    """A family of paths."""

    kind: str
    """Its name in logs."""
    pattern: re.Pattern[str]
    endpoints: Mapping[str, Endpoint]


def _route(kind: str, pattern: str, **endpoints: tuple[Action, Handler]) -> Route:
    """`pattern` has ``<name>`` for the repository and ``<other>`` for one segment."""
    expression = pattern.replace("<name>", "(?P<name>.+)")
    expression = re.sub(r"(?<!\?P)<(\w+)>", r"(?P<\1>[^/]+)", expression)
    pairs = {method: Endpoint(*endpoint) for method, endpoint in endpoints.items()}
    # A dot is any character: a name with a line break is an invalid name, not an unknown route.
    return Route(kind, re.compile(expression, re.DOTALL), pairs)


ROUTES = (
    _route("base", r"/?", GET=(Action.SIGN_IN, base.get), HEAD=(Action.SIGN_IN, base.get)),
    _route("catalog", r"/_catalog", GET=(Action.CATALOG, listings.catalog)),
    _route("tags", r"/<name>/tags/list", GET=(Action.PULL, listings.tags)),
    _route("referrers", r"/<name>/referrers/<digest>", GET=(Action.PULL, listings.referrers)),
    _route(
        "manifest",
        r"/<name>/manifests/<reference>",
        HEAD=(Action.PULL, manifests.head),
        GET=(Action.PULL, manifests.get),
        PUT=(Action.PUSH, manifests.put),
        DELETE=(Action.DELETE, manifests.delete),
    ),
    _route("upload", r"/<name>/blobs/uploads/?", POST=(Action.PUSH, uploads.post)),
    _route(
        "upload-session",
        r"/<name>/blobs/uploads/<upload>",
        GET=(Action.PUSH, uploads.get),
        PATCH=(Action.PUSH, uploads.patch),
        PUT=(Action.PUSH, uploads.put),
        DELETE=(Action.PUSH, uploads.delete),
    ),
    _route(
        "blob",
        r"/<name>/blobs/<digest>",
        HEAD=(Action.PULL, blobs.head),
        GET=(Action.PULL, blobs.get),
        DELETE=(Action.DELETE, blobs.delete),
    ),
)
"""Everything under `/v2`, the first that matches."""


def find(path: str) -> tuple[Route, dict[str, str]]:
    """The route of a path below `/v2`, and what its pattern found. Raises `UnknownRoute`."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match:
            return route, match.groupdict()
    raise UnknownRoute


def endpoint(route: Route, method: str) -> Endpoint:
    """What handles `method` there. Raises `Unsupported`, naming the methods that are handled."""
    found = route.endpoints.get(method)
    if found is None:
        allowed = ", ".join(sorted(route.endpoints))
        raise Unsupported(f"{method} is not supported here", headers={"Allow": allowed})
    return found
