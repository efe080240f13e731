"""Every client gets back exactly what it pushed."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.e2e.clients import Client, Crane, Skopeo
from tests.e2e.images import DOCKER_MANIFEST, Image, digest_of
from tests.e2e.process import CommandError
from tests.e2e.registry import Registry
from tests.e2e.tool import Tool

CLIENTS = ["docker", "podman", "buildah", "skopeo", "crane", "ctr"]
ARTEFACT_TOOLS = ["oras", "regctl", "helm", "cosign", "notation"]
RUNNERS = ["docker", "podman", "ctr"]

every_client = pytest.mark.parametrize("client", CLIENTS, indirect=True)


@pytest.mark.parametrize("name", [*CLIENTS, *ARTEFACT_TOOLS])
def test_a_wrong_password_is_refused_and_said_so(
    name: str, tools: Callable[[str], Tool], registry: Registry
) -> None:
    tool = tools(name)
    try:
        with pytest.raises(CommandError) as refused:
            tool.sign_in("wrong" + registry.password)
        assert tool.refusal in refused.value.result.output
    finally:
        tool.sign_in(registry.password)


@every_client
def test_what_was_pushed_comes_back_byte_for_byte(
    client: Client, registry: Registry, repository: str, image: Image
) -> None:
    reference = f"{registry.address}/{repository}:1"
    client.load(image, reference)
    client.push(reference)

    stored = registry.manifest(repository, "1")
    content = stored.json()
    assert content["config"]["digest"] == image.config_digest
    assert registry.blob(repository, image.config_digest) == image.config
    layers = [registry.blob(repository, layer["digest"]) for layer in content["layers"]]
    assert [digest_of(gzip.decompress(layer)) for layer in layers] == [
        layer.diff_id for layer in image.layers
    ]

    client.remove(reference)
    assert not client.holds(reference)
    client.pull(reference)
    assert client.config_digest(reference) == image.config_digest
    client.remove(reference)

    by_digest = f"{registry.address}/{repository}@{stored.digest}"
    client.pull(by_digest)
    assert client.config_digest(by_digest) == image.config_digest


@every_client
def test_pushing_again_sends_no_layer_again(
    client: Client, registry: Registry, repository: str, image: Image
) -> None:
    reference = f"{registry.address}/{repository}:1"
    client.load(image, reference)
    client.push(reference)
    before = registry.manifest(repository, "1")

    position = registry.log_position()
    client.push(reference)

    traffic = registry.traffic_since(position, repository)
    assert traffic.requests
    assert traffic.uploaded == 0, traffic
    assert registry.manifest(repository, "1") == before


@pytest.mark.parametrize("client", RUNNERS, indirect=True)
def test_a_pulled_image_runs(
    client: Client, registry: Registry, repository: str, image: Image, greeting: str
) -> None:
    registry.push_image(repository, "1", image)
    reference = f"{registry.address}/{repository}:1"
    client.pull(reference)
    assert client.run_image(reference) == greeting


@pytest.mark.parametrize("pusher", CLIENTS)
@pytest.mark.parametrize("puller", ["docker", "skopeo", "ctr"])
def test_an_image_of_one_client_is_one_for_the_others(
    pusher: str,
    puller: str,
    clients: Callable[[str], Client],
    registry: Registry,
    repository: str,
    image: Image,
) -> None:
    reference = f"{registry.address}/{repository}:1"
    clients(pusher).load(image, reference)
    clients(pusher).push(reference)
    clients(pusher).remove(reference)

    clients(puller).pull(reference)

    assert clients(puller).config_digest(reference) == image.config_digest


@pytest.mark.parametrize(
    ("transport", "docker_format"),
    # An OCI image layout holds no manifest of Docker's format.
    [("oci", False), ("dir", False), ("dir", True)],
    ids=["oci", "dir", "dir-docker-v2s2"],
)
def test_skopeo_copies_both_formats_without_changing_a_byte(
    transport: str,
    docker_format: bool,
    skopeo: Skopeo,
    registry: Registry,
    repository: str,
    image: Image,
) -> None:
    sent = Image(image.layers, docker_format=docker_format)
    write = {"oci": sent.write_layout, "dir": sent.write_folder}[transport]
    source, target = write(skopeo.scratch()), skopeo.scratch()
    remote = f"docker://{registry.address}/{repository}:1"

    skopeo.copy(f"{transport}:{source}", remote, "--preserve-digests")
    skopeo.copy(remote, f"{transport}:{target}", "--preserve-digests")

    stored = registry.manifest(repository, "1")
    assert (stored.content, stored.media_type) == (sent.manifest, sent.media_type)
    files = {file.relative_to(source) for file in source.rglob("*") if file.is_file()}
    assert files == {file.relative_to(target) for file in target.rglob("*") if file.is_file()}
    for file in files:
        if file.name not in ("index.json", "oci-layout"):
            assert (source / file).read_bytes() == (target / file).read_bytes()


def test_skopeo_converts_to_dockers_format_on_the_way(
    skopeo: Skopeo, registry: Registry, repository: str, image: Image
) -> None:
    remote = f"docker://{registry.address}/{repository}:1"
    source = image.write_layout(skopeo.scratch())
    skopeo.copy(f"oci:{source}:latest", remote, "--format", "v2s2")
    stored = registry.manifest(repository, "1")
    assert stored.media_type == stored.json()["mediaType"] == DOCKER_MANIFEST
    assert stored.json()["config"]["digest"] == image.config_digest


def test_crane_sees_finds_and_deletes_what_it_pushed(
    crane: Crane, registry: Registry, repository: str, image: Image
) -> None:
    reference = f"{registry.address}/{repository}"
    crane.load(image, reference)
    for tag in ("1", "2"):
        crane.push_as(reference, f"{reference}:{tag}")

    assert crane.call("digest", f"{reference}:1").text == image.digest
    assert crane.call("manifest", f"{reference}:1").stdout.strip() == image.manifest
    assert crane.call("config", f"{reference}:1").stdout.strip() == image.config
    assert crane.call("ls", reference).text.split() == ["1", "2"]
    assert repository in crane.call("catalog", registry.address).text.split()
    assert "PASS" in crane.call("validate", "--remote", f"{reference}:1").output

    crane.call("delete", f"{reference}@{image.digest}")

    with pytest.raises(CommandError) as gone:
        crane.call("digest", f"{reference}:1")
    assert "404" in gone.value.result.output
    assert not registry.has_manifest(repository, image.digest)
