"""Distribution is built once and kept; without Go there is a word and no failure later."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.contenders import go_tools
from bench.contenders.contender import free_of_settings
from bench.contenders.go_tools import DISTRIBUTION, GoError


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, on a machine without Go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    return tmp_path


def test_without_go_it_cannot_be_had(cache: Path) -> None:
    with pytest.raises(GoError, match="no Go"):
        go_tools.registry()


def test_what_was_built_needs_no_go(cache: Path) -> None:
    kept = cache / "slipway-bench" / f"distribution-v{DISTRIBUTION}" / "registry"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert go_tools.registry() == kept


def test_settings_of_the_shell_change_nothing_of_it() -> None:
    shell = {"PATH": "/bin", "REGISTRY_HTTP_ADDR": ":1", "AZURE_TENANT_ID": "x", "OTEL_X": "y"}
    assert free_of_settings(shell) == {"PATH": "/bin"}
