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
    """To list the repositories: not of one repository."""
    DELETED_READ = "deleted_read"
    """To list what was deleted and can be restored."""
    DELETED_RESTORE = "deleted_restore"
    DELETED_CATALOG = "deleted_catalog"
    """To list the repositories in which something can be restored: not of one repository."""


REPOSITORY_ACTIONS = frozenset(
    {
        Action.PULL,
        Action.PUSH,
        Action.DELETE,
        Action.METADATA_READ,
        Action.METADATA_WRITE,
        Action.DELETED_READ,
        Action.DELETED_RESTORE,
    }
)
"""Those that are of a repository."""
REGISTRY_ACTIONS = frozenset({Action.CATALOG, Action.DELETED_CATALOG})
"""Those that are of the registry: a scope names one as `registry:catalog:*`."""
