"""A disk that is full, below the storage that `make run` starts."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from devhost.processes.process import HostProcess
from tests.integration.core.support import OCI_MANIFEST, Image, digest_of

ROOT = Path(__file__).parents[3]
PASSWORD = "vR7-kQ2_tW9-xZ4_bN6"
MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def push_blob(client: httpx.Client, content: bytes) -> httpx.Response:
    path = f"/v2/a/blobs/uploads/?digest={digest_of(content)}"
    return client.post(path, content=content)


def put_manifest(client: httpx.Client, image: Image) -> httpx.Response:
    headers = {"Content-Type": OCI_MANIFEST}
    return client.put("/v2/a/manifests/v1", content=image.manifest, headers=headers)


def test_a_full_disk_is_told_loses_nothing_and_is_over_once_there_is_room(disk: Path) -> None:
    settings = {"REGISTRY_ADMIN_PASSWORD": PASSWORD, "DATA_DIR": str(disk)}
    image = Image.make()
    with (
        HostProcess(ROOT, settings) as host,
        httpx.Client(base_url=host.base_url, auth=("admin", PASSWORD), timeout=60) as client,
    ):
        for blob in image.blobs:
            assert push_blob(client, blob).status_code == 201
        ballast = disk / "ballast"
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
        ballast.write_bytes(bytes(free - 2 * MIB))
        for answer in (
            push_blob(client, secrets.token_bytes(MIB)),
            push_blob(client, secrets.token_bytes(MIB)),
            put_manifest(client, image),
        ):
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "UNAVAILABLE")
            assert answer.json()["errors"][0]["message"].startswith("storage is full")
            assert int(answer.headers["retry-after"]) > 0
        health = client.get("/healthz")
        assert (health.status_code, health.text) == (503, "storage full\n")
        assert host.output.count("storage is full: nothing can be written") == 1
        assert "Ambiguous" not in host.output
        layer = f"/v2/a/blobs/{digest_of(image.layer)}"
        assert client.get(layer, follow_redirects=True).content == image.layer
        ballast.unlink()
        assert written(client, image).status_code == 201
        assert client.get("/v2/a/manifests/v1").content == image.manifest
        assert client.get("/healthz").text == "ok\n"


def written(client: httpx.Client, image: Image) -> httpx.Response:
    """Tries again for as long as it is full: storage looks at its disk now and then."""
    while (answer := put_manifest(client, image)).status_code == 503:
        continue
    return answer
