"""Paths for the routes of a surface, made from their patterns, so that no test types them again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from registry_core.http.surface import Route, Surface

DIGEST = "sha256:" + "0" * 64
EXAMPLES = {
    "name": "team/app",
    "reference": "latest",
    "digest": DIGEST,
    "rest": "team/app/web",
    "upload": "0f0e0d0c-0000-0000-0000-000000000000",
}
"""A value for each part that a pattern can have."""
_OPTIONAL = re.compile(r"/[?*]$")


def path_of(route: Route, **params: str) -> str:
    """A path below the prefix that leads to the route; `params` in place of the examples."""
    return next(paths_of(route, EXAMPLES | params))


def paths_of(route: Route, params: Mapping[str, str]) -> Iterator[str]:
    """The path with these parts, and with a slash at the end where the route takes one."""
    pattern = _OPTIONAL.sub("", route.pattern)
    path = re.sub(r"<(\w+)>", lambda match: params[match[1]], pattern)
    yield path
    if pattern != route.pattern:
        yield f"{path}/"


def id_of(parameter: object) -> str | None:
    """The id of a test's parameter: for pytest to choose if it is no route and no surface."""
    if isinstance(parameter, Surface):
        return parameter.prefix or "page"
    return f"{parameter.method} {parameter.pattern}" if isinstance(parameter, Route) else None
