"""Which release the tests of compatibility hold the sources against."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.release_before import FIRST, HistoryError, release_before


def git(folder: Path, *arguments: str) -> str:
    who = {
        f"GIT_{role}_{key}": "t@e.st"
        for role in ("AUTHOR", "COMMITTER")
        for key in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=os.environ | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A repository of three commits."""
    folder = tmp_path / "history"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for number in range(3):
        git(folder, "commit", "--quiet", "--allow-empty", "--message", f"{number}")
    return folder


def test_while_nothing_is_released_a_named_commit_stands_for_the_release_before(
    history: Path,
) -> None:
    first = git(history, "rev-parse", "HEAD~2")
    assert release_before(history, first) == first
    assert len(FIRST.read_text().strip()) == 40


def test_the_release_before_is_the_newest_tag_below_the_commit_at_hand(history: Path) -> None:
    git(history, "tag", "v0.1.0", "HEAD~2")
    git(history, "tag", "other", "HEAD~1")
    git(history, "tag", "--annotate", "--message", "", "v0.2.0", "HEAD")
    assert release_before(history, "none") == "v0.1.0"
    git(history, "commit", "--quiet", "--allow-empty", "--message", "more")
    assert release_before(history, "none") == "v0.2.0"


def test_a_tag_that_is_no_ancestor_is_not_the_release_before(history: Path) -> None:
    first = git(history, "rev-parse", "HEAD~2")
    git(history, "tag", "v9.0.0")
    git(history, "checkout", "--quiet", "--detach", "HEAD~1")
    assert release_before(history, first) == first


def test_where_history_is_missing_the_reason_says_what_to_fetch(
    history: Path, tmp_path: Path
) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{history}", str(shallow))
    first = git(history, "rev-parse", "HEAD~2")
    with pytest.raises(HistoryError, match="git fetch --unshallow --tags"):
        release_before(shallow, first)
    with pytest.raises(HistoryError, match="git fetch --tags"):
        release_before(history, "0" * 40)
    with pytest.raises(HistoryError, match="git fetch --unshallow --tags"):
        release_before(tmp_path, first)  # As an archive of the sources: no repository at all.
