"""Storage that was stopped, with the limits of production: what clients wait for at most."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from tests.integration.conftest import TALLY
from tests.integration.core.support import OCI_MANIFEST, Image, digest_of, pieces_of
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
PASSWORD = "vR7-kQ2_tW9-xZ4_bN6"
MIB = 1024 * 1024
STILL_SECONDS, MOVING_SECONDS, HEALTH_SECONDS = 30, 60, 5
LAYER = bytes(64 * MIB)
BLOB = b"a blob that no manifest needs"

#: What moves no bytes of content.
STILL: dict[str, tuple[str, str]] = {
    "catalog": ("GET", "/v2/_catalog"),
    "tags": ("GET", "/v2/a/tags/list"),
    "referrers": ("GET", "/v2/a/referrers/{digest}"),
    "manifest-head": ("HEAD", "/v2/a/manifests/v1"),
    "manifest": ("GET", "/v2/a/manifests/v1"),
    "blob-head": ("HEAD", f"/v2/a/blobs/{digest_of(BLOB)}"),
    "blob-delete": ("DELETE", f"/v2/a/blobs/{digest_of(BLOB)}"),
    "untag": ("DELETE", "/v2/a/manifests/v1"),
    "delete": ("DELETE", "/v2/a/manifests/{digest}"),
    "mount": ("POST", f"/v2/c/blobs/uploads/?mount={digest_of(BLOB)}&from=a"),
    "status": ("GET", "{upload}"),
    "cancel": ("DELETE", "{upload}"),
    "commit": ("PUT", "{upload}&digest=" + digest_of(b"abc")),
    "token": ("GET", "/oauth2/token?service={service}&scope=repository:a:pull"),
    "keys": ("GET", "/oauth2/keys"),
}


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Azurite]:
    with Azurite(tmp_path / "azurite") as running:
        yield running


@pytest.fixture
def client(storage: Azurite) -> Iterator[httpx.Client]:
    settings = {
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
        "RegistryStorage": storage.connection_string,
        "REGISTRY_BLOB_REDIRECT": "off",
        "REGISTRY_CACHE_TTL": "0s",
    }
    with (
        HostProcess(ROOT, settings) as host,
        httpx.Client(
            base_url=host.base_url, auth=("admin", PASSWORD), timeout=2 * PATIENCE
        ) as started,
    ):
        yield started


def push(client: httpx.Client, image: Image, reference: str) -> httpx.Response:
    headers = {"Content-Type": OCI_MANIFEST}
    url = f"/v2/a/manifests/{reference}"
    return client.put(url, content=image.manifest, headers=headers)


@pytest.mark.long
@pytest.mark.rule("T1", "T4", "T5")
def test_storage_that_was_stopped_is_503_long_before_the_front_end_gives_up(
    storage: Azurite, client: httpx.Client, record_property: Callable[[str, object], None]
) -> None:
    image = Image.make()
    for blob in (*image.blobs, BLOB):
        url = f"/v2/a/blobs/uploads/?digest={digest_of(blob)}"
        assert client.post(url, content=blob).status_code == 201
    assert push(client, image, "v1").status_code == 201
    begun = client.post("/v2/a/blobs/uploads/").headers["location"]
    upload = client.patch(begun, content=b"abc").headers["location"]
    layer = client.post("/v2/a/blobs/uploads/").headers["location"]
    assert client.get("/healthz").status_code == 200

    service = client.base_url.netloc.decode()

    def timed(send: str) -> tuple[httpx.Response, float]:
        began = time.monotonic()
        if send == "patch":
            answer = client.patch(layer, content=pieces_of(LAYER, MIB))
        elif send == "put":
            answer = push(client, image.with_manifest(annotations={"a": "b"}), "v2")
        else:
            method, path = STILL[send]
            address = path.format(digest=image.digest, upload=upload, service=service)
            answer = client.request(method, address)
        return answer, time.monotonic() - began

    def health() -> tuple[int, float]:
        began = time.monotonic()
        return client.get("/healthz").status_code, time.monotonic() - began

    os.kill(storage.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(len(STILL) + 3) as pool:
            sent = {kind: pool.submit(timed, kind) for kind in (*STILL, "put", "patch")}
            healthy = pool.submit(health)
            found = {kind: task.result() for kind, task in sent.items()}
            said = [healthy.result(), health()]
    finally:
        os.kill(storage.pid, signal.SIGCONT)
    longest = max(seconds for _, seconds in found.values())
    record_property(TALLY, f"{longest:4.1f} s: the longest answer while storage was stopped")
    for kind, (answer, seconds) in found.items():
        assert answer.status_code == 503, kind
        assert int(answer.headers["retry-after"]) > 0, kind
        assert seconds < (MOVING_SECONDS if kind == "patch" else STILL_SECONDS), kind
    # The first may be what was found just before storage was stopped.
    assert all(seconds < HEALTH_SECONDS for _, seconds in said)
    assert said[1][0] == 503
    assert client.get("/v2/a/tags/list").status_code in (200, 404)
    again = client.post("/v2/a/blobs/uploads/").headers["location"]
    assert client.patch(again, content=b"x").status_code == 202
