"""Locks: ACR's `changeableAttributes` of a repository, a manifest or a tag, and what each forbids.

They lie as columns in the rows `h`, `m:` and `t:`; a missing column means true. `FORBIDS` is all
the policy there is ("Lock a container image in an Azure container registry"; `az acr repository
update --help`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from registry_core.errors import DisallowedOperation

COLUMNS = ("DeleteEnabled", "WriteEnabled", "ReadEnabled", "ListEnabled")
"""The columns, in the order of the fields of `Attributes`."""


def field_of(column: str) -> str:
    """What clients call the attribute of a column: `readEnabled` and so on."""
    return column[0].lower() + column[1:]


class Target(Enum):
    """What has attributes."""

    REPOSITORY = "repository"
    MANIFEST = "manifest"
    TAG = "tag"


class Use(Enum):
    """What somebody wants to do, as far as attributes can forbid it."""

    PULL = "pull"
    LIST = "list"
    PUSH = "push"
    """Of a tag, to point it elsewhere; of a manifest, to give it a tag."""
    UNTAG = "untag"
    DELETE_MANIFEST = "delete a manifest"
    """Of a tag, of the manifest that it points at; of a repository, of one that is in it."""
    DELETE_BLOB = "delete a blob"
    DELETE_REPOSITORY = "delete the repository"


_WITH_IMAGE = frozenset({Use.DELETE_MANIFEST, Use.DELETE_REPOSITORY})
"""By what a manifest goes, and by what a tag goes along with it."""

FORBIDS: Mapping[tuple[Target, str], frozenset[Use]] = {
    (Target.REPOSITORY, "WriteEnabled"): frozenset(set(Use) - {Use.PULL, Use.LIST}),
    (Target.REPOSITORY, "DeleteEnabled"): frozenset({Use.DELETE_REPOSITORY}),
    (Target.MANIFEST, "WriteEnabled"): _WITH_IMAGE | {Use.PUSH},
    (Target.MANIFEST, "DeleteEnabled"): _WITH_IMAGE,
    (Target.TAG, "WriteEnabled"): _WITH_IMAGE | {Use.PUSH, Use.UNTAG},
    (Target.TAG, "DeleteEnabled"): _WITH_IMAGE | {Use.UNTAG},
    **{(target, "ReadEnabled"): frozenset({Use.PULL}) for target in Target},
    **{(target, "ListEnabled"): frozenset({Use.LIST}) for target in Target},
}
"""What is forbidden where an attribute of a target is false; everything else is allowed.

A repository that may not be deleted protects itself and not its images: it stays when the last one
goes.
"""


@dataclass(frozen=True)
class Attributes:
    """What may be done with the thing they belong to."""

    delete_enabled: bool = True
    write_enabled: bool = True
    read_enabled: bool = True
    list_enabled: bool = True

    @classmethod
    def from_row(cls, row: Mapping[str, object] | None) -> Attributes:
        """The attributes in a row's columns; of no row, everything is allowed."""
        row = row or {}
        found = cls(*[row.get(column) is not False for column in COLUMNS])
        return _FREE if found == _FREE else found

    @property
    def columns(self) -> dict[str, bool]:
        """The columns of those that are false: the others need none."""
        values = (self.delete_enabled, self.write_enabled, self.read_enabled, self.list_enabled)
        return {column: False for column, value in zip(COLUMNS, values, strict=True) if not value}

    def forbidding(self, target: Target, use: Use) -> str:
        """The attribute by which a `target` that has these may not be used so; empty if it may."""
        if self is _FREE:
            return ""
        found = (column for column in self.columns if use in FORBIDS[target, column])
        return next(found, "")

    def check(self, target: Target, use: Use, name: object) -> None:
        """Raises `DisallowedOperation` if a `target` of that name may not be used so."""
        column = self.forbidding(target, use)
        if column:
            attribute = field_of(column)
            raise DisallowedOperation(
                f"{target.value} {name} is locked: {attribute} is false",
                detail={"target": target.value, "name": str(name), "attribute": attribute},
            )


_FREE = Attributes()
"""What forbids nothing, as almost all do."""
