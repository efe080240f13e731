"""Content digests (OCI image-spec, descriptor.md, "Digests")."""

from __future__ import annotations

import hashlib
import re
import string
from dataclasses import dataclass

from registry_core.errors import DigestInvalid

ALGORITHMS = {"sha256": 64, "sha512": 128}
"""The registered algorithms and the length of each in hexadecimal digits."""
DIGEST_ALPHABET = string.ascii_lowercase + string.digits + ":"

_PATTERN = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")
_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_MAX_LENGTH = 255
"""Of a digest of another algorithm, in characters: it becomes a part of a row's key."""


@dataclass(frozen=True, order=True)
class Digest:
    """`algorithm:hex`, of a registered algorithm, in lower case; or what `parse_foreign` takes."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """The digest that `text` spells. Raises `DigestInvalid`."""
        match = _PATTERN.fullmatch(text)
        if not match:
            raise DigestInvalid(
                "a digest is sha256: with 64 or sha512: with 128 lower-case hexadecimal digits",
                detail={"digest": text[:160]},
            )
        algorithm, _, digits = text.partition(":")
        return cls(algorithm, digits)

    @classmethod
    def parse_foreign(cls, text: str) -> Digest:
        """The digest that `text` spells, of any algorithm: of content that need not be here.

        "Implementations SHOULD allow digests with unrecognized algorithms to pass validation if
        they comply with the above grammar." Those of a registered one must be right. Raises
        `DigestInvalid`.
        """
        algorithm, _, encoded = text.partition(":")
        if algorithm in ALGORITHMS:
            return cls.parse(text)
        if len(text) > _MAX_LENGTH or not _GRAMMAR.fullmatch(text):
            raise DigestInvalid(
                "a digest is <algorithm>:<value>; the value has letters, digits, '=', '_' and '-'",
                detail={"digest": text[:160]},
            )
        return cls(algorithm, encoded)

    @property
    def is_registered(self) -> bool:
        """Whether content can be held against it here."""
        return self.algorithm in ALGORITHMS

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Digest:
        """The digest of `content`."""
        return cls(algorithm, hashlib.new(algorithm, content, usedforsecurity=False).hexdigest())

    @staticmethod
    def looks_like(text: str) -> bool:
        """Whether `text` can only be meant as a digest: a tag never holds a colon."""
        return ":" in text

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
