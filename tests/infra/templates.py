"""The files that the rules look at, as texts: so that a test can change one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.infra.bicep import File

ROOT = Path(__file__).resolve().parents[2]
_READ = (
    "infra/*.bicep",
    "infra/modules/*.bicep",
    "infra/*.bicepparam",
    "infra/*.json",
    ".github/workflows/deploy.yml",
    "docs/*.md",
    "host.json",
    "function_app.py",
    "registry_core/**/*.py",
)


@dataclass(frozen=True)
class Templates:
    """Texts by their paths, relative to the project."""

    texts: Mapping[str, str] = field(repr=False)

    @classmethod
    @cache
    def read(cls) -> Templates:
        """What is on disk."""
        paths = sorted(path for pattern in _READ for path in ROOT.glob(pattern))
        return cls({path.relative_to(ROOT).as_posix(): path.read_text() for path in paths})

    def replaced(self, path: str, old: str, new: str) -> Templates:
        """With a change to one file; what is changed has to be there, once."""
        count = self.texts[path].count(old)
        if count != 1:
            raise ValueError(f"{path} has {old!r} {count} times")
        return Templates({**self.texts, path: self.texts[path].replace(old, new)})

    def file(self, path: str) -> File:
        """One Bicep file."""
        return _parsed(path, self.texts[path])

    def modules(self) -> Iterator[File]:
        """All Bicep files but those of parameters."""
        return (self.file(path) for path in self.texts if path.endswith(".bicep"))

    @property
    def main(self) -> File:
        """What is deployed."""
        return self.file("infra/main.bicep")


@cache
def _parsed(path: str, text: str) -> File:
    return File(path, text)
