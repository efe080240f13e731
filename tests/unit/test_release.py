"""One version for everything, and how a new one is cut."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra import package
from infra.release import ReleaseError, Sources
from registry_core import __version__
from slipway_cli.main import main
from tests.checkout import ROOT, copy_sources

Cut = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources in a repository of their own, with nothing uncommitted."""
    target = copy_sources(tmp_path_factory.mktemp("origin"))
    git(target, "init", "--quiet", "--initial-branch", "main")
    git(target, "add", "--all", "--force")
    git(target, "commit", "--quiet", "--message", "All of it")
    return target


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    return tmp_path / "clone"


@pytest.fixture
def cut(clone: Path) -> Cut:
    """Cuts a release as make does, less the time that make takes."""
    return lambda version: called(clone, sys.executable, "infra/release.py", version)


def called(clone: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=clone, env=environment(), capture_output=True, check=False, text=True
    )


def environment() -> dict[str, str]:
    """A git that knows who commits, and nothing of the machine's own."""
    who = {
        f"GIT_{role}_{key}": "t@e.st"
        for role in ("AUTHOR", "COMMITTER")
        for key in ("NAME", "EMAIL")
    }
    return os.environ | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def git(clone: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments],
        cwd=clone,
        env=environment(),
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()


def test_the_version_is_that_of_the_change_log() -> None:
    Sources.read(ROOT).check()


def test_there_is_one_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"slipway {__version__}\n"
    assert package.version(ROOT) == Sources.read(ROOT).version == __version__


LOG = "# Change log\n\n{}\n\n### Added\n\n- Something.\n\n## [0.2.0] - 2026-01-31\n\n- First.\n"


@pytest.mark.parametrize(
    ("version", "heading"),
    [
        ("0.2.1-dev", "## Unreleased"),
        ("1.0.0-dev", "## Unreleased"),
        ("0.10.0", "## [0.10.0] - 2026-02-01"),
    ],
)
def test_a_version_that_agrees_with_the_change_log_is_fine(version: str, heading: str) -> None:
    Sources(f'__version__ = "{version}"', LOG.format(heading)).check()


@pytest.mark.parametrize(
    ("version", "heading"),
    [
        ("0.3.0", "## Unreleased"),
        ("0.2.0-dev", "## Unreleased"),
        ("0.1.9-dev", "## Unreleased"),
        ("0.3.0-rc", "## Unreleased"),
        ("-dev", "## Unreleased"),
        ("0.3.0-dev", "## [0.3.0] - 2026-02-01"),
        ("0.2.0", "## [0.3.0] - 2026-02-01"),
        ("0.3.0", "## 0.3.0"),
    ],
)
def test_a_version_that_disagrees_with_the_change_log_is_found(version: str, heading: str) -> None:
    with pytest.raises(ReleaseError):
        Sources(f'__version__ = "{version}"', LOG.format(heading)).check()


def test_a_release_is_a_commit_with_a_tag_and_the_next_version_begins(clone: Path) -> None:
    before, first = git(clone, "rev-parse", "HEAD"), datetime.now(UTC).date()
    version = __version__.partition("-")[0]
    make = ("make", "release", f"PYTHON={sys.executable}", f"VERSION={version}")
    said = called(clone, *make)
    assert said.returncode == 0, said.stderr
    tag = f"v{version}"
    assert f"git push --atomic origin HEAD {tag}" in said.stdout
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "rev-parse", f"{tag}^{{commit}}", "HEAD~2").split() == [
        git(clone, "rev-parse", "HEAD~1"),
        before,
    ]
    Sources.read(clone).check()
    assert package.version(clone) == f"{version[:-1]}{int(version[-1]) + 1}-dev"

    git(clone, "checkout", "--quiet", tag)
    Sources.read(clone).check()
    assert package.version(clone) == version
    log = (clone / "CHANGELOG.md").read_text()
    assert "## Unreleased" not in log
    found = re.search(rf"^## \[{re.escape(version)}\] - (\S+)$", log, re.MULTILINE)
    assert found
    assert first <= datetime.fromisoformat(found[1]).date() <= datetime.now(UTC).date()
    assert git(clone, "diff", "--name-only", "HEAD~1").split() == [
        "CHANGELOG.md",
        "registry_core/__init__.py",
    ]


def test_a_second_release_follows_when_there_is_something_to_say(clone: Path, cut: Cut) -> None:
    assert cut("7.1.0").returncode == 0
    assert "has no text under" in cut("7.2.0").stderr
    log = clone / "CHANGELOG.md"
    log.write_text(log.read_text().replace("## Unreleased\n", "## Unreleased\n\n- More.\n", 1))
    git(clone, "commit", "--quiet", "--all", "--message", "Say more")
    assert "the tag v7.1.0 already exists" in cut("7.1.0").stderr
    assert "older than 7.1.1-dev" in cut("7.0.9").stderr
    assert cut("7.2.0").returncode == 0
    assert git(clone, "tag").split() == ["v7.1.0", "v7.2.0"]
    Sources.read(clone).check()


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("", "is not a version"),
        ("v9.0.0", "is not a version"),
        ("9.0", "is not a version"),
        ("9.0.0-rc.1", "is not a version"),
        ("09.0.0", "is not a version"),
        ("0.0.1", "is older than"),
    ],
)
def test_a_release_that_cannot_be_changes_nothing(
    clone: Path, cut: Cut, version: str, reason: str
) -> None:
    said = cut(version)
    assert said.returncode != 0
    assert reason in said.stderr
    assert git(clone, "rev-list", "--count", "HEAD") == "1"
    assert git(clone, "status", "--porcelain") == git(clone, "tag") == ""


def test_nothing_that_is_not_committed_is_released(clone: Path, cut: Cut) -> None:
    (clone / "host.json").write_text("{}")
    assert "commit your changes first" in cut("9.0.0").stderr
    git(clone, "checkout", "--quiet", "host.json")
    git(clone, "tag", "v9.0.0")
    assert "the tag v9.0.0 already exists" in cut("9.0.0").stderr
    assert git(clone, "rev-list", "--count", "HEAD") == "1"
