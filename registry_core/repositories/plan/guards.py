"""The guards of a repository, and the mark of one that is being deleted."""

from __future__ import annotations

from registry_core.errors import NameUnknown, Unavailable
from registry_core.model.attributes import Target, Use
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.repositories.plan.values import Found, Moment
from registry_core.repositories.plan.writing import attributes_of
from registry_core.repositories.rows import is_live, live
from registry_core.storage import tables
from registry_core.storage.tables import Row, RowChange


def repository_is_deleted_from(found: Found, moment: Moment) -> list[RowChange]:
    """Fails if the repository was locked meanwhile, or the deletion of all of it was called off."""
    repository = found[rows.REPOSITORY]
    if repository is not None and is_being_deleted(repository):
        # The guards have gone; on this version nobody has called the deletion off.
        return [tables.merge(rows.REPOSITORY, repository.etag, Touched=moment.text)]
    updated = tables.upsert(rows.LAST_UPDATE, Updated=moment.text)
    return [*pass_guard(found, rows.DELETE_GUARD, moment), updated]


def is_being_deleted(repository: Row | None) -> bool:
    """Whether a repository is being deleted with all that is in it."""
    known = live(repository)
    return known is not None and bool(known.text(rows.DELETING))


class BeingDeleted(Unavailable):
    """The repository is being deleted with all that is in it."""

    def __init__(self, repository: Row) -> None:
        super().__init__("the repository is being deleted; try again")
        self.at_work = repository.timestamp
        """When the deletion did something last."""


def has_guards(repository: Row | None) -> bool:
    """Whether the guards are to be there: nothing forbids changes of the repository."""
    is_open = not attributes_of(repository).forbidding(Target.REPOSITORY, Use.PUSH)
    return is_live(repository) and is_open and not is_being_deleted(repository)


def refuse_while_deleting(repository: Row | None) -> None:
    """Raises `BeingDeleted` if the repository is being deleted with all that is in it."""
    if repository is not None and is_being_deleted(repository):
        raise BeingDeleted(repository)


def check_there(name: RepositoryName, found: Found) -> Row:
    """The repository's row. Raises `NameUnknown`, and `Unavailable` while it is being deleted."""
    repository = live(found[rows.REPOSITORY])
    if repository is None:
        raise NameUnknown(detail={"name": str(name)})
    refuse_while_deleting(repository)
    return repository


def pass_guard(found: Found, guard: str, moment: Moment) -> list[RowChange]:
    """Fails if a lock has taken the guard away, or the repository has gone.

    One that was looked for and is not there, though no lock took it, is made again, on the version
    of the row that has the locks.
    """
    repository = found[rows.REPOSITORY]
    if guard in found and found[guard] is None and repository is not None:
        touched = tables.merge(rows.REPOSITORY, repository.etag, Touched=moment.text)
        return [tables.insert(guard, Used=moment.text), touched]
    return [tables.merge(guard, Used=moment.text)]


def set_guards(found: Found, *, is_open: bool, moment: Moment) -> list[RowChange]:
    """Makes the guards that are missing, or takes away those that are there, on no version."""
    missing = [guard for guard in rows.GUARDS if found[guard] is None]
    if is_open:
        return [tables.insert(guard, Used=moment.text) for guard in missing]
    return [tables.delete(guard) for guard in rows.GUARDS if guard not in missing]
