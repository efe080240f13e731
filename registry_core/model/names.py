"""Repository names, tags and references (OCI distribution-spec, "Pulling manifests")."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

from registry_core.errors import DigestInvalid, ManifestUnknown, NameInvalid, TagInvalid
from registry_core.model.digest import Digest

MAX_REPOSITORY_LENGTH = 255
REPOSITORY_ALPHABET = string.ascii_lowercase + string.digits + "._-/"
TAG_ALPHABET = string.ascii_letters + string.digits + "._-"

_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


@dataclass(frozen=True, order=True)
class RepositoryName:
    """A repository's name, of one or more levels: `team/app/web`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """The name that `text` spells. Raises `NameInvalid`."""
        if len(text) > MAX_REPOSITORY_LENGTH or not _REPOSITORY.fullmatch(text):
            raise NameInvalid(
                "a repository name has at most 255 characters: lower-case letters and digits, with "
                "separators (. _ - /) between them",
                detail={"name": text[:300]},
            )
        return cls(text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, order=True)
class RepositoryPattern:
    """Which repositories a permission is for: one, those below a prefix (`team/*`), or all (`*`).

    As in ACR's scope maps: the one wildcard stands at the end, for one level or more.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> RepositoryPattern:
        """The pattern that `text` spells. Raises `NameInvalid`."""
        if text != "*":
            RepositoryName.parse(text.removesuffix("/*"))
        return cls(text)

    def matches(self, name: RepositoryName) -> bool:
        """Whether the repository is one of them."""
        if self.text.endswith("*"):
            return name.text.startswith(self.text[:-1])
        return name.text == self.text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, order=True)
class Tag:
    """A tag's name."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Tag:
        """The tag that `text` spells. Raises `TagInvalid`."""
        if not _TAG.fullmatch(text):
            raise TagInvalid(
                "a tag has at most 128 characters: letters, digits, '_', '.' and '-'; it does not "
                "begin with '.' or '-'",
                detail={"tag": text[:160]},
            )
        return cls(text)

    def __str__(self) -> str:
        return self.text


Reference = Tag | Digest
"""What names a manifest in its repository."""


def parse_reference(text: str) -> Reference:
    """The tag or digest that `text` spells, to be written. Raises `TagInvalid`, `DigestInvalid`."""
    return Digest.parse(text) if Digest.looks_like(text) else Tag.parse(text)


def parse_known_reference(text: str) -> Reference:
    """The tag or digest to be read; what can't exist is unknown. Raises `ManifestUnknown`."""
    try:
        return parse_reference(text)
    except (TagInvalid, DigestInvalid) as error:
        raise ManifestUnknown(detail={"reference": text[:160]}) from error
