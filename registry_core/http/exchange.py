"""What a handler is given: the request, who sent it, what it names, and the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import Request

from registry_core.auth.identity import Caller
from registry_core.auth.policy import decide
from registry_core.errors import RequestInvalid
from registry_core.model.actions import Action
from registry_core.model.names import RepositoryName

if TYPE_CHECKING:
    from registry_core.registry import Registry

_MAX_QUERY_FIELDS = 2000


class Query:
    """The query's parameters, from the raw query: hosts fold repeated ones.

    A `+` is itself (RFC 3986, 3.4), as media types have it. Only in what a form makes is it a
    space, see `of_form`. Raises `RequestInvalid`.
    """

    @classmethod
    def of_form(cls, raw: str) -> Query:
        """The fields of a form, or of a query that OAuth's clients write like one (RFC 6749, B)."""
        return cls(raw.replace("+", "%20"))

    def __init__(self, raw: str) -> None:
        raw = raw.replace("+", "%2B")
        try:
            self._pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
        except ValueError as error:
            raise RequestInvalid("the query has too many parameters") from error

    def get(self, name: str) -> str | None:
        """The first value of a parameter; None if it is not there."""
        return next((value for key, value in self._pairs if key == name), None)

    def all(self, name: str) -> Sequence[str]:
        """Every value of a parameter, in order."""
        return [value for key, value in self._pairs if key == name]


@dataclass(frozen=True)
class Exchange:
    """One request on its way through a handler."""

    request: Request
    registry: Registry
    caller: Caller
    query: Query
    params: Mapping[str, str]
    """What the route's pattern found, the repository aside."""
    name: RepositoryName | None = None

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
        return decide(self.caller, action, repository).allowed
