"""An index gives each platform its own image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from tests.e2e.clients import Client
from tests.e2e.images import (
    DOCKER_INDEX,
    OCI_INDEX,
    Image,
    Layer,
    incompressible,
    index_of,
    tar,
)
from tests.e2e.registry import Registry

PLATFORMS = ("linux/amd64", "linux/arm64")
CLIENTS = ["docker", "podman", "buildah", "skopeo", "crane", "ctr"]

Make = Callable[[Client, str, Mapping[str, str]], None]


@dataclass(frozen=True)
class Published:
    """Images of one repository, one for each platform, that no index refers to yet."""

    repository: str
    images: Mapping[str, Image]

    def references(self, registry: Registry) -> dict[str, str]:
        """Return the images' names by platform."""
        name = f"{registry.address}/{self.repository}"
        return {platform: f"{name}@{image.digest}" for platform, image in self.images.items()}


@pytest.fixture
def published(registry: Registry, repository: str, docker_format: bool) -> Published:
    images = {}
    for platform in PLATFORMS:
        system, _, architecture = platform.partition("/")
        layer = Layer(tar({"data": incompressible(1000, (repository, platform))}))
        image = Image(
            [layer], {"architecture": architecture, "os": system}, docker_format=docker_format
        )
        registry.push_image(repository, architecture, image)
        images[platform] = image
    return Published(repository, images)


def append_with_crane(client: Client, name: str, references: Mapping[str, str]) -> None:
    manifests = [word for reference in references.values() for word in ("--manifest", reference)]
    client.call("index", "append", *manifests, "--tag", name)


def create_with_docker(client: Client, name: str, references: Mapping[str, str]) -> None:
    client.call("manifest", "create", "--insecure", name, *references.values())
    client.call("manifest", "push", "--insecure", "--purge", name)


def create_with_containers_storage(
    client: Client, name: str, references: Mapping[str, str]
) -> None:
    client.call("manifest", "create", name)
    for reference in references.values():
        client.call("manifest", "add", "--tls-verify=false", name, f"docker://{reference}")
    options = ("--tls-verify=false", "--all", "--format", "oci")
    client.call("manifest", "push", *options, name, f"docker://{name}")
    client.call("manifest", "rm", name)


@pytest.mark.parametrize(
    ("client", "make", "docker_format"),
    [
        ("crane", append_with_crane, False),
        ("docker", create_with_docker, True),
        ("podman", create_with_containers_storage, False),
        ("buildah", create_with_containers_storage, False),
    ],
    ids=["crane", "docker", "podman", "buildah"],
    indirect=["client"],
)
def test_an_index_lists_the_images_it_was_made_of(
    client: Client, make: Make, docker_format: bool, registry: Registry, published: Published
) -> None:
    name = f"{registry.address}/{published.repository}:both"
    make(client, name, published.references(registry))

    index = registry.manifest(published.repository, "both")
    assert index.media_type == (DOCKER_INDEX if docker_format else OCI_INDEX)
    listed = {
        f"{entry['platform']['os']}/{entry['platform']['architecture']}": entry["digest"]
        for entry in index.json()["manifests"]
    }
    assert listed == {platform: image.digest for platform, image in published.images.items()}


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
@pytest.mark.parametrize("docker_format", [False, True], ids=["oci", "docker-v2s2"])
def test_a_client_pulls_the_image_of_the_platform_it_asks_for(
    client: Client,
    docker_format: bool,
    registry: Registry,
    published: Published,
) -> None:
    content, media_type = index_of(published.images)
    registry.push_manifest(published.repository, "both", content, media_type)
    name = f"{registry.address}/{published.repository}:both"
    for platform, image in published.images.items():
        client.pull(name, platform)
        assert client.config_digest(name) == image.config_digest
        client.remove(name)
