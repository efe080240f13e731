"""What a layer is, by its bytes alone: its digest, and that of what was compressed."""

from __future__ import annotations

import hashlib
import zlib
from enum import Enum

from slipway_cli.push.archives.errors import ArchiveError

MAGIC_LENGTH = 4
"""How many bytes tell how a layer is compressed."""
_PIECE = 1024 * 1024


class Compression(Enum):
    """How a layer is compressed; the value is what its media type ends in."""

    NONE = ""
    GZIP = "+gzip"
    ZSTD = "+zstd"


def compression_of(beginning: bytes) -> Compression:
    """By the first bytes of a layer."""
    if beginning.startswith(b"\x1f\x8b"):
        return Compression.GZIP
    if beginning.startswith(b"\x28\xb5\x2f\xfd"):
        return Compression.ZSTD
    return Compression.NONE


class Measure:
    """Takes the bytes of a layer, in pieces of any length."""

    def __init__(self, *, looks_inside: bool = True) -> None:
        """`looks_inside`: whether `diff_id` is needed of what gzip compressed, which takes time."""
        self.size = 0
        self.compression = Compression.NONE
        self._looks_inside = looks_inside
        self._beginning = b""
        self._whole = hashlib.sha256()
        self._inner: _Inner | None = None

    def update(self, content: bytes) -> None:
        """The next bytes. Raises `ArchiveError` if they are compressed wrongly."""
        self.size += len(content)
        self._whole.update(content)
        if len(self._beginning) < MAGIC_LENGTH:
            content = self._beginning + content
            self._beginning = content[:MAGIC_LENGTH]
            if len(content) < MAGIC_LENGTH:
                return
            self.compression = compression_of(content)
            if self.compression is Compression.GZIP and self._looks_inside:
                self._inner = _Inner()
        if self._inner is not None:
            self._inner.update(content)

    @property
    def digest(self) -> str:
        """Of the bytes as they are."""
        return f"sha256:{self._whole.hexdigest()}"

    def diff_id(self) -> str | None:
        """Of the bytes before they were compressed; None where that is not known.

        Raises `ArchiveError` if there are too few.
        """
        if self.compression is Compression.NONE:
            return self.digest
        return self._inner.digest() if self._inner is not None else None


class _Inner:
    """What gzip compressed, which may be in several parts."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._part = zlib.decompressobj(wbits=31)

    def update(self, content: bytes) -> None:
        try:
            while content:
                if self._part.eof:
                    self._part = zlib.decompressobj(wbits=31)
                self._hash.update(self._part.decompress(content, _PIECE))
                content = self._part.unconsumed_tail or self._part.unused_data
        except zlib.error as error:
            raise ArchiveError("a layer is damaged: gzip cannot decompress it") from error

    def digest(self) -> str:
        if not self._part.eof:
            raise ArchiveError("a layer is damaged: its gzip data ends too early")
        return f"sha256:{self._hash.hexdigest()}"
