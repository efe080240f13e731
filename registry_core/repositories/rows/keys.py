"""The keys of the rows, both ways: no other module spells them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from registry_core.model.digest import DIGEST_ALPHABET, Digest
from registry_core.model.names import TAG_ALPHABET, RepositoryName, Tag
from registry_core.storage import keys

TABLE = "repositories"
REPOSITORY = "h"
"""The repository's own row: when it was made, its attributes, whether it is being deleted."""
PUSH_GUARD = "hw"
"""Exists while the repository may be pushed to. Every push merges it, if it exists."""
DELETE_GUARD = "hd"
"""Exists while the repository may be deleted from. Every deletion merges it, if it exists."""
GUARDS = (PUSH_GUARD, DELETE_GUARD)
LAST_UPDATE = "hu"
"""When the repository was changed last. Every change writes it, and no lock does."""
REMEMBERED = "hr"
"""When the repository was made, and its attributes: for whoever restores what was in it."""
USAGE = "u"
"""How many bytes and things it holds, as they were counted last: nothing is decided by it."""
LATEST = (1 << 63) - 1
"""The inverted time of 1970: no time is older."""


@dataclass(frozen=True)
class Range:
    """The keys of one kind of row: from `first` to before `end`."""

    prefix: str

    @property
    def first(self) -> str:
        """The least key."""
        return self.prefix

    @property
    def end(self) -> str:
        """The least key after all of them."""
        return keys.end_of(self.prefix)

    def __contains__(self, key: str) -> bool:
        return key.startswith(self.prefix)

    def rest(self, key: str) -> str:
        """What a key says beside its kind."""
        return key.removeprefix(self.prefix)

    def after(self, last: str) -> str:
        """The least key of what comes after `last`, which need not exist, nor be a name at all."""
        alphabet = TAG_ALPHABET if self == TAGS else DIGEST_ALPHABET
        return f"{self.prefix}{keys.following(last, alphabet)}"


MANIFESTS, TAGS = Range("m:"), Range("t:")
TAG_TIMES, MANIFEST_TIMES = Range("T:"), Range("M:")
MANIFEST_TAGS, CHILDREN, REFERRERS = Range("g:"), Range("c:"), Range("s:")
INDEX_ROWS = (TAG_TIMES, MANIFEST_TIMES, MANIFEST_TAGS, CHILDREN, REFERRERS)
"""Those that follow from what is live."""
DELETED_TAGS = Range("d:")
DELETED_MANIFEST_TIMES, DELETED_TAG_TIMES = Range("DM:"), Range("DT:")
DELETED_TIMES = Range("D")
"""Both of them: whether anything was deleted softly, and is still there."""


def beside(*ranges: Range) -> list[tuple[str, str]]:
    """The bounds of what lies before, between and after some ranges, in order of the keys."""
    taken = sorted((each.first, each.end) for each in ranges)
    firsts = ["\x20", *(end for _, end in taken)]
    ends = [*(first for first, _ in taken), keys.AFTER_ALL]
    return [each for each in zip(firsts, ends, strict=True) if each[0] < each[1]]


def kind(key: str) -> str:
    """What a key begins with, up to its first colon: keys of one kind stand together."""
    return key.partition(":")[0]


def partition(name: RepositoryName) -> str:
    """The partition of a repository."""
    return keys.encode(name.text)


def manifest_key(digest: Digest) -> str:
    """`m:<digest>`."""
    return f"{MANIFESTS.prefix}{digest}"


def tag_key(tag: Tag) -> str:
    """`t:<tag>`."""
    return f"{TAGS.prefix}{tag}"


def tags_of(digest: Digest) -> Range:
    """`g:<digest>:`, the tags of a manifest."""
    return Range(f"{MANIFEST_TAGS.prefix}{digest}:")


def manifest_tag(digest: Digest, tag: Tag) -> str:
    """`g:<digest>:<tag>`."""
    return f"{tags_of(digest).prefix}{tag}"


def inverted(time: datetime) -> str:
    """A time as 19 digits that sort the latest first: 2^63 - 1 - microseconds since 1970."""
    return f"{LATEST - microseconds(time):019d}"


def microseconds(time: datetime) -> int:
    """Microseconds since 1970, exactly."""
    delta = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds


def tag_time(time: datetime, tag: Tag) -> str:
    """`T:<inverted time>:<tag>`."""
    return f"{TAG_TIMES.prefix}{inverted(time)}:{tag}"


def manifest_time(time: datetime, digest: Digest) -> str:
    """`M:<inverted time>:<digest>`."""
    return f"{MANIFEST_TIMES.prefix}{inverted(time)}:{digest}"


def _ascending(time: datetime) -> str:
    """A time as 19 digits that sort the earliest first: microseconds since 1970."""
    return f"{microseconds(time):019d}"


def _ascended(digits: str) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(digits))


def deleted_before(range_: Range, time: datetime) -> str:
    """The least key of a range `DM:` or `DT:` after all that was deleted at `time` or before."""
    return f"{range_.prefix}{_ascending(time + timedelta(microseconds=1))}"


def deleted_manifest(time: datetime, digest: Digest) -> str:
    """`DM:<time>:<digest>`: a manifest that was deleted softly at a time."""
    return f"{DELETED_MANIFEST_TIMES.prefix}{_ascending(time)}:{digest}"


def deleted_tags_of(digest: Digest) -> Range:
    """`d:<digest>:`, the tags that were taken from a manifest."""
    return Range(f"{DELETED_TAGS.prefix}{digest}:")


@dataclass(frozen=True)
class DeletedTag:
    """A tag that was deleted softly: what its keys say."""

    tag: Tag
    digest: Digest
    deleted: datetime

    @property
    def key(self) -> str:
        """`d:<digest>:<tag>:<time>`."""
        prefix = deleted_tags_of(self.digest).prefix
        return f"{prefix}{self.tag}:{_ascending(self.deleted)}"

    @property
    def by_time(self) -> str:
        """`DT:<time>:<tag>:<digest>`."""
        time = _ascending(self.deleted)
        return f"{DELETED_TAG_TIMES.prefix}{time}:{self.tag}:{self.digest}"

    @classmethod
    def parse(cls, key: str) -> DeletedTag:
        """The tag that a key of either kind is of."""
        if key in DELETED_TAG_TIMES:
            time, tag, digest = DELETED_TAG_TIMES.rest(key).split(":", 2)
        else:
            algorithm, encoded, tag, time = DELETED_TAGS.rest(key).split(":")
            digest = f"{algorithm}:{encoded}"
        return cls(Tag(tag), parse_digest(digest), _ascended(time))


def deletion_time(key: str) -> datetime:
    """The time in a key `DM:` or `DT:`."""
    return _ascended(key.split(":", 2)[1])


def time_in(key: str) -> datetime:
    """The time in a key `T:` or `M:`."""
    _, digits, _ = key.split(":", 2)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=LATEST - int(digits))


def name_in(key: str) -> str:
    """The tag or the digest in a key `T:` or `M:`."""
    return key.split(":", 2)[2]


def parents_of(child: Digest) -> Range:
    """`c:<child>:`, the indexes that hold a manifest."""
    return Range(f"{CHILDREN.prefix}{child}:")


def child(digest: Digest, parent: Digest) -> str:
    """`c:<child>:<parent>`."""
    return f"{parents_of(digest).prefix}{parent}"


def referrers_of(subject: Digest) -> Range:
    """`s:<subject>:`, the referrers of a manifest."""
    return Range(f"{REFERRERS.prefix}{subject}:")


def referrer(subject: Digest, digest: Digest) -> str:
    """`s:<subject>:<digest>`."""
    return f"{referrers_of(subject).prefix}{digest}"


def parse_digest(text: str) -> Digest:
    """A digest as a row has it: it was right when it was written."""
    algorithm, _, encoded = text.partition(":")
    return Digest(algorithm, encoded)


def last_digest(key: str) -> Digest:
    """The digest at the end of a key `c:`, `s:` or `M:`."""
    return parse_digest(":".join(key.rsplit(":", 2)[-2:]))


def subject_of(key: str) -> Digest:
    """The subject in a key `s:<subject>:<digest>`."""
    own = str(last_digest(key))
    return parse_digest(REFERRERS.rest(key).removesuffix(f":{own}"))
