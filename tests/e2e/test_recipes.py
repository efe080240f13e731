"""The recipes of docs/limits.md for layers above the host's limit, as printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.archives import LayoutFiles, write_folder
from tests.e2e.clients import Client, Docker
from tests.e2e.engine import Engine
from tests.e2e.images import (
    OCI_CONFIG,
    OCI_MANIFEST,
    Image,
    Layer,
    encode,
    incompressible,
    tar,
)
from tests.e2e.process import Daemon, run
from tests.e2e.registry import ROOT, Registry

MIB = 1024 * 1024
LIMIT = 50 * MIB
Printed = Callable[..., str]


@pytest.fixture(scope="module")
def limited(workspace: Path) -> Iterator[Registry]:
    """A registry of which the host takes no body above a limit."""
    settings = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(LIMIT)}
    started = Registry(workspace / "recipes", settings=settings)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def home(
    workspace: Path, limited: Registry, engine: Engine, environment: dict[str, str]
) -> dict[str, str]:
    """Somebody who has signed in by `docker login`, and nowhere else."""
    folder = workspace / "recipes-home"
    folder.mkdir()
    somebody = {**environment, "HOME": str(folder), "DOCKER_HOST": engine.docker_host}
    words = ("login", "--username", limited.username, "--password-stdin", limited.address)
    run(["docker", *words], env=somebody, stdin=limited.password.encode())
    return somebody


@pytest.fixture
def printed(limited: Registry, repository: str) -> Printed:
    """The commands of a section, the first block of them with a word in it.

    They are run as a reader would have to change them: for the address of the registry, for a
    repository that nothing was pushed to, and for where the command line is.
    """
    page = (ROOT / "docs" / "limits.md").read_text()

    def find(heading: str, word: str) -> str:
        section = re.split(r"^##+ ", page.partition(f"### {heading}\n")[2], flags=re.MULTILINE)[0]
        blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        found: str = next(block for block in blocks if word in block)
        found = found.replace("registry.example.com", limited.address)
        found = found.replace("team/app", repository)
        return found.replace("./slipway", f"'{ROOT}/slipway'")

    return find


@pytest.fixture(scope="module")
def image(program: bytes) -> Image:
    """With a layer above the limit, which gzip makes no smaller."""
    data = incompressible(LIMIT + 2 * MIB, "recipes")
    return Image([Layer(tar({"bin/cat": program})), Layer(tar({"data": data}))])


@pytest.fixture(scope="module")
def folder(workspace: Path, image: Image) -> Path:
    """The folder of a user, with the image as an archive."""
    made = workspace / "recipes-folder"
    made.mkdir()
    image.write_docker_archive(made / "app.tar", "app:v1")
    return made


def assert_there(registry: Registry, repository: str, image: Image) -> None:
    found = registry.manifest(repository, "v1").json()
    assert found["config"]["digest"] == image.config_digest
    sizes = [len(registry.blob(repository, layer["digest"])) for layer in found["layers"]]
    assert max(sizes) > LIMIT


@pytest.mark.parametrize(
    ("heading", "word"),
    [
        ("docker and podman, on Linux", "push app:v1"),
        ("Docker Desktop, podman machine, and engines on other machines", "docker save"),
        ("Without an engine", "--archive app.tar"),
    ],
)
def test_slipway_pushes_a_layer_above_the_limit(
    heading: str,
    word: str,
    printed: Printed,
    docker: Docker,
    limited: Registry,
    home: dict[str, str],
    image: Image,
    folder: Path,
    repository: str,
) -> None:
    docker.call("load", "--input", folder / "app.tar")
    run(["sh", "-euc", printed(heading, word)], env=home, cwd=folder)
    assert_there(limited, repository, image)


@pytest.mark.parametrize("client", ["crane", "skopeo"], indirect=True)
def test_other_clients_push_a_layer_above_the_limit_by_the_relay(
    client: Client,
    printed: Printed,
    limited: Registry,
    home: dict[str, str],
    image: Image,
    folder: Path,
    repository: str,
) -> None:
    heading = "Any other client"
    # The port is that of whoever runs the tests beside others.
    started = printed(heading, "relay").strip() + " --port 0"
    relay = Daemon(["sh", "-euc", f"exec {started}"], env=home)
    try:
        address = relay.wait_for("push with:", 60).split()[-1].partition("/")[0]
        command = printed(heading, f"{client.name} ").replace("127.0.0.1:5000", address)
        run(client.among(["sh", "-euc", command]), env=home, cwd=folder)
    finally:
        relay.stop()
    assert_there(limited, repository, image)


def test_regctl_pushes_a_layer_of_four_times_the_limit(
    printed: Printed, limited: Registry, repository: str, home: dict[str, str], scratch: Path
) -> None:
    files = LayoutFiles()
    layer = files.blob(
        incompressible(4 * LIMIT, "regctl"), "application/vnd.oci.image.layer.v1.tar"
    )
    config = files.blob(b'{"rootfs": {"type": "layers", "diff_ids": []}}', OCI_CONFIG)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    files.list(files.manifest(document), "v1")
    write_folder(scratch / "app", files.files())
    run(
        ["regctl", "registry", "set", "--tls", "disabled", "--skip-check", limited.address],
        env=home,
    )
    position = limited.log_position()

    run(["sh", "-euc", printed("regctl", "--blob-chunk")], env=home, cwd=scratch)

    assert limited.manifest(repository, "v1").content == encode(document)
    assert limited.has_blob(repository, layer["digest"])
    asked = limited.traffic_since(position, repository).requests
    lengths = [request.bytes_in for request in asked if request.method == "PATCH"]
    assert len(lengths) >= 4
    assert max(lengths) <= LIMIT
