"""Tar archives, member by member, forward only: ustar with the extensions of POSIX and GNU.

The standard library reads these too, but holds as much in memory as a header asks it to. Here a
header may ask for `MAX_EXTENSION` bytes, whoever wrote the archive.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Protocol

from slipway_cli.push.archives.errors import ArchiveError, CutOff

BLOCK = 512
MAX_MEMBERS = 100_000
"""How many members an archive may have: the names of all are remembered."""
MAX_EXTENSION = 1024 * 1024
"""How long a name, or a block of POSIX's extended attributes, may be."""

_PIECE = 1024 * 1024
_REGULAR, _CONTIGUOUS, _OLD = b"0", b"7", b"\0"
_HARD_LINK, _SYMBOLIC_LINK = b"1", b"2"
_WITHOUT_CONTENT = (_HARD_LINK, _SYMBOLIC_LINK, b"3", b"4", b"5", b"6")
_LONG_NAME, _LONG_LINK = b"L", b"K"
_EXTENDED, _EXTENDED_OF_ALL, _EXTENDED_BY_SOLARIS = b"x", b"g", b"X"
_SPARSE = b"S"
_RECORD = re.compile(rb"(\d{1,7}) ([^=\n]+)=")


class Source(Protocol):
    """Bytes from the first to the last."""

    def read(self, size: int) -> bytes:
        """At most so many of them; none at the end."""

    def skip(self, size: int) -> None:
        """Leaves out so many. Raises `CutOff` if there are fewer."""


@dataclass(frozen=True)
class Member:
    """A file of an archive, or a link."""

    name: str
    """As `normal` spells it."""
    size: int
    offset: int
    """Where its content begins in the archive."""
    target: str | None = None
    """Of a link, the name of what it leads to; it may be missing."""


class Tar:
    """A tar archive, from its first member to its last.

    while member := tar.next():
        content = tar.read(member.size)  # Or a part of it, or nothing.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._offset = 0
        self._left = 0
        """What of the member's content was not read."""
        self._padding = 0
        self._members = 0

    def next(self) -> Member | None:
        """The next file or link; None at the end. Raises `ArchiveError`."""
        extended: dict[str, bytes] = {}
        while header := self._header():
            kind = header[156:157]
            size = _size(header, extended)
            if kind in (_LONG_NAME, _LONG_LINK):
                name = self._extension(_number(header[124:136])).split(b"\0", 1)[0]
                extended["path" if kind == _LONG_NAME else "linkpath"] = name
                continue
            if kind in (_EXTENDED, _EXTENDED_BY_SOLARIS):
                extended |= _records(self._extension(_number(header[124:136])))
                continue
            if kind == _EXTENDED_OF_ALL:
                self._extension(_number(header[124:136]))
                continue
            member = self._member(header, kind, size, extended)
            extended = {}
            if member is not None:
                return member
        return None

    def read(self, size: int) -> bytes:
        """The next bytes of the member, at most so many; none at its end. Raises `CutOff`."""
        wanted = min(size, self._left)
        if not wanted:
            return b""
        found = self._source.read(wanted)
        if not found:
            raise CutOff
        self._left -= len(found)
        self._offset += len(found)
        return found

    def _member(
        self, header: bytes, kind: bytes, size: int, extended: dict[str, bytes]
    ) -> Member | None:
        if kind == _SPARSE or any(name.startswith("GNU.sparse.") for name in extended):
            raise ArchiveError("the archive has a sparse file: no tool writes these into images")
        self._begin(0 if kind in _WITHOUT_CONTENT else size)
        name = normal(_text(extended.get("path", _name(header))))
        link = _text(extended.get("linkpath", _terminated(header[157:257])))
        if kind in (_REGULAR, _CONTIGUOUS, _OLD):
            return Member(name, size, self._offset)
        if kind == _HARD_LINK:
            return Member(name, 0, self._offset, normal(link))
        if kind == _SYMBOLIC_LINK:
            return Member(name, 0, self._offset, normal(link, posixpath.dirname(name)))
        return None

    def _header(self) -> bytes | None:
        """The next header; None at the end."""
        self._source.skip(self._left + self._padding)
        self._offset += self._left + self._padding
        self._left = self._padding = 0
        header = self._exactly(BLOCK, may_end=True)
        if not header.strip(b"\0"):
            return None
        if sum(header[:148]) + sum(header[156:]) + 8 * ord(" ") != _number(header[148:156]):
            raise ArchiveError("the archive is damaged, or it is no tar archive")
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise ArchiveError(f"the archive has more than {MAX_MEMBERS:,} members")
        return header

    def _begin(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _extension(self, size: int) -> bytes:
        if size > MAX_EXTENSION:
            raise ArchiveError(f"the archive has a name of more than {MAX_EXTENSION:,} bytes")
        self._begin(size)
        content = self._exactly(size)
        self._left = 0
        return content

    def _exactly(self, size: int, *, may_end: bool = False) -> bytes:
        found = bytearray()
        while len(found) < size:
            piece = self._source.read(min(size - len(found), _PIECE))
            if not piece:
                break
            found += piece
        self._offset += len(found)
        if len(found) < size and (found or not may_end):
            raise CutOff
        return bytes(found)


def normal(name: str, folder: str = "") -> str:
    """A name without what leads nowhere else: `./a//b/../c` is `a/c`.

    Nothing is ever written, so a name that leads out of the archive is only one that nobody asks
    for.
    """
    return posixpath.normpath(posixpath.join("/", folder, name)).strip("/")


def _name(header: bytes) -> bytes:
    name, prefix = _terminated(header[:100]), b""
    if header[257:263] == b"ustar\0":  # GNU has something else in the place of the prefix.
        prefix = _terminated(header[345:500])
    return prefix + b"/" + name if prefix else name


def _terminated(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _size(header: bytes, extended: dict[str, bytes]) -> int:
    text = extended.get("size")
    if text is None:
        return _number(header[124:136])
    if not text.isdigit() or len(text) > 18:
        raise ArchiveError("the archive is damaged: a size is no number")
    return int(text)


def _number(field: bytes) -> int:
    """A number of a header: octal digits, or binary where the first bit is set (GNU)."""
    if field[0] & 0x80:
        number = int.from_bytes(field[1:], "big")
        if field[0] != 0x80 or number >= 1 << 62:
            raise ArchiveError("the archive is damaged: a size is negative, or far too large")
        return number
    text = field.strip(b" \0")
    if not text:
        return 0
    if not re.fullmatch(rb"[0-7]+", text):
        raise ArchiveError("the archive is damaged, or it is no tar archive")
    return int(text, 8)


def _records(content: bytes) -> dict[str, bytes]:
    """POSIX's extended attributes: lines of `<length> <name>=<value>`."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(content) and content[at] != 0:
        record = _RECORD.match(content, at)
        end = at + int(record[1]) if record else 0
        if record is None or not record.end() < end <= len(content) or content[end - 1] != 0x0A:
            raise ArchiveError("the archive is damaged: an extended attribute cannot be read")
        found[_text(record[2])] = content[record.end() : end - 1]
        at = end
    return found
