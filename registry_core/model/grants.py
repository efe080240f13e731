"""What somebody is allowed to do: actions on repositories by pattern. Grants only add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from registry_core.model.actions import REPOSITORY_ACTIONS, Action
from registry_core.model.names import RepositoryName, RepositoryPattern

EVERYWHERE = RepositoryPattern("*")


@dataclass(frozen=True)
class Grants:
    """Actions by the pattern of the repositories that they are allowed on."""

    repositories: Mapping[RepositoryPattern, frozenset[Action]] = field(default_factory=dict)
    catalog: bool = False
    deleted_catalog: bool = False
    """Of an access token. Whoever may list what was deleted everywhere may do it without that."""

    @classmethod
    def of(
        cls,
        pairs: Iterable[tuple[RepositoryPattern, Iterable[Action]]],
        *,
        catalog: bool = False,
        deleted_catalog: bool = False,
    ) -> Grants:
        """What all `pairs` allow together."""
        found: dict[RepositoryPattern, frozenset[Action]] = {}
        for pattern, actions in pairs:
            found[pattern] = found.get(pattern, frozenset()).union(actions)
        return cls(found, catalog, deleted_catalog)

    @classmethod
    def join(cls, every: Iterable[Grants]) -> Grants:
        """What all of them allow together."""
        grants = list(every)
        pairs = [pair for each in grants for pair in each.repositories.items()]
        return cls.of(
            pairs,
            catalog=any(each.catalog for each in grants),
            deleted_catalog=any(each.deleted_catalog for each in grants),
        )

    def on(self, repository: RepositoryName) -> frozenset[Action]:
        """What may be done to a repository, whether it exists or not."""
        matching = (
            actions for pattern, actions in self.repositories.items() if pattern.matches(repository)
        )
        return frozenset().union(*matching)

    def allow(self, action: Action, repository: RepositoryName) -> bool:
        """Whether `action` may be done to a repository."""
        for pattern, actions in self.repositories.items():
            if action in actions and pattern.matches(repository):
                return True
        return False

    def on_registry(self) -> frozenset[Action]:
        """What may be done to the registry itself."""
        lists_deleted = self.deleted_catalog or Action.DELETED_READ in self.on_all()
        allowed = {Action.CATALOG: self.catalog, Action.DELETED_CATALOG: lists_deleted}
        return frozenset(action for action, is_allowed in allowed.items() if is_allowed)

    def on_all(self) -> frozenset[Action]:
        """What may be done to every repository."""
        return self.repositories.get(EVERYWHERE, frozenset())


NONE = Grants()
ALL = Grants.of([(EVERYWHERE, REPOSITORY_ACTIONS)], catalog=True)
