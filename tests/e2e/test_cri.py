"""A node of Kubernetes pulls, over TLS, as docs/team-server.md sets it up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cri import Node
from tests.e2e.images import Image, Layer, index_of, tar
from tests.e2e.process import CommandError
from tests.e2e.registry import ROOT
from tests.e2e.sandbox import Sandbox
from tests.e2e.world import World

PAGE = (ROOT / "docs/team-server.md").read_text()
CONFIG, HOSTS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SERVER = "build.example.com:7071"


@pytest.fixture(scope="module")
def node(workspace: Path, environment: dict[str, str], world: World) -> Iterator[Node]:
    """A node that was set up by the page."""
    started = Node(Sandbox(workspace / "node"), environment, CONFIG)
    address = world.registry.address
    try:
        started.trust(address, world.issuer.ca_file, HOSTS.replace(SERVER, address))
        yield started
    finally:
        started.stop()


@pytest.fixture
def credentials(world: World, repository: str) -> str:
    """What a pull secret has: a token that may only pull, and only here."""
    return ":".join(world.token((repository, "content/read")))


@pytest.fixture
def small(repository: str) -> Image:
    return Image([Layer(tar({"name": repository.encode()}))])


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_node_pulls_an_image_with_a_pull_secret(
    node: Node, world: World, repository: str, small: Image, credentials: str, by: str
) -> None:
    world.registry.push_image(repository, "1", small)
    name = f"{world.registry.address}/{repository}"
    reference = f"{name}:1" if by == "tag" else f"{name}@{small.digest}"

    node.pull(reference, credentials)

    (pulled,) = node.images()
    assert pulled["id"] == small.config_digest
    assert pulled["repoDigests"] == [f"{name}@{small.digest}"]
    assert pulled["repoTags"] == ([f"{name}:1"] if by == "tag" else [])
    node.remove(reference)


def test_of_an_index_a_node_pulls_the_image_for_its_platform(
    node: Node, world: World, repository: str, small: Image, credentials: str
) -> None:
    other = Image([Layer(tar({"name": b"other"}))], {"architecture": "s390x", "os": "linux"})
    for image in (small, other):
        world.registry.push_image(repository, image.digest, image)
    content, media_type = index_of({"linux/amd64": small, "linux/s390x": other})
    world.registry.push_manifest(repository, "1", content, media_type)
    position = world.registry.log_position()

    node.pull(f"{world.registry.address}/{repository}:1", credentials)

    (pulled,) = node.images()
    assert pulled["id"] == small.config_digest
    read = {record["Digest"] for record in world.registry.audit_since(position, "Pull")}
    assert small.digest in read
    assert other.digest not in read
    node.remove(f"{world.registry.address}/{repository}:1")


def test_a_node_pulls_nothing_without_the_right_password_and_repository(
    node: Node, world: World, repository: str, small: Image, credentials: str
) -> None:
    for each in (repository, f"foreign/{repository}"):
        world.registry.push_image(each, "1", small)
    name, _, password = credentials.partition(":")
    own = f"{world.registry.address}/{repository}:1"
    foreign = f"{world.registry.address}/foreign/{repository}:1"
    refused = [
        (own, f"{name}:{password[::-1]}", "401 Unauthorized"),
        (own, None, "insufficient_scope"),
        (foreign, credentials, "insufficient_scope"),
    ]
    position = world.registry.log_position()

    for reference, attempt, reason in refused:
        with pytest.raises(CommandError) as failed:
            node.pull(reference, attempt)
        assert reason in failed.value.result.output

    assert node.images() == []
    pulls = world.registry.audit_since(position, "Pull")
    assert "Succeeded" not in {record["ResultType"] for record in pulls}
