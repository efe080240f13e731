"""The README's own commands, as printed."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.clients import Docker
from tests.e2e.images import Image, Layer, tar
from tests.e2e.process import run
from tests.e2e.registry import ROOT, Registry


def test_what_the_readme_says_to_copy_logs_in_pushes_and_pulls(
    docker: Docker, registry: Registry, scratch: Path
) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = next(block for block in blocks if "docker push" in block)
    assert "docker login" in commands
    assert "docker pull" in commands
    docker.load(Image([Layer(tar({"hello": b"world"}))]), "hello-world:latest")
    password = scratch / ".data" / "admin-password"
    password.parent.mkdir()
    password.write_text(registry.password)
    # All that differs from what a reader types is the port, which is taken by whoever reads it.
    script = commands.replace("localhost:7071", f"localhost:{registry.address.rpartition(':')[2]}")
    run(["sh", "-euc", f"cd '{scratch}'\n{script}"], env=docker.environment)
    assert registry.has_manifest("team/app/web", "v1")
