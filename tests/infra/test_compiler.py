"""The compiler itself, where there is one: no registry that the project installs from has it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.infra.templates import ROOT

BICEP = shutil.which("bicep")


@pytest.mark.skipif(BICEP is None, reason="there is no bicep on the PATH")
@pytest.mark.parametrize(
    "command", [["build", "infra/main.bicep"], ["build-params", "infra/main.bicepparam"]]
)
def test_the_templates_compile_without_a_warning(command: list[str]) -> None:
    done = subprocess.run(
        [str(BICEP), *command, "--stdout"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
