"""What a push that was acknowledged is worth when the development host dies."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

import httpx
import pytest

from devhost.processes.process import HostProcess
from tests.integration.core.support import OCI_MANIFEST, Image, digest_of

ROOT = Path(__file__).parents[3]
PASSWORD = "vR7-kQ2_tW9-xZ4_bN6"


def push(client: httpx.Client, tag: str) -> Image:
    """Pushes an image of two blobs; returns once all of it is acknowledged."""
    image = Image.make()
    for blob in image.blobs:
        answer = client.post(f"/v2/a/blobs/uploads/?digest={digest_of(blob)}", content=blob)
        answer.raise_for_status()
    headers = {"Content-Type": OCI_MANIFEST}
    client.put(f"/v2/a/manifests/{tag}", content=image.manifest, headers=headers).raise_for_status()
    return image


def push_until_it_dies(client: httpx.Client, acknowledged: dict[str, Image], enough: int) -> None:
    try:
        while True:
            tag = f"t{secrets.token_hex(8)}"
            acknowledged[tag] = push(client, tag)
            if len(acknowledged) == enough:
                reached.set()
    except httpx.HTTPError:
        return


reached = threading.Event()


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_what_was_acknowledged_survives_the_death_of_the_host(tmp_path: Path, signal: str) -> None:
    settings = {"REGISTRY_ADMIN_PASSWORD": PASSWORD, "DATA_DIR": str(tmp_path / "data")}
    acknowledged: dict[str, Image] = {}
    for _ in range(3):
        reached.clear()
        host = HostProcess(ROOT, settings)
        with httpx.Client(base_url=host.base_url, auth=("admin", PASSWORD), timeout=60) as client:
            for tag, image in acknowledged.items():
                assert client.get(f"/v2/a/manifests/{tag}").content == image.manifest
                for blob in image.blobs:
                    found = client.get(f"/v2/a/blobs/{digest_of(blob)}", follow_redirects=True)
                    assert found.content == blob
            enough = len(acknowledged) + 8
            pushing = threading.Thread(
                target=push_until_it_dies, args=(client, acknowledged, enough)
            )
            pushing.start()
            assert reached.wait(120), "pushes do not get on"
            if signal == "SIGKILL":
                host.kill()
            host.stop()
            pushing.join()
