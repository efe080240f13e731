"""Layers above the host's limit arrive through the relay, from every client as it is."""

from __future__ import annotations

import filecmp
import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.artefact_clients import Helm, Oras, Regctl
from tests.e2e.buildkit import Builder
from tests.e2e.clients import Client
from tests.e2e.conftest import Inventory, Toolbox
from tests.e2e.images import incompressible, tar
from tests.e2e.large import DATA, LargeImage, hash_of, pieces_of, stored, write_random
from tests.e2e.registry import Registry
from tests.e2e.relay import Relay
from tests.integration.cli.relay.cutting import Cutting

MIB = 1024 * 1024
LIMIT = 16 * MIB
CHUNK = LIMIT // 4
#: `make e2e-large` sets it to 3 GiB.
LAYER = int(os.environ.get("LARGE_LAYER_MIB", "150")) * MIB
IS_LARGE = LAYER > 1024 * MIB
CLIENTS = ["docker", "docker-in-containerd", "podman", "buildah", "skopeo", "crane", "ctr"]
#: More than the heads of the requests and the pieces of a whole push take.
OVERHEAD = 4 * MIB + LAYER // 100

SETTINGS = {
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(LIMIT),
    "REGISTRY_RATE_LIMITS": "off",
}


@dataclass
class Stage:
    """A registry whose host has a limit, clients of it, and the same clients at a relay."""

    registry: Registry
    direct: Toolbox
    relayed: Toolbox
    address: str
    """The relay's."""


def scope(fixture_name: str, config: pytest.Config) -> Literal["function", "module"]:
    """Where layers are large, storage goes with each test, and clients with it."""
    return "function" if IS_LARGE else "module"


@pytest.fixture(scope=scope)
def folder(workspace: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="relay-", dir=workspace) as made:
        yield Path(made)


@pytest.fixture(scope=scope)
def limited(folder: Path, inventory: Inventory) -> Iterator[Registry]:
    (folder / "registry").mkdir()
    started = Registry(folder / "registry", settings=SETTINGS)
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def staged(
    request: pytest.FixtureRequest, registry: Registry, folder: Path, to: str = ""
) -> Iterator[Stage]:
    environment: dict[str, str] = request.getfixturevalue("environment")
    inventory: Inventory = request.getfixturevalue("inventory")
    for name in ("config", "direct", "relayed"):
        (folder / name).mkdir(parents=True)
    relay = Relay(registry, folder / "config", environment, to)
    try:
        yield Stage(
            registry,
            Toolbox(request, registry, folder / "direct", inventory),
            Toolbox(request, relay.registry, folder / "relayed", inventory),
            relay.registry.address,
        )
    finally:
        relay.stop()


@pytest.fixture(scope=scope)
def stage(request: pytest.FixtureRequest, limited: Registry, folder: Path) -> Iterator[Stage]:
    with staged(request, limited, folder / "clients") as found:
        yield found


@pytest.fixture(scope="module")
def large(program: bytes, workspace: Path) -> Iterator[LargeImage]:
    """An image of one large layer and several small ones."""
    small = [tar({f"etc/{number}": incompressible(1000, number)}) for number in range(4)]
    with tempfile.TemporaryDirectory(prefix="large-", dir=workspace) as folder:
        yield LargeImage.write(Path(folder), LAYER, [tar({"bin/cat": program}), *small])


def assert_comes_back(direct: Client, registry: Registry, name: str, image: LargeImage) -> None:
    """A client that knows nothing of the relay gets what was pushed."""
    reference = f"{registry.address}/{name}:1"
    direct.pull(reference)
    assert direct.config_digest(reference) == image.config_digest
    direct.remove(reference)
    layers = registry.manifest(name, "1").json()["layers"]
    assert [hash_of(stored(registry, name, each["digest"])) for each in layers] == [
        blob.digest for blob in image.large
    ]


def load(client: Client, image: LargeImage, reference: str) -> None:
    """Puts it into the client's store, and leaves no other copy."""
    client.load(image, reference)
    for left in client.folder.glob("scratch-*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def assert_fits(registry: Registry, position: int, repository: str, size: int) -> None:
    """No body was above a chunk, and no byte came twice."""
    sent = [
        each.bytes_in
        for each in registry.traffic_since(position, repository).requests
        if each.method in ("PATCH", "PUT")
    ]
    assert max(sent) <= CHUNK
    assert sum(sent) >= size


@pytest.mark.parametrize("name", CLIENTS)
def test_a_layer_far_above_the_hosts_limit_is_pushed_by_every_client(
    stage: Stage, repository: str, large: LargeImage, name: str
) -> None:
    pushing = stage.relayed.client(name)
    reference = f"{stage.address}/{repository}:1"
    load(pushing, large, reference)
    position = stage.registry.log_position()
    pushing.push(reference)
    assert_fits(stage.registry, position, repository, LAYER)
    pushing.remove(reference)
    assert_comes_back(stage.direct.client(name), stage.registry, repository, large)


def test_oras_pushes_a_file_of_any_size(stage: Stage, repository: str, scratch: Path) -> None:
    oras, direct = stage.relayed("oras"), stage.direct("oras")
    assert isinstance(oras, Oras)
    assert isinstance(direct, Oras)
    sent = write_random(scratch / "large", LAYER, repository)
    oras.remote("push", f"{stage.address}/{repository}:1", "large:text/plain", cwd=scratch)
    (scratch / "back").mkdir()
    direct.remote("pull", f"{stage.registry.address}/{repository}:1", cwd=scratch / "back")
    assert filecmp.cmp(scratch / "back" / "large", sent, shallow=False)
    shutil.rmtree(scratch)


def test_regctl_copies_an_image_of_any_size(
    stage: Stage, repository: str, large: LargeImage, scratch: Path
) -> None:
    regctl = stage.relayed("regctl")
    assert isinstance(regctl, Regctl)
    layout = large.write_layout(scratch / "layout", "1")
    regctl.call("image", "copy", f"ocidir://{layout}:1", f"{stage.address}/{repository}:1")
    crane = stage.direct.client("crane")
    reference = f"{stage.registry.address}/{repository}:1"
    crane.pull(reference)
    assert crane.config_digest(reference) == large.config_digest
    assert stage.registry.manifest(repository, "1").content == large.manifest
    crane.remove(reference)
    shutil.rmtree(scratch)


def test_helm_pushes_a_chart_above_the_limit(stage: Stage, repository: str, scratch: Path) -> None:
    helm, direct = stage.relayed("helm"), stage.direct("helm")
    assert isinstance(helm, Helm)
    assert isinstance(direct, Helm)
    source = scratch / "greeter"
    (source / "files").mkdir(parents=True)
    (source / "Chart.yaml").write_text("apiVersion: v2\nname: greeter\nversion: 1.0.0\n")
    for number in range(5):  # Helm takes no file above 5 MiB.
        (source / "files" / str(number)).write_bytes(incompressible(4 * MIB, number))
    helm.call("package", source, "--destination", scratch)
    archive = scratch / "greeter-1.0.0.tgz"
    assert archive.stat().st_size > LIMIT
    helm.remote("push", archive, f"oci://{stage.address}/{repository}")
    back = scratch / "back"
    back.mkdir()
    chart = f"oci://{stage.registry.address}/{repository}/greeter"
    direct.remote("pull", chart, "--version", "1.0.0", "--destination", back)
    assert (back / archive.name).read_bytes() == archive.read_bytes()


def test_buildkit_pushes_what_it_builds(stage: Stage, repository: str, scratch: Path) -> None:
    crane = stage.relayed.client("crane")
    context = scratch / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM scratch\nCOPY {DATA} /{DATA}\n")
    sent = write_random(context / DATA, LAYER, repository)
    builder = Builder(scratch / "builder", crane.environment, crane.registry)
    try:
        builder.build(context, f"type=image,name={stage.address}/{repository}:1,push=true")
    finally:
        builder.stop()
    direct = stage.direct.client("crane")
    direct.call("validate", "--remote", f"{stage.registry.address}/{repository}:1")
    (layer,) = stage.registry.manifest(repository, "1").json()["layers"]
    unpacked = scratch / "layer.tar"
    with unpacked.open("wb") as file:
        file.writelines(stored(stage.registry, repository, layer["digest"]))
    with tarfile.open(unpacked) as archive, sent.open("rb") as expected:
        found = archive.extractfile(DATA)
        assert found is not None
        assert hash_of(pieces_of(found)) == hash_of(pieces_of(expected))
    shutil.rmtree(scratch)


@pytest.mark.parametrize("name", ["crane", "docker"])
def test_a_push_ends_well_while_the_registry_is_killed_and_connections_are_cut(
    request: pytest.FixtureRequest,
    limited: Registry,
    repository: str,
    large: LargeImage,
    scratch: Path,
    name: str,
) -> None:
    with (
        Cutting(f"http://{limited.address}", seed=7, most=LAYER // 5, cuts=8) as cutting,
        staged(request, limited, scratch, cutting.url) as stage,
    ):
        pushing = stage.relayed.client(name)
        reference = f"{stage.address}/{repository}:1"
        load(pushing, large, reference)
        cutting.octets_in = 0
        with killing(limited, cutting) as kills:
            pushing.push(reference)
        faults = cutting.made + len(kills)
        assert faults > 3
        assert cutting.octets_in <= large.size + faults * CHUNK + OVERHEAD
        pushing.remove(reference)
        assert_comes_back(stage.direct.client(name), limited, repository, large)


@contextmanager
def killing(registry: Registry, cutting: Cutting) -> Iterator[list[int]]:
    """Kills the registry and starts it again, each time that some chunks have come through."""
    is_over, kills = threading.Event(), list[int]()

    def kill() -> None:
        while not is_over.wait(0.05):
            if cutting.octets_in > (kills[-1] if kills else 0) + LAYER // 5:
                registry.crash()
                kills.append(cutting.octets_in)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield kills
    finally:
        is_over.set()
        thread.join()
