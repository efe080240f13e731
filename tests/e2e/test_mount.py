"""A layer that the registry has is linked from another repository instead of being sent again."""

from __future__ import annotations

import pytest

from tests.e2e.clients import Client, Crane
from tests.e2e.images import Image
from tests.e2e.registry import Registry


def assert_layers_were_mounted(
    registry: Registry, position: int, repository: str, image: Image
) -> None:
    traffic = registry.traffic_since(position, repository)
    assert traffic.mounted >= len(image.layers), traffic
    # Not all clients mount the config as well.
    assert traffic.uploaded <= 1, traffic


@pytest.mark.parametrize("client", ["docker", "podman", "buildah", "skopeo", "ctr"], indirect=True)
def test_layers_of_a_pulled_image_are_mounted_into_another_repository(
    client: Client, registry: Registry, repository: str, image: Image
) -> None:
    registry.push_image(f"{repository}/from", "1", image)
    pulled = f"{registry.address}/{repository}/from:1"
    copy = f"{registry.address}/{repository}/to:1"
    client.pull(pulled)

    position = registry.log_position()
    client.push_as(pulled, copy)

    assert_layers_were_mounted(registry, position, f"{repository}/to", image)
    client.remove(pulled)
    client.pull(copy)
    assert client.config_digest(copy) == image.config_digest


def test_crane_copies_across_repositories_without_moving_a_byte(
    crane: Crane, registry: Registry, repository: str, image: Image
) -> None:
    registry.push_image(f"{repository}/from", "1", image)
    target = f"{registry.address}/{repository}/to"

    position = registry.log_position()
    crane.call("copy", f"{registry.address}/{repository}/from:1", f"{target}:1")

    assert_layers_were_mounted(registry, position, f"{repository}/to", image)
    assert crane.call("digest", f"{target}:1").text == image.digest
    assert "PASS" in crane.call("validate", "--remote", f"{target}:1").output
