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

    @classmethod
    def of(
        cls, pairs: Iterable[tuple[RepositoryPattern, Iterable[Action]]], *, catalog: bool = False
    ) -> Grants:
        """What all `pairs` allow together."""
        found: dict[RepositoryPattern, frozenset[Action]] = {}
        for pattern, actions in pairs:
            found[pattern] = found.get(pattern, frozenset()).union(actions)
        return cls(found, catalog)

    @classmethod
    def join(cls, every: Iterable[Grants]) -> Grants:
        """What all of them allow together."""
        grants = list(every)
        pairs = [pair for each in grants for pair in each.repositories.items()]
        return cls.of(pairs, catalog=any(each.catalog for each in grants))

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

    def on_all(self) -> frozenset[Action]:
        """What may be done to every repository."""
        return self.repositories.get(EVERYWHERE, frozenset())


NONE = Grants()
ALL = Grants.of([(EVERYWHERE, REPOSITORY_ACTIONS)], catalog=True)
