"""Where archives are read from: files, which can be read anywhere, and what only flows."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

from slipway_cli.push.archives.errors import ArchiveError, CutOff

PIECE = 1024 * 1024
"""How many bytes are read at once."""
_MAGIC_LENGTH = 6
_GZIP = b"\x1f\x8b"
_OTHERS = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2"}
"""How archives begin that are compressed in ways which only other programs undo."""


class Stream(Protocol):
    """As much of a file as is needed of it."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class Disk:
    """A tar archive in a file, from its first byte to its last."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises `ArchiveError`."""
        try:
            return self._file.read(size)
        except OSError as error:
            raise unreadable(error) from error

    def skip(self, size: int) -> None:
        """Leaves out so many. Raises `CutOff`."""
        if size and self._file.seek(size, 1) > self._size:
            raise CutOff


class Flow:
    """A tar archive that comes once and in order, compressed by gzip or not."""

    def __init__(self, stream: Stream, file: BinaryIO | None = None) -> None:
        """Of a stream; `file` is what there is to be closed at the end."""
        self._file = file
        begun = _Begun(stream)
        for magic, name in _OTHERS.items():
            if begun.first.startswith(magic):
                raise ArchiveError(
                    f"the archive is compressed by {name}, which is not read here: "
                    f"`{name} -dc ARCHIVE | slipway push --archive - REFERENCE`"
                )
        self._stream: Stream = begun
        if begun.first.startswith(_GZIP):
            self._stream = gzip.GzipFile(fileobj=begun, mode="rb")

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises `ArchiveError`."""
        try:
            return self._stream.read(size)
        except EOFError as error:
            raise CutOff from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ArchiveError("the archive is damaged: gzip cannot decompress it") from error
        except OSError as error:
            raise unreadable(error) from error

    def skip(self, size: int) -> None:
        """Leaves out so many. Raises `CutOff`."""
        while size:
            found = self.read(min(size, PIECE))
            if not found:
                raise CutOff
            size -= len(found)

    def close(self) -> None:
        """Closes the file, if it is ours."""
        if self._file is not None:
            self._file.close()

    def end(self) -> None:
        """Reads what is left: who writes it is not to be cut off, and gzip compares its sum."""
        while self.read(PIECE):
            pass


class _Begun(io.RawIOBase):
    """A stream of which the first bytes were looked at."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        self.first = b""
        try:
            while len(self.first) < _MAGIC_LENGTH:
                found = stream.read(_MAGIC_LENGTH - len(self.first))
                if not found:
                    break
                self.first += found
        except OSError as error:
            raise unreadable(error) from error
        self._unread = self.first

    def read(self, size: int = -1, /) -> bytes:
        """The first bytes again, then the others."""
        if not self._unread:
            return self._stream.read(size)
        found, self._unread = self._unread[:size], self._unread[size:]
        return found


def is_compressed(file: Stream) -> bool:
    """Whether a file is, by its first bytes. Raises `ArchiveError`."""
    first = _Begun(file).first
    return first.startswith((_GZIP, *_OTHERS))


def open_regular(path: Path, name: str) -> BinaryIO:
    """A file, opened: a pipe would wait for who never writes. Raises `ArchiveError`."""
    try:
        if not path.is_file():
            raise ArchiveError(f"{name} is no file")
        return path.open("rb")
    except OSError as error:
        raise ArchiveError(f"{name} cannot be read: {error.strerror}") from error


def unreadable(error: OSError) -> ArchiveError:
    """What to raise where reading fails."""
    return ArchiveError(f"the archive cannot be read: {error.strerror or type(error).__name__}")
