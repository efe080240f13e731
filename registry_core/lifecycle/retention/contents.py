"""What is in a repository, as far as retention decides by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from registry_core.model.digest import Digest
from registry_core.model.media_types import INDEXES
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.repositories.rows import State, StoredManifest, StoredTag, state_of
from registry_core.storage import tables
from registry_core.storage.tables import Row

COLUMNS = (*rows.MANIFEST_FACTS, rows.DELETING, "Untagged", "Digest")
"""Of `h`, `m:` and `t:`: what is decided by, beside keys, versions and times."""


@dataclass(frozen=True)
class Held:
    """A live manifest."""

    stored: StoredManifest
    untagged: datetime
    """Since when it has no tag, if it has none: where it never had one, since it was pushed."""

    @property
    def digest(self) -> Digest:
        """Its digest."""
        return self.stored.digest

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """The manifest in a row `m:`."""
        untagged = row.text("Untagged")
        stored = StoredManifest.from_row(row)
        return cls(stored, tables.parse_time(untagged) if untagged else stored.updated)


@dataclass(frozen=True)
class Contents:
    """A repository, whose manifests were read before its tags.

    So a tag that a manifest got later has changed the manifest's row: what is decided by these is
    good for the versions that were read, and for no others.
    """

    name: RepositoryName
    repository: Row | None
    """The row `h`."""
    manifests: Sequence[Held]
    tags: Sequence[StoredTag]
    restorable: frozenset[Digest] = frozenset()
    """The manifests that can be brought back: what they hold stays."""
    indexes: Sequence[Digest] = ()
    """The live and restorable manifests that may hold others."""
    children: Mapping[Digest, Sequence[Digest]] = field(default_factory=dict)
    """What the indexes hold, by index."""

    @classmethod
    def of(cls, name: RepositoryName, found: Iterable[Row]) -> Self:
        """What its rows `h`, `m:` and `t:` say, in the order of their keys."""
        repository: Row | None = None
        manifests, tags = list[Held](), list[StoredTag]()
        restorable, indexes = set[Digest](), list[Digest]()
        for row in found:
            if row.key == rows.REPOSITORY:
                repository = row
            elif row.key in rows.TAGS and rows.is_live(row):
                tags.append(StoredTag.from_row(row))
            elif row.key in rows.MANIFESTS and state_of(row) is not State.GONE:
                digest = rows.last_digest(row.key)
                if rows.is_live(row):
                    manifests.append(Held.from_row(row))
                else:
                    restorable.add(digest)
                if row.text("MediaType").lower() in INDEXES:
                    indexes.append(digest)
        return cls(name, repository, manifests, tags, frozenset(restorable), indexes)
