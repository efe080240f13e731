"""What deleting the repository itself does to its rows."""

from __future__ import annotations

from collections.abc import Sequence

from registry_core.errors import NameUnknown
from registry_core.model.attributes import Target, Use
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.repositories.plan.guards import (
    is_being_deleted,
    repository_is_deleted_from,
    set_guards,
)
from registry_core.repositories.plan.values import Found, Moment, Plan
from registry_core.repositories.plan.writing import attributes_of, check, drop, write
from registry_core.repositories.rows import State, live, state_of
from registry_core.storage import tables
from registry_core.storage.tables import Row, RowChange


def may_go(repository: Row | None) -> bool:
    """Whether a repository goes when its last manifest has gone."""
    attributes = attributes_of(repository)
    return not attributes.forbidding(Target.REPOSITORY, Use.DELETE_REPOSITORY)


def bury_repository(found: Found, moment: Moment, *, is_kept: bool = False) -> Plan:
    """Removes a repository that holds nothing. `found` has `h` and the guards, as before that.

    With `is_kept` it is remembered for those who restore what was in it.
    """
    return Plan(repository_is_buried(found, moment, is_kept=is_kept))


def bury_nothing(_: RepositoryName, found: Found, moment: Moment) -> Plan:
    """Puts a tombstone, or a newer one, where there is no repository.

    A push that has entered the repository into the catalog, and is yet to make it, fails on that
    and enters it again. Raises `NameUnknown` where there is a repository by now.
    """
    repository = found[rows.REPOSITORY]
    if state_of(repository) is not State.GONE:
        raise NameUnknown
    return Plan([write(rows.REPOSITORY, repository, rows.tombstone(moment.now, moment.stamp))])


def repository_is_buried(found: Found, moment: Moment, *, is_kept: bool) -> list[RowChange]:
    """Its tombstone in place of its row, and its guards and its last update away."""
    repository = found[rows.REPOSITORY]
    if repository is None:
        raise LookupError("there is no repository to be buried")
    buried = rows.tombstone(moment.now, moment.stamp)
    changes = [tables.replace(rows.REPOSITORY, repository.etag, **buried)]
    # A push that was begun has merged its guard, or fails on it. Other deletions only take away.
    if row := found.get(rows.PUSH_GUARD):
        changes.append(tables.delete(rows.PUSH_GUARD, row.etag))
    if found.get(rows.DELETE_GUARD):
        changes.append(tables.delete(rows.DELETE_GUARD))
    if is_kept:
        attributes = attributes_of(repository).columns
        remembered = {"Created": repository.text("Created"), **attributes}
        changes.append(tables.upsert(rows.REMEMBERED, **remembered))
    return [*changes, *drop(found, rows.LAST_UPDATE)]


def bury_deleted(_: RepositoryName, found: Found, moment: Moment, *, is_kept: bool = False) -> Plan:
    """Removes a repository that was deleted with all that was in it, unless that is done."""
    if not is_being_deleted(found[rows.REPOSITORY]):
        return Plan(())
    return bury_repository(found, moment, is_kept=is_kept)


def clear(found: Found, left: Sequence[Row], moment: Moment) -> Plan:
    """Takes away rows that are left in a repository that is being deleted; of no other."""
    if not left or not is_being_deleted(found[rows.REPOSITORY]):
        return Plan(())
    changes = [tables.delete(row.key, row.etag) for row in left]
    return Plan([*repository_is_deleted_from(found, moment), *changes])


def begin_deletion(name: RepositoryName, found: Found, moment: Moment) -> Plan:
    """Marks a repository as being deleted: nothing can be pushed to it or deleted from it.

    `found` has `h` and the guards. Raises `NameUnknown`, `DisallowedOperation`.
    """
    repository = live(found[rows.REPOSITORY])
    if repository is None:
        raise NameUnknown(detail={"name": str(name)})
    check(repository, Target.REPOSITORY, Use.DELETE_REPOSITORY, name)
    mark = {rows.DELETING: moment.text, "Stamp": moment.stamp}
    changes = [tables.merge(rows.REPOSITORY, repository.etag, **mark)]
    return Plan([*changes, *set_guards(found, is_open=False, moment=moment)])


def end_deletion(_: RepositoryName, found: Found, moment: Moment) -> Plan:
    """Takes the mark away again, unless that is done: a manifest or a tag was locked meanwhile."""
    repository = live(found[rows.REPOSITORY])
    if repository is None or not is_being_deleted(repository):
        return Plan(())
    changes = [tables.merge(rows.REPOSITORY, repository.etag, **{rows.DELETING: ""})]
    return Plan([*changes, *set_guards(found, is_open=True, moment=moment)])
