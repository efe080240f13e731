"""What retention tells of what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from registry_core.lifecycle.retention.decide import Kept, Staying
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag


@dataclass(frozen=True)
class Gone:
    """One manifest or tag that goes."""

    repository: RepositoryName
    what: Tag | Digest
    rule: str
    why: str
    tags: tuple[str, ...] = ()
    """The tags that go along with a manifest."""

    @property
    def is_manifest(self) -> bool:
        """Whether it is a manifest, and no tag alone."""
        return isinstance(self.what, Digest)


Tell = Callable[[Gone], None]


@dataclass(frozen=True)
class Visit:
    """How a visit of a repository ended."""

    repository: RepositoryName
    gone: Sequence[Gone] = ()
    """What went, or would go."""
    staying: Sequence[Staying] = ()
    """What its rules are about, and stays."""
    stopped: str = ""
    """Why the brake stopped it, in words."""
    held_back: Sequence[Gone] = ()
    """What would have gone without the brake."""
    is_failed: bool = False
    """Whether storage, or others who kept changing the repository, did not let it be finished."""


@dataclass
class Run:
    """How a run ended: counts, and what somebody should look at."""

    visits: int = 0
    manifests: Counter[str] = field(default_factory=Counter)
    """Those that went, by rule."""
    tags: Counter[str] = field(default_factory=Counter)
    """Those that went, by rule, with those that went along."""
    kept: Counter[Kept] = field(default_factory=Counter)
    stopped: dict[RepositoryName, str] = field(default_factory=dict)
    """Repositories that the brake stopped, each with the words."""
    failed: int = 0
    left: int = 0
    """How many repositories it did not come to."""

    def add(self, visit: Visit) -> None:
        """Counts a visit."""
        self.visits += 1
        self.failed += visit.is_failed
        self.kept += Counter(each.why for each in visit.staying)
        if visit.stopped:
            self.stopped[visit.repository] = visit.stopped
        for each in visit.gone:
            self.manifests[each.rule] += each.is_manifest
            self.tags[each.rule] += len(each.tags) if each.is_manifest else 1
