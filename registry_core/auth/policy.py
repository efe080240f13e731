"""Who may do what: the one place that decides it, without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry_core.auth.identity import Caller
from registry_core.model.actions import Action
from registry_core.model.grants import Grants
from registry_core.model.names import RepositoryName
from registry_core.model.scope import Scope


@dataclass(frozen=True)
class Decision:
    """Yes or no, and why."""

    allowed: bool
    reason: str


def decide(caller: Caller, action: Action, repository: RepositoryName | None) -> Decision:
    """Whether `caller` may do `action` on `repository` (None: on the registry).

    Whether the repository exists plays no part.
    """
    who = caller.identity.name
    if action is Action.SIGN_IN:
        # Not without a token: clients that are let in here sign in nowhere else either.
        known = caller.is_known
        return Decision(known, f"{who} is signed in" if known else "nobody is signed in")
    # Signing in takes nothing away of what anybody may.
    if action is Action.CATALOG:
        allowed = caller.grants.catalog or caller.anybody.catalog
    else:
        allowed = repository is not None and (
            action in caller.grants.on(repository) or action in caller.anybody.on(repository)
        )
    where = repository or "the registry"
    return Decision(allowed, f"{who} {'may' if allowed else 'may not'} {action} on {where}")


def granted(grants: Grants, scopes: Sequence[Scope]) -> list[Scope]:
    """Of what `scopes` ask for what `grants` allow, one entry for each that is not empty."""
    found = []
    for scope in scopes:
        allowed = _allowed(grants, scope)
        if not allowed:
            continue
        # As it was asked, since clients look for the words that they have used.
        actions = ("*",) if scope.type == "registry" else tuple(sorted(allowed))
        found.append(Scope(scope.type, scope.name, actions))
    return found


def _allowed(grants: Grants, scope: Scope) -> frozenset[Action]:
    if scope.type == "registry":
        return scope.wanted if grants.catalog else frozenset()
    if scope.type == "repository" and scope.name == "*":
        return scope.wanted & grants.on_all()
    repository = scope.repository
    return scope.wanted & grants.on(repository) if repository else frozenset()
