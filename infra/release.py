"""Cuts a release: `make release VERSION=0.1.0` commits it, tags it, and begins the next version.

Nothing leaves the clone: docs/releasing.md says how the tag is published, and what it sets going.
Needs nothing but git and Python's standard library.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION_FILE = "registry_core/__init__.py"
CHANGE_LOG = "CHANGELOG.md"
UNRELEASED = "## Unreleased"
PRE_RELEASE = "-dev"
"""The mark of what is not released yet: it precedes the version itself (SemVer 2.0.0, 11)."""
_RELEASED = re.compile(
    r"^## \[(?P<version>(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2})\] - \d{4}-\d\d-\d\d$", re.MULTILINE
)
_HEADING = re.compile(r"^## .*$", re.MULTILINE)
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)

Numbers = tuple[int, int, int]


class ReleaseError(Exception):
    """The release cannot be cut; the text says why, and nothing was changed."""


def numbers(version: str) -> Numbers:
    """`1.2.3` as numbers, which order as versions do. Raises `ReleaseError`."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version, re.ASCII):
        raise ReleaseError(f"{version!r} is not a version: use three numbers, such as 0.1.0")
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


@dataclass(frozen=True)
class Sources:
    """The two texts that a release changes."""

    version_file: str
    change_log: str

    @classmethod
    def read(cls, root: Path) -> Sources:
        """As they are in the clone at `root`."""
        return cls((root / VERSION_FILE).read_text(), (root / CHANGE_LOG).read_text())

    def write(self, root: Path) -> None:
        """Puts them there."""
        (root / VERSION_FILE).write_text(self.version_file)
        (root / CHANGE_LOG).write_text(self.change_log)

    @property
    def version(self) -> str:
        """What the sources call themselves."""
        found = _VERSION.search(self.version_file)
        if found is None:
            raise ReleaseError(f"{VERSION_FILE}: __version__ is missing")
        return found[1]

    @property
    def newest(self) -> Numbers | None:
        """The newest version of the change log that was released."""
        found = _RELEASED.search(self.change_log)
        return numbers(found["version"]) if found else None

    def check(self) -> None:
        """Raises `ReleaseError` if the version and the change log disagree."""
        first = _HEADING.search(self.change_log)
        if first is None:
            raise ReleaseError(f"{CHANGE_LOG} has no heading with a version")
        if first[0] == UNRELEASED:
            core, mark = self.version.removesuffix(PRE_RELEASE), self.version[-len(PRE_RELEASE) :]
            if mark != PRE_RELEASE or (self.newest and numbers(core) <= self.newest):
                raise ReleaseError(
                    f"{VERSION_FILE} says {self.version}; while {CHANGE_LOG} begins with "
                    f"'{UNRELEASED}' it must be the next version, with {PRE_RELEASE} at its end"
                )
        elif first[0] not in {found[0] for found in _RELEASED.finditer(self.change_log)}:
            raise ReleaseError(f"{CHANGE_LOG}: the heading '{first[0]}' does not name a version")
        elif numbers(self.version) != self.newest:
            raise ReleaseError(f"{VERSION_FILE} says {self.version}, and {CHANGE_LOG} '{first[0]}'")

    def released(self, version: str, date: str) -> Sources:
        """As `version`, released on `date`. Raises `ReleaseError` if it cannot be."""
        self.check()
        begin, heading, rest = self.change_log.partition(f"{UNRELEASED}\n")
        if not heading:
            raise ReleaseError(f"{CHANGE_LOG} has no '{UNRELEASED}': there is nothing to release")
        if not _HEADING.split(rest, maxsplit=1)[0].strip():
            raise ReleaseError(f"{CHANGE_LOG} has no text under '{UNRELEASED}'")
        if numbers(version) < numbers(self.version.removesuffix(PRE_RELEASE)):
            raise ReleaseError(f"{version} is older than {self.version}, which is the next version")
        log = f"{begin}## [{version}] - {date}\n{rest}"
        return Sources(_named(self.version_file, version), log)

    def begun(self) -> Sources:
        """After a release: the next version is at least one patch later."""
        major, minor, patch = numbers(self.version)
        following = f"{major}.{minor}.{patch + 1}{PRE_RELEASE}"
        begin, heading, rest = self.change_log.partition("## ")
        log = f"{begin}{UNRELEASED}\n\n{heading}{rest}"
        return Sources(_named(self.version_file, following), log)


def release(root: Path, version: str) -> None:
    """Commits and tags `version`, then begins the next. Raises `ReleaseError`."""
    numbers(version)
    tag = f"v{version}"
    if _git(root, "status", "--porcelain"):
        raise ReleaseError("commit your changes first; `git status` shows them")
    _git(root, "var", "GIT_COMMITTER_IDENT")  # Fails where git does not know who commits.
    if _git(root, "tag", "--list", tag):
        raise ReleaseError(f"the tag {tag} already exists")
    sources = Sources.read(root).released(version, f"{datetime.now(UTC):%Y-%m-%d}")
    following = sources.begun()
    _commit(root, sources, f"Release {version}")
    _git(root, "tag", "--annotate", "--message", f"Slipway {version}", tag)
    _commit(root, following, f"Begin {following.version}")


def _named(text: str, version: str) -> str:
    return _VERSION.sub(f'__version__ = "{version}"', text, count=1)


def _commit(root: Path, sources: Sources, message: str) -> None:
    sources.write(root)
    _git(root, "commit", "--quiet", "--message", message, VERSION_FILE, CHANGE_LOG)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"git {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def main() -> int:
    """Cuts the release, and says how to publish it."""
    parser = argparse.ArgumentParser(prog="make release VERSION=", description=__doc__)
    parser.add_argument("version", nargs="?", default="", help="such as 0.1.0")
    version: str = parser.parse_args().version
    try:
        release(ROOT, version)
    except ReleaseError as error:
        sys.stderr.write(f"make release: {error}\n")
        return 1
    sys.stdout.write(
        f"Tagged v{version}. To publish it, and have the pipeline deploy it:\n"
        f"  git push --atomic origin HEAD v{version}\n"
        f"To undo it, while it is not published:\n"
        f"  git tag --delete v{version} && git reset --hard HEAD~2\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
