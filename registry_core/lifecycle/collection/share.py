"""The parts into which a walk over everything is cut: ranges of keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from registry_core.model.digest import ALGORITHMS
from registry_core.storage import keys

FIRST = "\x20"
"""Less than every key."""
_DIGITS = 4
"""So many hexadecimal digits tell the shards of digests apart."""


class Place(StrEnum):
    """Where a walk comes by."""

    BLOBS = "blobs"
    REPOSITORIES = "repositories"
    CATALOG = "catalog"
    UPLOADS = "uploads"
    RECENT = "recent"
    """The days of which something has become old enough lately."""


@dataclass(frozen=True)
class Stretch:
    """Keys from `first` to before `end`: partitions, entries of the catalog, or days."""

    place: Place
    first: str
    end: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The stretch that `str()` wrote."""
        place, first, end = json.loads(text)
        return cls(Place(place), first, end)

    def __str__(self) -> str:
        return json.dumps([self.place, self.first, self.end])

    def after(self, key: str) -> Stretch:
        """What is left of it after a key."""
        return Stretch(self.place, f"{key}{FIRST}", self.end)


def of_digests(shard: int, of: int) -> list[Stretch]:
    """The digests of a shard: of each algorithm as large a part as any other shard has.

    The first has, besides, whatever is no such digest.
    """
    found = []
    before = FIRST
    for algorithm in sorted(ALGORITHMS):
        first, end = f"{algorithm}:", keys.end_of(f"{algorithm}:")
        found.append(
            Stretch(
                Place.BLOBS,
                f"{first}{_cut(shard, of)}" if shard else first,
                f"{first}{_cut(shard + 1, of)}" if shard + 1 < of else end,
            )
        )
        if not shard:
            found.insert(-1, Stretch(Place.BLOBS, before, first))
        before = end
    return found if shard else [*found, Stretch(Place.BLOBS, before, keys.AFTER_ALL)]


def _cut(shard: int, of: int) -> str:
    return f"{16**_DIGITS * shard // of:0{_DIGITS}x}"


def of_names(place: Place, shard: int, of: int, entries: Sequence[str]) -> Stretch:
    """The names of a shard: about as many of the catalog's entries as any other has.

    The entries say only where to cut: what is not in the catalog lies in a shard as well.
    """
    cuts = [entries[len(entries) * each // of] if entries else FIRST for each in range(of)]
    cuts = [FIRST, *cuts[1:], keys.AFTER_ALL]
    return Stretch(place, cuts[shard], cuts[shard + 1])
