"""The registry's total: a document, in which each part of all digests has its own figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

from registry_core.storage import tables
from registry_core.storage.budget import attempts
from registry_core.storage.cache import Cache
from registry_core.storage.documents import Documents
from registry_core.storage.faults import Ambiguous, ConditionFailed, RowExists

PARTS = 7
"""Into so many parts all digests are cut: one is counted each night."""
CONTAINER, NAME = "system", "usage.json"
"""Where the document lies."""
_ATTEMPTS = 8


@dataclass(frozen=True)
class Figures:
    """What was counted of blobs. Figures can be added."""

    blobs: int = 0
    size: int = 0
    """Bytes of them all, each once, however many repositories have it."""
    shared: int = 0
    """Blobs that manifests of several repositories need."""
    shared_size: int = 0
    waiting: int = 0
    """Objects that nothing needs: collection takes them when they are old enough."""
    waiting_size: int = 0
    doomed_size: int = 0
    """Bytes of those among them that no row `blob` names any more."""

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )


@dataclass(frozen=True)
class Part:
    """The figures of one part of all digests."""

    as_of: datetime
    figures: Figures


@dataclass(frozen=True)
class Total:
    """What is known of the whole registry."""

    parts: Mapping[int, Part] = field(default_factory=dict)
    repositories: int = 0
    uploads: int = 0
    """Objects that are not committed, as far as collection would not take them yet."""
    uploads_size: int = 0
    as_of: datetime | None = None
    """When something of it was counted last; None if nothing ever was."""

    @property
    def is_complete(self) -> bool:
        """Whether each part was counted once."""
        return len(self.parts) == PARTS

    @property
    def oldest(self) -> datetime | None:
        """When the part was counted that was counted longest ago."""
        return min((part.as_of for part in self.parts.values()), default=None)

    @property
    def figures(self) -> Figures:
        """The sum over the parts."""
        return sum((part.figures for part in self.parts.values()), Figures())

    @property
    def stored_size(self) -> int:
        """All bytes in the container of content."""
        return self.figures.size + self.figures.doomed_size + self.uploads_size

    @property
    def counts(self) -> dict[str, int]:
        """What is known, as programs are told of it."""
        figures = self.figures
        return {
            "repositoryCount": self.repositories,
            "blobCount": figures.blobs,
            "size": figures.size,
            "sharedCount": figures.shared,
            "sharedSize": figures.shared_size,
            "waitingCount": figures.waiting,
            "waitingSize": figures.waiting_size,
            "uploadCount": self.uploads,
            "uploadSize": self.uploads_size,
            "storedSize": self.stored_size,
        }

    def shared(self, by_part: Mapping[int, tuple[date, int]]) -> int | None:
        """A repository's shared bytes: of each part, those of its last count.

        None until all was counted once.
        """
        if not self.is_complete:
            return None
        return sum(
            size
            for part, (day, size) in by_part.items()
            if part in self.parts and day >= self.parts[part].as_of.date()
        )

    @classmethod
    def parse(cls, content: bytes) -> Total:
        """The total in a document."""
        found = json.loads(content)
        return cls(
            parts={
                int(number): Part(tables.parse_time(each["asOf"]), Figures(**each["figures"]))
                for number, each in found["parts"].items()
            },
            repositories=found["repositories"],
            uploads=found["uploads"],
            uploads_size=found["uploadsSize"],
            as_of=tables.parse_time(found["asOf"]) if found["asOf"] else None,
        )

    def written(self) -> bytes:
        """The document."""
        found: dict[str, Any] = {
            "parts": {
                str(number): {
                    "asOf": tables.time_value(part.as_of),
                    "figures": vars(part.figures),
                }
                for number, part in sorted(self.parts.items())
            },
            "repositories": self.repositories,
            "uploads": self.uploads,
            "uploadsSize": self.uploads_size,
            "asOf": tables.time_value(self.as_of) if self.as_of else "",
        }
        return json.dumps(found).encode()


class Totals:
    """Reads and changes the document."""

    def __init__(self, documents: Documents, cache: Cache[Total]) -> None:
        self._documents = documents
        self._cache = cache

    async def get(self) -> Total:
        """The total as it was read in the last `REGISTRY_CACHE_TTL`, or is now."""
        known = self._cache.get(NAME)
        if known is None:
            ticket = self._cache.ticket()
            known, _ = await self._read()
            self._cache.put(NAME, known, ticket=ticket)
        return known

    async def change(self, make: Callable[[Total], Total]) -> Total:
        """Replaces the document by what `make` makes of it. Raises `Unavailable`."""
        async for _ in attempts("others are counting; try again", most=_ATTEMPTS):
            before, version = await self._read()
            after = make(before)
            try:
                await self._documents.write(NAME, after.written(), version)
            except (ConditionFailed, RowExists, Ambiguous):
                continue
            self._cache.discard(NAME)
            return after
        raise AssertionError("unreachable")

    async def _read(self) -> tuple[Total, str]:
        found = await self._documents.read(NAME)
        return (Total.parse(found[0]), found[1]) if found else (Total(), "")
