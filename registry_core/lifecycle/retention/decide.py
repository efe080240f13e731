"""What may go of a repository by its rules, and what stays and why: pure.

The rules K1 to K6 of `docs/retention.md`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from registry_core.lifecycle.retention.contents import Contents, Held
from registry_core.lifecycle.retention.policy import Rule, Tags
from registry_core.model.attributes import Target, Use
from registry_core.model.digest import Digest
from registry_core.model.names import Tag
from registry_core.repositories.plan import Doomed
from registry_core.repositories.rows import StoredTag

MOST_TAGS = 15
"""A manifest goes with so many tags: they fit one transaction with all that belongs to them."""


class Kept(StrEnum):
    """Why something that a rule is about stays."""

    TAGGED = "tagged"
    CHILD = "child of an index"
    REFERRER = "refers to a manifest"
    LOCKED = "locked"
    TOUCHED = "touched lately"
    """Somebody may rely on it: it was changed, or asked for, within the grace period."""
    YOUNG = "too young"
    LAST = "among the last"
    """Of the tags that a rule keeps."""
    CHANGED = "changed meanwhile"
    """It was to go, and somebody has changed it since it was read."""
    HELD = "what holds it is there"
    """It was to go with what holds it, which has stayed, or can be restored."""


class Why(StrEnum):
    """Why something goes."""

    UNTAGGED = "untagged for longer than the rule says"
    WITHOUT_TAGS = "its last tags go"
    WITH_INDEX = "the index that held it goes"
    WITH_SUBJECT = "the manifest that it refers to goes"
    TAG = "older than the rule says, or not among the last"


@dataclass(frozen=True)
class Expired:
    """A manifest that goes, with the tags that it has."""

    doomed: Doomed
    rule: str
    why: Why
    level: int = 0
    """It goes after those of lower levels, which hold it."""
    holders: frozenset[Digest] = frozenset()
    """Those that hold it and go: it goes if they have gone."""

    @property
    def digest(self) -> Digest:
        """Its digest."""
        return self.doomed.manifest.digest


@dataclass(frozen=True)
class ExpiredTag:
    """A tag that goes; its manifest stays."""

    tag: StoredTag
    rule: str


@dataclass(frozen=True)
class Staying:
    """A tag or a manifest that a rule is about, and that stays."""

    what: Tag | Digest
    why: Kept


@dataclass(frozen=True)
class Decision:
    """What is to become of a repository."""

    manifests: Sequence[Expired] = ()
    tags: Sequence[ExpiredTag] = ()
    staying: Sequence[Staying] = ()
    taken: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """How many manifests and tags go by each rule, with the tags that go along."""

    @property
    def is_empty(self) -> bool:
        """Whether all stays as it is."""
        return not (self.manifests or self.tags)


def decide(rules: Sequence[Rule], found: Contents, as_of: datetime, grace: timedelta) -> Decision:
    """What goes and what stays, at a time, of what the rules are about."""
    return _Deciding(rules, found, as_of, grace).decide()


@dataclass
class _Deciding:
    """One decision on its way."""

    rules: Sequence[Rule]
    found: Contents
    as_of: datetime
    grace: timedelta
    staying: dict[Tag | Digest, Kept] = field(default_factory=dict)
    tags: dict[Tag, str] = field(default_factory=dict)
    """The tags that go, each with its rule."""
    expired: dict[Digest, Expired] = field(default_factory=dict)

    def decide(self) -> Decision:
        for rule in self.rules:
            if rule.tags is not None:
                self._tags_of(rule.name, rule.tags)
        self._manifests()
        going = list(self.expired.values())
        along = {tag.tag for each in going for tag in each.doomed.tags}
        manifests, tags = Counter(each.rule for each in going), Counter(self.tags.values())
        return Decision(
            sorted(going, key=lambda each: (each.level, each.rule)),
            [
                ExpiredTag(tag, self.tags[tag.tag])
                for tag in self.found.tags
                if tag.tag in self.tags and tag.tag not in along
            ],
            [Staying(what, why) for what, why in self.staying.items() if what not in self.tags],
            {rule: (manifests[rule], tags[rule]) for rule in {*manifests, *tags}},
        )

    # Tags.

    def _tags_of(self, rule: str, wanted: Tags) -> None:
        concerned = [tag for tag in self.found.tags if wanted.concerns(tag.tag.text)]
        concerned.sort(key=lambda tag: (tag.updated, tag.tag), reverse=True)
        for number, tag in enumerate(concerned):
            if number < wanted.keep_last:
                self.staying[tag.tag] = Kept.LAST
            elif wanted.older_than and tag.updated + wanted.older_than > self.as_of:
                self.staying[tag.tag] = Kept.YOUNG
            elif tag.attributes.forbidding(Target.TAG, Use.UNTAG):
                self.staying[tag.tag] = Kept.LOCKED
            else:
                self.tags.setdefault(tag.tag, rule)

    # Manifests.

    def _manifests(self) -> None:
        """Decides on each after those that hold it: nothing holds itself, not in a round either.

        What a round would hold is never decided on, and stays.
        """
        untagging = [rule for rule in self.rules if rule.untagged is not None]
        if not untagging:
            return
        held = {each.digest: each for each in self.found.manifests}
        holders = self._holders(held)
        tags: dict[Digest, list[StoredTag]] = {}
        for tag in self.found.tags:
            tags.setdefault(tag.digest, []).append(tag)
        holds: dict[Digest, list[Digest]] = {}
        waiting = {}
        for digest in held:
            own = [each for each in holders.get(digest, {}) if each in held]
            waiting[digest] = len(own)
            for holder in own:
                holds.setdefault(holder, []).append(digest)
        ready = deque(digest for digest, count in waiting.items() if not count)
        while ready:
            digest = ready.popleft()
            self._manifest(held[digest], tags.get(digest, ()), holders.get(digest, {}), untagging)
            for each in holds.get(digest, ()):
                waiting[each] -= 1
                if not waiting[each]:
                    ready.append(each)

    def _holders(self, held: Mapping[Digest, Held]) -> dict[Digest, dict[Digest, Kept]]:
        """By manifest those that are live or restorable and hold it, each with how it does."""
        there = held.keys() | self.found.restorable
        holders: dict[Digest, dict[Digest, Kept]] = {}
        for digest, each in held.items():
            if each.stored.subject in there:
                holders.setdefault(digest, {})[each.stored.subject] = Kept.REFERRER
        for index, children in self.found.children.items():
            for child in children:
                if index in there:
                    holders.setdefault(child, {})[index] = Kept.CHILD
        return holders

    def _manifest(
        self,
        each: Held,
        tags: Sequence[StoredTag],
        holders: Mapping[Digest, Kept],
        untagging: Sequence[Rule],
    ) -> None:
        going = [self.expired[holder] for holder in holders if holder in self.expired]
        due = [rule for rule in untagging if self._is_due(rule, each, tags)]
        staying = self._keeping(each, tags, holders)
        if staying is None and not (going or due):
            staying = Kept.YOUNG
        if staying is not None:
            self.staying[each.digest] = staying
            return
        if going:
            is_child = holders[going[0].digest] is Kept.CHILD
            rule, why = going[0].rule, Why.WITH_INDEX if is_child else Why.WITH_SUBJECT
        else:
            rule, why = due[0].name, Why.WITHOUT_TAGS if tags else Why.UNTAGGED
        self.expired[each.digest] = Expired(
            Doomed(each.stored, tags),
            rule,
            why,
            level=max((other.level + 1 for other in going), default=0),
            holders=frozenset(holders),
        )

    def _is_due(self, rule: Rule, each: Held, tags: Sequence[StoredTag]) -> bool:
        """Whether it has had no tag for as long as a rule says. One whose tags go has none now."""
        if rule.untagged is None:
            return False
        return (self.as_of if tags else each.untagged) + rule.untagged <= self.as_of

    def _keeping(
        self, each: Held, tags: Sequence[StoredTag], holders: Mapping[Digest, Kept]
    ) -> Kept | None:
        """What keeps a manifest, however old it is."""
        if any(tag.tag not in self.tags for tag in tags):
            return Kept.TAGGED
        for holder, how in holders.items():
            if holder not in self.expired:
                return how
        if each.stored.attributes.forbidding(Target.MANIFEST, Use.DELETE_MANIFEST):
            return Kept.LOCKED
        if each.stored.timestamp + self.grace > self.as_of:
            return Kept.TOUCHED
        if len(tags) > MOST_TAGS:
            return Kept.TAGGED  # They go first, and it follows when they have gone for long enough.
        return None
