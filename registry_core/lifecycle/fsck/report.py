"""What a check tells of what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from registry_core.model.invariants import Finding, Invariant


class Place(StrEnum):
    """Where something is wrong: a table or a container."""

    REPOSITORIES = "repositories"
    BLOBS = "blobs"
    CATALOG = "catalog"
    SYSTEM = "system"


class Outcome(StrEnum):
    """What became of something that is wrong."""

    FOUND = "found"
    MENDED = "mended"


@dataclass(frozen=True)
class Fault:
    """One thing that is broken: it was seen to be so at one moment."""

    invariant: Invariant
    place: Place
    partition: str
    """The repository, the digest, or nothing for a document."""
    key: str
    """The row, or the document."""
    text: str
    can_be_mended: bool
    advice: str = ""
    """What to do, where repair can do nothing."""
    outcome: Outcome = Outcome.FOUND

    @classmethod
    def of(cls, finding: Finding, repository: str, advice: str) -> Fault:
        """That of a finding, in a repository or, if it names one, at a digest."""
        place = Place.BLOBS if finding.digest else Place.REPOSITORIES
        return cls(
            finding.invariant,
            place,
            finding.digest or repository,
            finding.key,
            finding.text,
            not advice,
            advice,
        )


Tell = Callable[[Fault], None]


@dataclass
class Report:
    """How much was looked at, and what was found."""

    repositories: int = 0
    manifests: int = 0
    tags: int = 0
    blobs: int = 0
    size: int = 0
    """The bytes of the blobs."""
    verified: int = 0
    """The bytes that were read and hashed."""
    broken: Counter[Invariant] = field(default_factory=Counter)
    """What is broken and was not mended."""
    mended: Counter[Invariant] = field(default_factory=Counter)
    unsettled: int = 0
    """How often something kept changing for as long as it was looked at."""
    failed: int = 0
    """How many repositories and blobs storage did not let be looked at."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is broken, as far as was looked."""
        return not self.broken.total()

    def count(self, fault: Fault) -> None:
        """Counts what became of something."""
        counter = self.mended if fault.outcome is Outcome.MENDED else self.broken
        counter[fault.invariant] += 1

    def add(self, other: Report) -> None:
        """What was found by looking once more, but for how much was looked at."""
        self.broken += other.broken
        self.mended += other.mended
        self.unsettled += other.unsettled
        self.failed += other.failed
