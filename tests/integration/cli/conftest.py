"""A registry to speak to, and a machine without credentials of its owner."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from slipway_cli.main import main
from tests.integration.cli.shelf import Shelf

ROOT = Path(__file__).parents[3]
CREDENTIALS = (
    "RegistryStorage",
    "REGISTRY_AUTH_FILE",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "DOCKER_CONFIG",
    "SLIPWAY_USERNAME",
    "SLIPWAY_PASSWORD",
    "SLIPWAY_REGISTRY",
)


@pytest.fixture(scope="module")
def served_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The storage of the registry: for the tests alone, no command is told of it."""
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running.connection_string


@pytest.fixture(scope="module")
def shelf(served_storage: str) -> Iterator[Shelf]:
    """A registry, and how to fill it."""
    password = secrets.token_urlsafe(32)
    settings = {
        "RegistryStorage": served_storage,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": password,
        "REGISTRY_ANONYMOUS_PULL": "public/*",
        # What a command changes in storage, the next one is told.
        "REGISTRY_CACHE_TTL": "0s",
    }
    with HostProcess(ROOT, settings) as host:
        yield Shelf(host.base_url.removeprefix("http://"), password)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without credentials, and without storage; answers its folder."""
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def admin(nobody: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `nobody`, but the environment has the admin's password and the registry."""
    monkeypatch.setenv("SLIPWAY_USERNAME", "admin")
    monkeypatch.setenv("SLIPWAY_PASSWORD", shelf.password)
    monkeypatch.setenv("SLIPWAY_REGISTRY", shelf.netloc)
    return nobody


Ran = tuple[int, str, str]
Run = Callable[..., Ran]
Slipway = Callable[[str], Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command, given word by word; its status, its output and what it said beside."""

    def call(*words: str) -> Ran:
        capsys.readouterr()
        try:
            status = main(words)
        except SystemExit as ended:
            status = int(str(ended.code))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    return call


@pytest.fixture
def slipway(run: Run) -> Slipway:
    """Runs a command, given as a person types it."""
    return lambda words: run(*words.split())


@pytest.fixture
def answered(slipway: Slipway) -> Callable[[str], Any]:
    """Runs a command that succeeds; answers what it says to programs."""

    def call(words: str) -> Any:
        status, out, err = slipway(f"{words} -o json")
        assert status == 0, err
        return json.loads(out)

    return call


@pytest.fixture(scope="module")
def new_token(served_storage: str) -> Callable[..., str]:
    """Makes a repository-scoped token; answers its password."""

    def make(name: str, repository: str, *actions: str) -> str:
        arguments = ["--name", name, "--repository", repository, *actions, "-o", "json"]
        ended = subprocess.run(
            [ROOT / "slipway", "token", "create", *arguments],
            env={**os.environ, "RegistryStorage": served_storage},
            capture_output=True,
            check=True,
        )
        return str(json.loads(ended.stdout)["credentials"]["passwords"][0]["value"])

    return make
