"""A push over a connection that breaks again and again arrives, and is not sent all over again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archives import LayoutFiles, written
from tests.e2e.images import Image, Layer, incompressible, tar
from tests.integration.cli.relay.cutting import Cutting
from tests.integration.cli.shelf import Shelf
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[4]
MIB = 1024 * 1024
CHUNK = 4 * MIB
CUTS = 6
OVERHEAD = MIB
"""For the headers of all requests, and small blobs that are sent twice."""


@pytest.mark.parametrize(("way", "seed"), [("file", 1), ("standard input", 2)])
def test_an_archive_arrives_over_a_connection_that_is_cut(
    way: str, seed: int, admin: Path, shelf: Shelf, tmp_path: Path
) -> None:
    one = Image([Layer(tar({"data": incompressible(7 * MIB, (seed, n))})) for n in range(3)])
    files = LayoutFiles()
    files.list(files.image(one))
    archive = written(files.files())
    (tmp_path / "archive").write_bytes(archive)
    repository = f"push/cut-{seed}"
    source = "-" if way == "standard input" else str(tmp_path / "archive")
    words = ("push", "--archive", source, f"{repository}:v1", "--chunk", "4MiB")
    with Cutting(f"http://{shelf.netloc}", seed, most=5 * MIB, cuts=CUTS) as cutting:
        pushed = subprocess.run(
            [sys.executable, "-m", "slipway_cli", *words],
            env={**os.environ, "SLIPWAY_REGISTRY": f"127.0.0.1:{cutting.port}"},
            cwd=ROOT,
            input=archive,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    assert pushed.returncode == 0, pushed.stderr
    assert cutting.made == CUTS
    assert pushed.stdout.decode().strip().endswith(f"/{repository}@{one.digest}")
    path = f"/v2/{repository}/manifests/v1"
    assert shelf.send("GET", path) == (200, one.manifest)
    assert cutting.octets_in <= len(archive) + CUTS * CHUNK + OVERHEAD
