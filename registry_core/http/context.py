"""What a handler is given: the request, who sent it, what it names, and the services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request

from registry_core.auth.identity import Caller
from registry_core.auth.policy import is_allowed
from registry_core.http.journal import Journal
from registry_core.http.query import Query
from registry_core.model.actions import Action
from registry_core.model.change import Event, Origin
from registry_core.model.names import RepositoryName
from registry_core.settings import Settings

if TYPE_CHECKING:
    from registry_core.registry import Services


@dataclass(slots=True)  # Frozen would take four times as long to make.
class Context:
    """One request on its way through a handler. Nobody changes it."""

    request: Request
    settings: Settings
    opened: Services | None
    """The services; None on routes that need no storage."""
    caller: Caller
    """Who sent it. Where a surface lets a handler find that out, nobody yet."""
    query: Query
    params: Mapping[str, str]
    """What the route's pattern found, the repository aside."""
    name: RepositoryName | None
    """The repository that the path names, if it names one."""
    scope: tuple[Action, ...]
    """The actions that the route's challenge asks a token for."""
    origin: Origin
    """By whom, and by which request, a change is wanted."""
    journal: Journal

    @property
    def services(self) -> Services:
        """What works on storage; only on routes that need it."""
        if self.opened is None:
            raise LookupError("the route needs no storage")
        return self.opened

    @property
    def repository(self) -> RepositoryName:
        """The repository that the path names; only on routes that name one."""
        if self.name is None:
            raise LookupError("the route names no repository")
        return self.name

    def could(self, action: Action, repository: RepositoryName) -> bool:
        """Whether the sender could get a token that allows it."""
        return action in self.caller.could.on(repository)

    def may(self, action: Action, repository: RepositoryName) -> bool:
        """Whether the sender may do `action` on `repository`."""
        return is_allowed(self.caller, action, repository)

    def record(self, events: Iterable[Event]) -> None:
        """Takes what a change has told to the audit log."""
        self.journal.events.extend(events)
