"""Byte ranges: of chunks being uploaded and of blobs being read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from registry_core.errors import RangeInvalid

_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:([0-9]{1,18})|\*))?")
_RANGE = re.compile(r"bytes=(?:([0-9]{1,40})-([0-9]{0,40})|-([0-9]{1,40}))", re.IGNORECASE)


@dataclass(frozen=True)
class ByteRange:
    """The bytes from `start` to `end`, both included, counted from 0."""

    start: int
    end: int
    is_suffix: bool = field(default=False, compare=False)
    """Whether it was asked for as the last so many bytes."""

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start + 1


def parse_chunk_range(header: str) -> ByteRange:
    """The `Content-Range` of a chunk: `<start>-<end>`, without a unit.

    See distribution-spec, "Pushing a blob in chunks". Raises `RangeInvalid`.
    """
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if not match or not int(match[1]) <= int(match[2]) < int(match[3] or 10**18):
        raise RangeInvalid(
            "Content-Range must be <first byte>-<last byte>, such as 0-1023", detail=header[:80]
        )
    return ByteRange(int(match[1]), int(match[2]))


def parse_read_range(header: str | None, size: int) -> ByteRange | None:
    """The one range that a `Range` header asks of a blob of `size` bytes (RFC 9110, 14.2).

    None means the whole blob: no header, another unit, several ranges, or a header that does not
    parse, all of which a server may ignore. Raises `RangeInvalid` if no byte of it exists, and if
    it ends before it begins, which a server may ignore or reject: whoever sent it is mistaken.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if not match:
        return None
    if match[3] is not None:
        start, end = max(0, size - int(match[3])), size - 1
        satisfiable = int(match[3]) > 0 and size > 0
    else:
        start = int(match[1])
        end = min(int(match[2]), size - 1) if match[2] else size - 1
        satisfiable = start < size and (not match[2] or start <= int(match[2]))
    if not satisfiable:
        raise RangeInvalid(
            "the range lies outside the blob", headers={"Content-Range": f"bytes */{size}"}
        )
    return ByteRange(start, end, is_suffix=match[3] is not None)
