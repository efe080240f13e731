"""Scopes of access tokens: `repository:team/app:pull,push` (distribution, "Token Scope")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from registry_core.errors import NameInvalid, ScopeInvalid
from registry_core.model.actions import REGISTRY_ACTIONS, REPOSITORY_ACTIONS, Action
from registry_core.model.names import RepositoryName

MAX_SCOPES = 100
"""The most scopes of one token request; more are refused."""
MAX_LENGTH = 32 * 1024
"""The most characters that they may have together."""
_REMEMBERED = 256
"""Up to so many characters of a scope are remembered with it."""
_ACTION = re.compile(r"[a-z_]+|\*")
_TYPE = re.compile(r"[a-z-]+(?:\([a-z-]+\))?")


@dataclass(frozen=True)
class Scope:
    """What a client asks for, or is given: actions on one repository, or on the registry."""

    type: str
    name: str
    actions: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Scope:
        """The scope that `text` spells; what it names need not exist. Raises `ScopeInvalid`."""
        return _known(text) if len(text) <= _REMEMBERED else cls._parse(text)

    @classmethod
    def _parse(cls, text: str) -> Scope:
        kind, _, rest = text.partition(":")
        name, colon, actions = rest.rpartition(":")
        parts = tuple(dict.fromkeys(actions.split(",")))
        if not colon or not name or not _TYPE.fullmatch(kind):
            raise ScopeInvalid(detail=text[:200])
        if not all(_ACTION.fullmatch(part) for part in parts):
            raise ScopeInvalid(detail=text[:200])
        return cls(kind, name, parts)

    @cached_property
    def repository(self) -> RepositoryName | None:
        """The repository that it names, if it is of one."""
        if self.type != "repository":
            return None
        try:
            return RepositoryName.parse(self.name)
        except NameInvalid:
            return None

    @cached_property
    def wanted(self) -> frozenset[Action]:
        """The actions asked for, `*` being all; those that are not known are left out."""
        if self.type == "registry":
            asked = {action for action in REGISTRY_ACTIONS if action == self.name}
            return frozenset(asked) if "*" in self.actions else frozenset()
        if "*" in self.actions:
            return REPOSITORY_ACTIONS
        return frozenset(action for action in REPOSITORY_ACTIONS if action in self.actions)

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


@lru_cache(maxsize=256)  # A client asks for the same again and again.
def _known(text: str) -> Scope:
    return Scope._parse(text)  # noqa: SLF001 - it is of this class


def parse_scopes(texts: Iterable[str]) -> list[Scope]:
    """The scopes in `scope` parameters: repeated, separated by spaces, or both; each once.

    Raises `ScopeInvalid` for one that is none, and for more than `MAX_SCOPES`.
    """
    return list(dict.fromkeys(map(Scope.parse, _split(texts))))


def _split(texts: Iterable[str]) -> Iterator[str]:
    length = count = 0
    for text in texts:
        length += len(text)
        for part in text.split():
            count += 1
            if count > MAX_SCOPES or length > MAX_LENGTH:
                raise ScopeInvalid(f"at most {MAX_SCOPES} scopes are allowed in one request")
            yield part
