"""The files that lock packages to exact versions, read as pip reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
APP = ROOT / "requirements.txt"
FOLDER = ROOT / "requirements"
PRODUCTION = {
    "python_version": "3.13",
    "python_full_version": "3.13.5",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
}
"""What the markers see where the package is deployed (PEP 508)."""


@dataclass(frozen=True)
class Pin:
    """One package at one version."""

    name: str
    version: str
    marker: Marker | None
    hashes: int
    """How many files may be installed for it."""

    @property
    def is_for_production(self) -> bool:
        return self.marker is None or self.marker.evaluate(dict(PRODUCTION))


def locked(file: Path) -> list[Pin]:
    """What a file of `make lock` says; raises `ValueError` if a line is no exact version."""
    pins = []
    text = re.sub(r"\\\n\s*", " ", file.read_text())
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        requirement, *hashes = re.split(r"\s+--hash=", line)
        parsed = Requirement(requirement)
        exact = [each.version for each in parsed.specifier if each.operator == "=="]
        if len(exact) != 1 or len(parsed.specifier) != 1:
            raise ValueError(f"{file.name}: {requirement} is no exact version")
        name = canonicalize_name(parsed.name)
        pins.append(Pin(name, exact[0], parsed.marker, len(hashes)))
    return pins


def in_production(file: Path) -> dict[str, str]:
    """The version of each package that the file has where the package is deployed."""
    return {pin.name: pin.version for pin in locked(file) if pin.is_for_production}


def asked(file: Path) -> list[Requirement]:
    """What a file that `make lock` reads asks for, and those that it refers to."""
    found = []
    for line in file.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += asked(file.parent / text.removeprefix("-r ").strip())
        elif text and not text.startswith("-c "):
            found.append(Requirement(text))
    return found
