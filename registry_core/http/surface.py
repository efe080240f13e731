"""A surface: the paths below one prefix, and the table of its routes.

Everything that can be decided before a handler runs is in the table, and the edge decides it:
which methods a path has, who may use them, whether a setting switches them off, what is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from starlette.responses import Response

from registry_core.errors import UnknownRoute, Unsupported
from registry_core.http import cors
from registry_core.http.context import Context
from registry_core.http.query import Query, Reading
from registry_core.model.actions import Action
from registry_core.model.change import Operation
from registry_core.model.names import RepositoryName
from registry_core.model.requests import RequestKind
from registry_core.settings import Settings

Handler = Callable[[Context], Awaitable[Response]]

_SCOPES = {
    Action.PUSH: (Action.PULL, Action.PUSH),
    Action.DELETED_RESTORE: (Action.DELETED_READ, Action.DELETED_RESTORE),
}
"""What a challenge asks for where that is more than the action: who pushes also pulls."""
_COUNTS_AS = {
    "GET": (RequestKind.READ,),
    "HEAD": (RequestKind.READ,),
    "POST": (RequestKind.WRITE,),
    "PATCH": (RequestKind.WRITE,),
    "PUT": (RequestKind.WRITE,),
    "DELETE": (RequestKind.DELETE,),
}
"""What requests count as by their method, where a route says nothing else."""


@dataclass(frozen=True)
class Route:
    """One method of one family of paths."""

    method: str
    pattern: str
    """The path below the prefix: ``<name>`` is the repository, ``<other>`` one segment.

    ``<rest>`` is all that follows. Anything else in it is a regular expression.
    """
    kind: str
    """The name of the family in logs."""
    action: Action | None
    """What the sender must be allowed to do; None: it is open to all."""
    handler: Handler
    audit: Operation | None = None
    """What the audit log says was asked for.

    It is recorded if it changes nothing (`PULL`) or was refused. What has changed is told by the
    change's own events.
    """
    mounts_from: Callable[[Query], RepositoryName | None] | None = None
    """Finds another repository in the query, which the challenge asks to pull from as well."""
    is_sign_in: bool = False
    """Whether it is recorded as a sign-in."""
    counts: tuple[RequestKind, ...] = ()
    """What a request counts as, where its method does not say it."""
    needs_storage: bool = True
    """Whether storage is opened first. If not, no rate limit counts it: they share out storage."""

    @property
    def counts_as(self) -> tuple[RequestKind, ...]:
        """The kinds of requests whose rate limits it is held to."""
        if not self.needs_storage:
            return ()
        return self.counts or _COUNTS_AS[self.method]

    @property
    def scope(self) -> tuple[Action, ...]:
        """The actions that its challenge asks a token for."""
        if self.action is None:
            return ()
        return _SCOPES.get(self.action, (self.action,))

    def check_enabled(self, settings: Settings) -> None:
        """Raises `Unsupported` if the settings switch it off for everybody."""
        if self.action is Action.DELETE and not settings.delete_enabled:
            raise Unsupported("deletion is switched off (REGISTRY_DELETE_ENABLED)")


@dataclass(slots=True)
class Found:
    """What a path leads to: routes by method, and what their pattern found."""

    routes: Mapping[str, Route]
    params: dict[str, str]

    @property
    def kind(self) -> str:
        """The family's name in logs."""
        return next(iter(self.routes.values())).kind

    def route(self, method: str) -> Route:
        """The route of `method`. Raises `Unsupported`, naming the methods that there are."""
        found = self.routes.get(method)
        if found is None:
            allowed = ", ".join(sorted(self.routes))
            raise Unsupported(f"{method} is not supported here", headers={"Allow": allowed})
        return found


@dataclass(frozen=True)
class Surface:
    """The paths below `prefix`."""

    prefix: str
    routes: tuple[Route, ...]
    """The first pattern that matches a path has it."""
    is_private: bool
    """Whether everybody signs in first, so that nothing can be told apart without.

    Otherwise its routes are open to all, and unknown paths are told to all.
    """
    kind: str = "unknown"
    """The kind in logs of a path that no route has."""
    query: Reading = Query
    """How its clients write queries."""
    for_pages: str = cors.READING
    """The methods that pages of other origins may use."""
    name: str = ".+"
    """The regular expression of what stands for ``<name>`` in patterns."""

    def find(self, path: str) -> Found:
        """What a path below the prefix leads to. Raises `UnknownRoute`.

        A repository's name has slashes of its own, so patterns are told apart by what follows it.
        """
        for word, expression, routes in self._families:
            match = word in path and expression.fullmatch(path)
            if match:
                return Found(routes, match.groupdict())
        raise UnknownRoute

    @cached_property
    def _families(self) -> tuple[_Family, ...]:
        return tuple(_grouped(self.routes, self.name))


_Family = tuple[str, re.Pattern[str], Mapping[str, Route]]
"""The word after a name, to pass over what cannot match; the pattern; the routes by method."""


def _grouped(routes: tuple[Route, ...], name: str) -> Iterator[_Family]:
    for pattern in dict.fromkeys(route.pattern for route in routes):
        family = {route.method: route for route in routes if route.pattern == pattern}
        expression = pattern.replace("<name>", f"(?P<name>{name})")
        expression = expression.replace("<rest>", "(?P<rest>.*)")
        expression = re.sub(r"(?<!\?P)<(\w+)>", r"(?P<\1>[^/]+)", expression)
        # A dot is any character: a name with a line break is an invalid name, not an unknown route.
        word = re.match("/<name>(/[a-z]+)/", pattern)
        yield word[1] if word else "", re.compile(expression, re.DOTALL), family
