"""Layers to push: made as they are sent, so that none has to fit into memory."""

import hashlib
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
PIECE = 32 * KIB
"""How many bytes docker sends at a time."""


@dataclass(frozen=True)
class Layer:
    """`size` bytes that no other layer has."""

    size: int
    seed: bytes = field(default_factory=lambda: secrets.token_bytes(PIECE), repr=False)

    def pieces(self) -> Iterator[bytes | bytearray]:
        """The content, in pieces of `PIECE` bytes and a last one; each is good until the next."""
        piece = bytearray(self.seed)
        whole, rest = divmod(self.size, PIECE)
        for number in range(whole):
            struct.pack_into(">Q", piece, 0, number)
            yield piece
        if rest:
            yield self.seed[:rest]

    @cached_property
    def digest(self) -> str:
        """Its digest; found once, in a pass of its own, so that sending costs the sender little."""
        running = hashlib.sha256()
        for piece in self.pieces():
            running.update(piece)
        return f"sha256:{running.hexdigest()}"
