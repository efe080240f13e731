"""Who may do what: the one place that decides it, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from registry_core.auth.identity import Identity, IdentityKind
from registry_core.model.names import RepositoryName


class Action(StrEnum):
    """What an endpoint does, in the words of ACR's scopes."""

    SIGN_IN = "sign_in"
    """Nothing but to prove who one is: `GET /v2/`."""
    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    CATALOG = "catalog"


@dataclass(frozen=True)
class Decision:
    """Yes or no, and why."""

    allowed: bool
    reason: str


_UNBOUND = frozenset({IdentityKind.ADMIN})
"""Kinds that may do everything."""


def decide(identity: Identity, action: Action, repository: RepositoryName | None) -> Decision:
    """Whether `identity` may do `action` on `repository` (None: on the registry)."""
    if identity.kind in _UNBOUND:
        return Decision(True, "the admin account may do everything")
    return Decision(False, f"{identity.name} has no grant for {action} on {repository}")
