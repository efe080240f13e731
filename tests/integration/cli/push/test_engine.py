"""`slipway push` of an image, where there is none: what it says. `tests/e2e` has the engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.images import digest_of
from tests.integration.cli.conftest import Run
from tests.integration.cli.shelf import Shelf


def test_without_an_engine_it_says_of_each_why(
    run: Run, shelf: Shelf, admin: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, out, err = run("push", "app:dev", "team/app:v1")
    assert (status, out) == (1, "")
    assert "no engine has app:dev: docker is not installed; podman is not installed" in err
    status, _, err = run("push", "team/app", "--engine", "podman")
    assert "docker" not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["app:dev", "team/app", "--select", "v1"], "--select needs --archive"),
        (["app:dev", "team/app", "--platform", "linux/arm64"], "--platform needs --archive"),
        (["app:dev", "team/app", "--mount-from", "team/b"], "--mount-from needs --archive"),
        (["app:dev", f"team/app@{digest_of(b'')}"], "name a tag"),
        (["app:dev", "Team/App"], "Team/App"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(
    run: Run, admin: Path, words: list[str], said: str
) -> None:
    status, out, err = run("push", *words)
    assert (status, out) == (2, "")
    assert said in err
