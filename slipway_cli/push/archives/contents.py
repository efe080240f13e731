"""What an archive holds, by name, however it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from slipway_cli.output.text import clean
from slipway_cli.push.archives.errors import ArchiveError, CutOff
from slipway_cli.push.archives.measure import MAGIC_LENGTH, Compression, Measure, compression_of
from slipway_cli.push.archives.sources import PIECE, Disk, open_regular, unreadable
from slipway_cli.push.archives.tar import Member, Tar

MAX_DOCUMENT = 4 * 1024 * 1024
"""How long a document of JSON may be: as long as a manifest in the registry."""
_MAX_LINKS = 10
"""How many links may lead from one to the next."""


class File(ABC):
    """A file of an archive."""

    size: int

    @abstractmethod
    def document(self) -> bytes:
        """All of it, if it is no longer than `MAX_DOCUMENT`. Raises `ArchiveError`."""

    @abstractmethod
    def compression(self) -> Compression:
        """How it is compressed, by its first bytes. Raises `ArchiveError`."""

    @abstractmethod
    def measured(self) -> Measure:
        """What it is by all of its bytes, which may take time to read. Raises `ArchiveError`."""


class Readable(File):
    """A file that can be read, as often as need be."""

    @abstractmethod
    def pieces(self) -> Iterator[bytes]:
        """Its content. Raises `ArchiveError`."""

    def document(self) -> bytes:
        """All of it, if it is no longer than `MAX_DOCUMENT`. Raises `ArchiveError`."""
        if self.size > MAX_DOCUMENT:
            raise ArchiveError(f"a document of {self.size:,} bytes is too long to be one of JSON")
        return b"".join(self.pieces())

    def compression(self) -> Compression:
        """How it is compressed, by its first bytes. Raises `ArchiveError`."""
        return compression_of(next(self.pieces(), b"")[:MAGIC_LENGTH])

    def measured(self) -> Measure:
        """What it is by all of its bytes, which may take time to read. Raises `ArchiveError`."""
        measure = Measure()
        for piece in self.pieces():
            measure.update(piece)
        return measure


@dataclass(frozen=True)
class Held(Readable):
    """A small file, in memory."""

    content: bytes = field(repr=False)

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many bytes it has."""
        return len(self.content)

    def pieces(self) -> Iterator[bytes]:
        """Its content."""
        if self.content:
            yield self.content


@dataclass(frozen=True)
class Stored(Readable):
    """A file on disk, or a part of one."""

    path: Path
    offset: int
    size: int

    def pieces(self) -> Iterator[bytes]:
        """Its content. Raises `ArchiveError`."""
        left = self.size
        with open_regular(self.path, clean(str(self.path))) as file:
            try:
                file.seek(self.offset)
                while left:
                    piece = file.read(min(left, PIECE))
                    if not piece:
                        raise CutOff
                    left -= len(piece)
                    yield piece
            except OSError as error:
                raise unreadable(error) from error


class Contents(Protocol):
    """Files by name."""

    def find(self, name: str) -> File | None:
        """The file of that name, or that a link of that name leads to."""


class Members:
    """The files of a tar archive."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._links: dict[str, str] = {}

    def add(self, name: str, file: File) -> None:
        """A file; one of that name before, or a link, counts no more."""
        self._links.pop(name, None)
        self._files[name] = file

    def link(self, member: Member) -> None:
        """A link, whether what it leads to has come already or not."""
        if member.target is not None and member.target != member.name:
            self._links[member.name] = member.target

    def find(self, name: str) -> File | None:
        """The file of that name, or that a link of that name leads to."""
        for _ in range(_MAX_LINKS):
            if name not in self._links:
                return self._files.get(name)
            name = self._links[name]
        raise ArchiveError(f"{clean(name)} in the archive is a link that leads in a circle")

    def files(self) -> list[File]:
        """All files."""
        return list(self._files.values())


def members_of(path: Path) -> Members:
    """The files of a tar archive on disk, which is not compressed. Raises `ArchiveError`."""
    found = Members()
    with open_regular(path, clean(str(path))) as file:
        tar = Tar(Disk(file, path.stat().st_size))
        while member := tar.next():
            if member.target is None:
                found.add(member.name, Stored(path, member.offset, member.size))
            else:
                found.link(member)
    return found


class Folder:
    """An OCI layout in a folder.

    Only what is named by a digest is read besides the files that every layout has, so that no name
    in it leads elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, name: str) -> File | None:
        """The file of that name."""
        path = self._path / name
        try:
            return Stored(path, 0, path.stat().st_size) if path.is_file() else None
        except OSError as error:
            raise unreadable(error) from error
