"""What can be done to a registry, in the words of ACR's scopes."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What an endpoint does, and what somebody can be allowed to do."""

    SIGN_IN = "sign_in"
    """Nothing but to prove who one is: `GET /v2/`."""
    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    METADATA_READ = "metadata_read"
    METADATA_WRITE = "metadata_write"
    CATALOG = "catalog"
    """To list the repositories: the one that is not of a repository."""


REPOSITORY_ACTIONS = frozenset(
    {Action.PULL, Action.PUSH, Action.DELETE, Action.METADATA_READ, Action.METADATA_WRITE}
)
