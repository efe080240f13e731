"""The built page as it lies beside the app: each file is read when it is first asked for, and kept.

Paths are looked up among the files that are there, and never put together from what a client sends.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ASSETS = "_assets"
"""The folder of files whose names change with their content. No repository begins so."""
_INDEX = "index.html"
_PACKED = ".gz"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


class NotBuiltError(Exception):
    """There is no page beside the app."""


@dataclass(frozen=True)
class File:
    """A file as it is sent: plain, or packed by gzip."""

    content: bytes
    media_type: str
    entity_tag: str
    """Strong, so it tells the packed form from the plain one (RFC 9110, 8.8.3)."""
    is_packed: bool


class Build:
    """The files of one build."""

    def __init__(self, folder: Path) -> None:
        self._paths = {
            path.relative_to(folder).as_posix(): path
            for path in (folder / _INDEX, *(folder / ASSETS).glob("*"))
            if path.is_file()
        }
        self._paths |= {
            f"{name}{_PACKED}": packed
            for name, path in self._paths.items()
            if (packed := path.with_name(path.name + _PACKED)).is_file()
        }
        self._read: dict[str, File] = {}

    def index(self, *, packed: bool) -> File:
        """The page itself."""
        return self._file(_INDEX, packed=packed)

    def asset(self, name: str, *, packed: bool) -> File | None:
        """A file of a build by its name, packed if that is wanted and there; None if unknown."""
        path = f"{ASSETS}/{name}"
        is_known = path in self._paths and not name.endswith(_PACKED)
        return self._file(path, packed=packed) if is_known else None

    def _file(self, name: str, *, packed: bool) -> File:
        is_packed = packed and f"{name}{_PACKED}" in self._paths
        key = f"{name}{_PACKED}" if is_packed else name
        if key not in self._read:
            content = self._paths[key].read_bytes()
            media_type = _TYPES.get(Path(name).suffix, "application/octet-stream")
            entity_tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            self._read[key] = File(content, media_type, entity_tag, is_packed)
        return self._read[key]


@lru_cache(maxsize=4)  # A process serves one; tests have several.
def build_in(folder: Path) -> Build:
    """The build in a folder. Raises `NotBuiltError`, and looks again when it is next asked."""
    if not (folder / _INDEX).is_file():
        raise NotBuiltError
    return Build(folder)
