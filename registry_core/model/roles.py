"""Roles and scope maps: the named sets of permissions of Azure Container Registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_core.errors import NameInvalid
from registry_core.model.actions import REPOSITORY_ACTIONS, Action
from registry_core.model.grants import EVERYWHERE, Grants
from registry_core.model.names import RepositoryPattern

ROLES: dict[str, frozenset[Action]] = {
    "AcrPull": frozenset({Action.PULL, Action.METADATA_READ}),
    "AcrPush": frozenset({Action.PULL, Action.PUSH, Action.METADATA_READ, Action.METADATA_WRITE}),
    "AcrDelete": frozenset({Action.DELETE, Action.METADATA_READ}),
    "Owner": REPOSITORY_ACTIONS,
}
"""What each role allows. One that is assigned for all repositories may list them, too."""

SCOPE_MAP_ACTIONS = {
    "content/read": Action.PULL,
    "content/write": Action.PUSH,
    "content/delete": Action.DELETE,
    "metadata/read": Action.METADATA_READ,
    "metadata/write": Action.METADATA_WRITE,
}
"""The actions of a scope map, as in `repositories/team/app/content/read`."""


class ScopeMapError(ValueError):
    """An action of a scope map is none; the text says what one looks like."""


@dataclass(frozen=True)
class ScopeMap:
    """A named list of actions, which repository-scoped tokens are made with."""

    name: str
    actions: tuple[str, ...]
    description: str = ""

    @property
    def grants(self) -> Grants:
        """What it allows; never the catalogue."""
        return Grants.of((pattern, [action]) for pattern, action in map(parse_action, self.actions))


def parse_action(text: str) -> tuple[RepositoryPattern, Action]:
    """The permission that `repositories/<repository>/<action>` spells. Raises `ScopeMapError`."""
    prefix, _, rest = text.partition("/")
    head, _, last = rest.rpartition("/")
    name, _, first = head.rpartition("/")
    action = SCOPE_MAP_ACTIONS.get(f"{first}/{last}")
    if prefix == "repositories" and action and name:
        try:
            return RepositoryPattern.parse(name), action
        except NameInvalid as error:
            raise ScopeMapError(
                f"{name[:300]!r} is not a repository: use a name such as team/web, a prefix like "
                "team/*, or * for all repositories"
            ) from error
    raise ScopeMapError(
        f"{text[:300]!r} is not an action of a scope map: use repositories/<repository>/<action>, "
        f"where <action> is one of {', '.join(SCOPE_MAP_ACTIONS)}"
    )


def _system(name: str, description: str, actions: Iterable[str]) -> ScopeMap:
    return ScopeMap(name, tuple(f"repositories/*/{action}" for action in actions), description)


SYSTEM_SCOPE_MAPS = {
    scope_map.name: scope_map
    for scope_map in (
        _system(
            "_repositories_admin",
            "Can perform all read, write and delete operations on the registry",
            SCOPE_MAP_ACTIONS,
        ),
        _system("_repositories_pull", "Can pull any repository of the registry", ["content/read"]),
        _system(
            "_repositories_pull_metadata_read",
            "Can pull any repository and read metadata of the registry",
            ["content/read", "metadata/read"],
        ),
        _system(
            "_repositories_push",
            "Can push to any repository of the registry",
            ["content/read", "content/write"],
        ),
        _system(
            "_repositories_push_metadata_write",
            "Can push to any repository and write metadata of the registry",
            ["metadata/read", "metadata/write", "content/read", "content/write"],
        ),
    )
}
"""ACR's own; they exist in every registry and cannot be changed."""


def role_grants(role: str, pattern: RepositoryPattern) -> Grants:
    """What a role allows on the repositories of `pattern`. An unknown role allows nothing."""
    actions = ROLES.get(role)
    return Grants.of([(pattern, actions)], catalog=pattern == EVERYWHERE) if actions else Grants()
