"""What must be true of what lies in storage, whatever happened at once: the names, and a finding.

`docs/check-and-repair.md` has a table of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """One thing that must be true, by the short name that people are told."""

    REPOSITORY = "I1"
    """What holds manifests is there."""
    GUARDS = "I2"
    """The guards are there as long as a repository is open, and no longer."""
    LAST_UPDATE = "I3"
    CATALOG = "I4"
    """What is there is in the catalog, and hidden there if it is to be."""
    TAG = "I5"
    """A tag points at a live manifest."""
    TAG_ROWS = "I6"
    """A tag is listed with its manifest and by time, as it is."""
    MANIFEST_ROWS = "I7"
    """A manifest is listed by time, as it is."""
    REFERRERS = "I8"
    CHILDREN = "I9"
    MANIFEST = "I10"
    """A manifest is what its digest says, and its row says of it what it says itself."""
    NEEDS = "I11"
    """Collection is told what a manifest needs."""
    LINKS = "I12"
    """A repository may read what its manifests need."""
    LOCATIONS = "I13"
    """All rows that say where a blob lies, say the same."""
    CONTENT_ROW = "I14"
    """What is linked is a blob."""
    MARKERS = "I15"
    OBJECTS = "I16"
    """The object of a blob is there, and is as its row says."""
    CONTENT = "I17"
    """The bytes of a blob are those of its digest."""
    READABLE = "I18"
    """A row can be read."""
    DOCUMENTS = "I19"
    """What all instances share can be read."""
    DELETED = "I20"
    """What was deleted and can be restored is listed so, by time and in the catalog."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be."""

    invariant: Invariant
    key: str
    """The row that is wrong, missing or surplus."""
    text: str
    is_broken: bool = True
    """Else it is garbage: something was begun and not ended, and nobody can see it."""
    digest: str = ""
    """Of a row in table `blobs`: its partition. Else it is a row of the repository."""


def same(found: Iterable[Finding], finding: Finding) -> Finding | None:
    """The finding among others that names the same thing as broken, if there is one."""
    for each in found:
        if each.is_broken and (each.invariant, each.key) == (finding.invariant, finding.key):
            return each
    return None
