r"""Keys of rows and names of objects: the one place that knows how they are spelt.

Azure Tables refuses ``/ \ # ?`` and control characters in keys. `encode` shifts ``- . /`` down by
one to ``, - .``: that frees the slash and keeps the order of plain names, so that a table's own
order is the lexical order which the distribution-spec asks of listings.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime

from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag

REPOSITORIES = "repositories"
BLOBS = "blobs"
CATALOG = "catalog"
ACCESS = "access"
TABLES = (REPOSITORIES, BLOBS, CATALOG, ACCESS)

CONTENT = "content"
SYSTEM = "system"
CONTAINERS = (CONTENT, SYSTEM)

HEAD = "h"
"""The repository's own row."""
WRITABLE = "hw"
"""Exists while the repository may be written to."""
BLOB = "blob"
"""The row of a digest's content."""
CATALOG_PARTITION = "repositories"
SCHEMA_PARTITION, SCHEMA = "schema", "schema"

AFTER_ALL = "\x7e"
"""Greater than every character of a name."""

_ENCODE = str.maketrans("-./", ",-.")
_DECODE = str.maketrans(",-.", "-./")
_LATEST = (1 << 63) - 1


def encode(text: str) -> str:
    """`text` as part of a key."""
    return text.translate(_ENCODE)


def decode(key: str) -> str:
    """The text that `encode` made `key` of."""
    return key.translate(_DECODE)


def end_of(prefix: str) -> str:
    """The least key that comes after every key beginning with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def following(last: str, alphabet: str) -> str:
    """The least text that comes after `last`, for a list of names made of `alphabet`.

    What a client sends as `last` may be no name at all. Only characters of the alphabet get into
    the answer, and every name that is greater than `last`, and no other, is at or after it.
    """
    for index, character in enumerate(last):
        if character not in alphabet:
            greater = (each for each in alphabet if each > character)
            return last[:index] + min(greater, default=AFTER_ALL)
    # No key can hold a character below the space.
    return f"{last}\x20" if last else ""


def repository(name: RepositoryName) -> str:
    """Partition of `repositories`, and row key in `catalog`."""
    return encode(name.text)


# Rows of `repositories`.


def manifest(digest: Digest) -> str:
    """`m:<digest>`."""
    return f"m:{digest}"


def tag(name: Tag | str) -> str:
    """`t:<tag>`."""
    return f"t:{name}"


def manifest_tags(digest: Digest | str) -> str:
    """`g:<digest>:`, what the tag rows of a manifest begin with."""
    return f"g:{digest}:"


def manifest_tag(digest: Digest | str, name: Tag | str) -> str:
    """`g:<digest>:<tag>`."""
    return f"g:{digest}:{name}"


def inverted(time: datetime) -> str:
    """A time as 19 digits that sort the latest first: 2^63 - 1 - microseconds since 1970."""
    return f"{_LATEST - microseconds(time):019d}"


def tag_time(time: datetime, name: Tag | str) -> str:
    """`T:<inverted time>:<tag>`."""
    return f"T:{inverted(time)}:{name}"


def manifest_time(time: datetime, digest: Digest | str) -> str:
    """`M:<inverted time>:<digest>`."""
    return f"M:{inverted(time)}:{digest}"


def child_parents(child: Digest) -> str:
    """`c:<child>:`, what the rows of the indexes that hold a manifest begin with."""
    return f"c:{child}:"


def child(digest: Digest, parent: Digest) -> str:
    """`c:<child>:<parent>`."""
    return f"c:{digest}:{parent}"


def referrers(subject: Digest) -> str:
    """`s:<subject>:`, what the rows of a subject's referrers begin with."""
    return f"s:{subject}:"


def referrer(subject: Digest, digest: Digest | str) -> str:
    """`s:<subject>:<digest>`."""
    return f"s:{subject}:{digest}"


# Rows of `blobs`.


LINKS = "l:"
"""What the rows of the repositories that may read a blob begin with."""


def link(name: RepositoryName) -> str:
    """`l:<repo>`."""
    return f"{LINKS}{encode(name.text)}"


def requirements(name: RepositoryName) -> str:
    """`r:<repo>:`, what the rows of the manifests of a repository that need a blob begin with."""
    return f"r:{encode(name.text)}:"


def requirement(name: RepositoryName, needed_by: Digest) -> str:
    """`r:<repo>:<manifest digest>`."""
    return f"r:{encode(name.text)}:{needed_by}"


def doomed(location: Location) -> str:
    """`x:<location>`: an object that no row names any more, to be deleted."""
    return f"x:{encode(str(location))}"


# Times.


def microseconds(time: datetime) -> int:
    """Microseconds since 1970, exactly."""
    delta = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds


# Objects.


def upload_object(day: date, upload_id: uuid.UUID) -> str:
    """`uploads/<yyyy-mm-dd>/<uuid>`: the object that an upload writes, and the blob stays in."""
    return f"uploads/{day.isoformat()}/{upload_id}"


@dataclass(frozen=True)
class Location:
    """Where an object lies: it names its account and container, so that one day another may."""

    account: str
    container: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Location:
        """The location that `str()` wrote."""
        return cls(*text.split("/", 2))

    def __str__(self) -> str:
        return f"{self.account}/{self.container}/{self.name}"
