"""The release before the sources at hand, from the history of git."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

FIRST = Path(__file__).parent / "e2e" / "before_the_first_release"
"""The commit that stands for the release before while there is none."""
_FETCH = "git fetch --unshallow --tags"


class HistoryError(AssertionError):
    """The release before cannot be told; the text says what to fetch."""


def release_before(root: Path, first: str) -> str:
    """The newest tag `v*` below the commit at hand; where there is none, the commit `first`.

    Raises `HistoryError` where the history that would tell is not there.
    """
    if _git(root, "rev-parse", "--is-shallow-repository") != "false":
        raise HistoryError(
            f"{root} has no whole history, which tells the release before: fetch it with `{_FETCH}`"
        )
    # Not the tag of the commit at hand, which is the release itself.
    found = _git(root, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^") or first
    if _git(root, "cat-file", "-t", f"{found}^{{commit}}") != "commit":
        raise HistoryError(f"{root} has no commit {found}: fetch it with `git fetch --tags`")
    return found


def unpack_package(root: Path, revision: str, folder: Path) -> Path:
    """Builds the package of a revision by its own sources, and unpacks it; answers where."""
    sources, target = folder / "sources", folder / "wwwroot"
    archive = subprocess.run(
        ["git", "archive", "--format=tar", revision], cwd=root, capture_output=True, check=True
    ).stdout
    # Python's own way to extract safely came with 3.11.4.
    sources.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(sources)], input=archive, check=True)
    package = folder / "package.zip"
    command = [sys.executable, str(sources / "infra/package.py"), "--output", str(package)]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(package) as unpacked:
        unpacked.extractall(target)
    return target


def _git(root: Path, *arguments: str) -> str:
    """What git says; nothing if it fails, as where there is no repository."""
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
