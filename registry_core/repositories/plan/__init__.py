"""What a change does to the rows of a repository: pure functions from rows read to rows written.

Each takes what was found, and what is wanted, and answers a `Plan`, or raises the client's error.
A plan is good for the versions that were found: applied to others, storage refuses it whole. The
rules it follows are those of `docs/pushing.md` and `docs/deleting.md`.
"""

from registry_core.repositories.plan.attributes import set_attributes
from registry_core.repositories.plan.deleting import (
    Doomed,
    allow_blob_deletion,
    delete_manifests,
    untag_some,
)
from registry_core.repositories.plan.guards import (
    BeingDeleted,
    check_there,
    has_guards,
    is_being_deleted,
)
from registry_core.repositories.plan.purging import purge
from registry_core.repositories.plan.pushing import push
from registry_core.repositories.plan.repository import (
    begin_deletion,
    bury_deleted,
    bury_nothing,
    bury_repository,
    clear,
    end_deletion,
    may_go,
)
from registry_core.repositories.plan.restoring import (
    Restorable,
    restore,
    tags_to_restore,
    wanted_tags,
)
from registry_core.repositories.plan.untagging import untag, untag_all
from registry_core.repositories.plan.values import (
    KEPT_TAGS_A_TRANSACTION,
    MAX_TAGS,
    PURGED_A_TRANSACTION,
    RESTORED_TAGS_A_TRANSACTION,
    TAGS_A_TRANSACTION,
    Found,
    Moment,
    Plan,
    stamps,
)
from registry_core.repositories.plan.writing import touch

__all__ = [
    "KEPT_TAGS_A_TRANSACTION",
    "MAX_TAGS",
    "PURGED_A_TRANSACTION",
    "RESTORED_TAGS_A_TRANSACTION",
    "TAGS_A_TRANSACTION",
    "BeingDeleted",
    "Doomed",
    "Found",
    "Moment",
    "Plan",
    "Restorable",
    "allow_blob_deletion",
    "begin_deletion",
    "bury_deleted",
    "bury_nothing",
    "bury_repository",
    "check_there",
    "clear",
    "delete_manifests",
    "end_deletion",
    "has_guards",
    "is_being_deleted",
    "may_go",
    "purge",
    "push",
    "restore",
    "set_attributes",
    "stamps",
    "tags_to_restore",
    "touch",
    "untag",
    "untag_all",
    "untag_some",
    "wanted_tags",
]
