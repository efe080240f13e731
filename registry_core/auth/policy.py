"""Who may do what: the one place that decides it, without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from registry_core.auth.identity import Caller
from registry_core.model.actions import REGISTRY_ACTIONS, Action
from registry_core.model.grants import Grants
from registry_core.model.names import RepositoryName
from registry_core.model.scope import MAX_SCOPES, Scope


def is_allowed(caller: Caller, action: Action, repository: RepositoryName | None) -> bool:
    """Whether `caller` may do `action` on `repository` (None: on the registry).

    Whether the repository exists plays no part. Signing in takes nothing away of what anybody may.
    """
    if action is Action.SIGN_IN:
        # Not without a token: clients that are let in here sign in nowhere else either.
        return caller.is_known
    if action in REGISTRY_ACTIONS:
        return action in caller.grants.on_registry() | caller.anybody.on_registry()
    return repository is not None and (
        caller.grants.allow(action, repository) or caller.anybody.allow(action, repository)
    )


def granted(grants: Grants, scopes: Sequence[Scope]) -> list[Scope]:
    """Of what `scopes` ask for what `grants` allow, one entry for each that is not empty.

    Who asks for all repositories is given those that they may do something of it to, by name or
    by pattern: so a token tells its owner what it is for.
    """
    found: list[Scope] = []
    for scope in scopes:
        if scope.type == "repository" and scope.name == "*":
            found += _everywhere(grants, scope)
        elif allowed := _allowed(grants, scope):
            # As it was asked, since clients look for the words that they have used.
            actions = ("*",) if scope.type == "registry" else tuple(sorted(allowed))
            found.append(Scope(scope.type, scope.name, actions))
    return found


def _allowed(grants: Grants, scope: Scope) -> frozenset[Action]:
    if scope.type == "registry":
        return scope.wanted & grants.on_registry()
    repository = scope.repository
    return scope.wanted & grants.on(repository) if repository else frozenset()


def _everywhere(grants: Grants, scope: Scope) -> Iterator[Scope]:
    """What is allowed on all repositories, then what is allowed besides on some."""
    on_all = scope.wanted & grants.on_all()
    if on_all:
        yield Scope(scope.type, scope.name, tuple(sorted(on_all)))
    some = sorted(
        (str(pattern), scope.wanted & actions)
        for pattern, actions in grants.repositories.items()
        if scope.wanted & actions - on_all
    )
    for name, actions in some[:MAX_SCOPES]:  # More would not fit a header.
        yield Scope(scope.type, name, tuple(sorted(actions)))
