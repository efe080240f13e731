"""The lock files do what they are for, with pip and an index of packages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from registry_core import __version__
from tests import locks
from tests.e2e.process import CommandError, run

INSTALLS = re.compile(r"^python3 -m venv \.venv && \.venv/bin/pip install -r \S+$", re.MULTILINE)
"""The line of docs/deploy.md that sets up the command line."""


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_a_build_of_the_package_with_an_older_python_fails_and_says_why(
    python: str, scratch: Path
) -> None:
    """Where ranges would have deployed an app without functions."""
    with pytest.raises(CommandError) as failed:
        run(
            [
                *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check"),
                *("--python-version", python, "--only-binary=:all:"),
                *("--dest", scratch, "--requirement", locks.APP),
            ]
        )
    said = failed.value.result.output
    assert "No matching distribution found for azure-functions" in said
    assert "Requires-Python >=3.13" in said


def test_the_command_line_works_in_a_clone_as_the_documentation_installs_it(scratch: Path) -> None:
    (line,) = INSTALLS.findall((locks.ROOT / "docs/deploy.md").read_text())
    for package in ("registry_core", "slipway_cli"):
        shutil.copytree(
            locks.ROOT / package,
            scratch / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copytree(locks.FOLDER, scratch / "requirements")
    shutil.copy(locks.ROOT / "slipway", scratch / "slipway")
    subprocess.run(["sh", "-c", line], cwd=scratch, check=True, capture_output=True, timeout=300)
    assert run(["./slipway", "--version"], cwd=scratch).text == f"slipway {__version__}"
    assert "admin-password" in run(["./slipway", "--help"], cwd=scratch).text


def test_the_command_line_installs_as_a_package(scratch: Path) -> None:
    """As `pipx install .` does it, from a copy: a build leaves files beside the sources."""
    for package in ("registry_core", "slipway_cli", "requirements"):
        shutil.copytree(
            locks.ROOT / package,
            scratch / "source" / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(locks.ROOT / "pyproject.toml", scratch / "source")
    run([sys.executable, "-m", "venv", scratch / "own"])
    run([scratch / "own/bin/pip", "install", "--quiet", scratch / "source"])
    slipway = scratch / "own/bin/slipway"
    assert run([slipway, "--version"], cwd=scratch).text == f"slipway {__version__}"
    assert json.loads(run([slipway, "cost", "--output", "json"], cwd=scratch).text)
    with pytest.raises(CommandError) as failed:
        run([slipway, "token", "list"], cwd=scratch)
    assert "RegistryStorage" in failed.value.result.output
