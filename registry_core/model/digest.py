"""Content digests (OCI image-spec, descriptor.md, "Digests")."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from registry_core.errors import DigestInvalid

ALGORITHMS = {"sha256": 64, "sha512": 128}
"""The registered algorithms and the length of each in hexadecimal digits."""

_PATTERN = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")


@dataclass(frozen=True, order=True)
class Digest:
    """`algorithm:hex`, of a registered algorithm, in lower case."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """The digest that `text` spells. Raises `DigestInvalid`."""
        match = _PATTERN.fullmatch(text)
        if not match:
            raise DigestInvalid(
                "a digest is sha256: or sha512: and lower-case hexadecimal digits",
                detail={"digest": text[:160]},
            )
        algorithm, _, digits = text.partition(":")
        return cls(algorithm, digits)

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
