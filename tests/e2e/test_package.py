"""The package as it is deployed, where nothing else is: it serves a push and a pull.

The environment is what Azure's remote build makes: an empty one with the worker's engine, and what
the package's own requirements.txt names beside it (`make` installs that, see PACKAGE_READY there).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from devhost.processes.azurite import Azurite
from infra import package
from tests.e2e.registry import ROOT
from tests.engine.host import EngineHost
from tests.engine.process import EngineProcess

ENVIRONMENT = ROOT / ".venv-package"
PYTHON = ENVIRONMENT / "bin/python"
PASSWORD = secrets.token_urlsafe(32)
HARNESS = ("worker.py", "protos.py")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("ENGINE_PYTHON"),
    reason="there is no Python 3.13 for the environment of the package",
)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the Functions host would run."""
    folder = tmp_path_factory.mktemp("package")
    package.build(ROOT, folder / "slipway.zip")
    with zipfile.ZipFile(folder / "slipway.zip") as archive:
        archive.extractall(folder / "wwwroot")
    return folder / "wwwroot"


@pytest.fixture(scope="module")
def served(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineHost]:
    harness = tmp_path_factory.mktemp("harness")
    (harness / "tests/engine").mkdir(parents=True)
    for name in HARNESS:
        shutil.copy(ROOT / "tests/engine" / name, harness / "tests/engine" / name)
    log = tmp_path_factory.mktemp("log") / "engine.log"
    with Azurite(tmp_path_factory.mktemp("azurite")) as azurite:
        settings = {
            "PYTHONPATH": f"{harness}:{ENVIRONMENT / 'site-packages'}",
            "RegistryStorage": azurite.connection_string,
            "REGISTRY_ADMIN_USER_ENABLED": "on",
            "REGISTRY_ADMIN_USERNAME": "admin",
            "REGISTRY_ADMIN_PASSWORD": PASSWORD,
        }
        with EngineHost(unpacked, settings, log, engine=EngineProcess(log, PYTHON)) as host:
            yield host


def test_the_environment_has_what_the_package_asks_for_and_no_more(unpacked: Path) -> None:
    asked = (unpacked / "requirements.txt").read_bytes()
    assert asked == (ENVIRONMENT / "requirements.txt").read_bytes()
    for module in ("devhost", "tests", "pytest", "httpx", "httptools"):
        command: list[str | Path] = [PYTHON, "-I", "-c", f"import {module}"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 1, module


def test_it_serves_a_push_and_a_pull(served: EngineHost) -> None:
    repository = "team/app/web"
    with httpx.Client(base_url=served.base_url, timeout=60) as client:
        assert client.get("/v2/").status_code == 401
        scope = f"repository:{repository}:pull,push"
        answer = client.get("/oauth2/token", params={"scope": scope}, auth=("admin", PASSWORD))
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        config, layer = b"{}", os.urandom(9 * 1024 * 1024)
        # As containerd and oras do, and as docker does.
        began = client.post(f"/v2/{repository}/blobs/uploads/")
        done = client.put(f"{began.headers['location']}&digest={digest(config)}", content=config)
        assert done.status_code == 201, done.text
        began = client.post(f"/v2/{repository}/blobs/uploads/")
        sent = client.patch(began.headers["location"], content=pieces(layer))
        assert sent.status_code == 202, sent.text
        done = client.put(f"{sent.headers['location']}&digest={digest(layer)}")
        assert done.status_code == 201, done.text
        document = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor("application/vnd.oci.empty.v1+json", config),
                "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
            }
        ).encode()
        address = f"/v2/{repository}/manifests/v1"
        headers = {"Content-Type": MANIFEST}
        assert client.put(address, content=document, headers=headers).status_code == 201
        assert client.get(address).content == document
        for blob in (config, layer):
            found = client.get(f"/v2/{repository}/blobs/{digest(blob)}")
            assert found.status_code == 307
            assert httpx.get(found.headers["location"]).content == blob
        assert client.get("/healthz").text == "ok\n"
    assert served.failures == []


def test_it_serves_the_page_with_every_file_that_it_names(served: EngineHost) -> None:
    with httpx.Client(base_url=served.base_url, timeout=60) as client:
        page = client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-encoding"] == "gzip"
        assert client.get("/ui/team/app?tag=v1").content == page.content
        assets = re.findall(r'"(/ui/_assets/[^"]+)"', page.text)
        assert {Path(asset).suffix for asset in assets} == {".css", ".js", ".svg"}
        for asset in assets:
            answer = client.get(asset)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
        assert client.get("/ui/_settings.json").json()["entra"] is None
    assert served.failures == []


def test_of_the_page_it_holds_what_was_built_and_no_source(unpacked: Path) -> None:
    files = {path.relative_to(unpacked / "ui").parts[:2] for path in (unpacked / "ui").rglob("*")}
    assert files == {
        ("dist",),
        ("dist", "index.html"),
        ("dist", "index.html.gz"),
        ("dist", "_assets"),
    }
    assert not list(unpacked.rglob("*.map"))


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]
