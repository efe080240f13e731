"""What clients were told, and what the registry therefore owes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

GONE = ""
"""In place of a digest: there is no such tag."""


@dataclass
class Ledger:
    """One repository that one client alone writes to, one request after the other.

    A request that failed may have had its effect: nothing is owed of what it concerns, until
    another about the same was acknowledged.
    """

    repository: str
    keeps_untagged: bool = True
    """Whether a manifest without a tag stays: not where retention takes it."""
    manifests: set[str] = field(default_factory=set)
    """Those that must be there, whole."""
    deleted: set[str] = field(default_factory=set)
    """Those that must be gone."""
    tags: dict[str, str] = field(default_factory=dict)
    """What each tag must name."""

    def pushed(self, tag: str, digest: str) -> None:
        """A push, or a new tag for what is there, was acknowledged."""
        self.manifests.add(digest)
        self.deleted.discard(digest)
        self.tags[tag] = digest

    def push_failed(self, tag: str) -> None:
        """Nobody knows what the tag names, and which manifest may be there again."""
        self.tags.pop(tag, None)
        self.deleted.clear()

    def removed(self, digest: str) -> None:
        """The deletion of a manifest was acknowledged: its tags have gone with it."""
        self.manifests.discard(digest)
        self.deleted.add(digest)
        for tag, named in self.tags.items():
            if named == digest:
                self.tags[tag] = GONE

    def removal_failed(self, digest: str) -> None:
        """The manifest may be there or not, and so may its tags."""
        self.manifests.discard(digest)
        for tag in [tag for tag, named in self.tags.items() if named == digest]:
            del self.tags[tag]

    def owed(self) -> set[str]:
        """The manifests that must be there."""
        if self.keeps_untagged:
            return self.manifests
        return self.manifests & set(self.tags.values())

    def breaches(self, manifests: Collection[str], tags: Mapping[str, str]) -> Iterator[str]:
        """What the registry has not kept of its word, by what it has now."""
        for digest in sorted(self.owed() - set(manifests)):
            yield f"{self.repository}: {digest} was acknowledged and is not there"
        for digest in sorted(self.deleted & set(manifests)):
            yield f"{self.repository}: {digest} was deleted and is there"
        for tag, digest in sorted(self.tags.items()):
            found = tags.get(tag, GONE)
            if found != digest:
                yield (
                    f"{self.repository}: tag {tag} names {found or 'nothing'}, "
                    f"and should name {digest or 'nothing'}"
                )
