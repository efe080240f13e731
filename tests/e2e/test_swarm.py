"""Docker Swarm runs tasks from a repository that needs a sign-in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import Docker
from tests.e2e.engine import Engine
from tests.e2e.images import Image, digest_of
from tests.e2e.process import CommandError, Daemon
from tests.e2e.world import World
from tests.patience import PATIENCE

#: A task that ends by itself, on the only network that the engine has.
JOB = ("--mode", "replicated-job", "--restart-condition", "none", "--network", "host")

#: The bridge that Swarm wants for its tasks, by a name of its own among the machine's.
BRIDGE = ("--opt", "com.docker.network.bridge.name=e2e-swarm", "docker_gwbridge")


@pytest.fixture
def operator(world: World, repository: str, scratch: Path, engine: Engine) -> Docker:
    """Somebody with a token that may only pull, and only from the test's repository."""
    name, password = world.token((repository, "content/read"))
    client = Docker(world.registry.as_user(name), scratch, world.environment, engine)
    client.sign_in(password)
    return client


@pytest.fixture
def swarm(operator: Docker) -> Iterator[Docker]:
    """The engine as the one node of a swarm."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    operator.call("network", "create", *BRIDGE)
    try:
        address = ("--advertise-addr", "127.0.0.1", "--listen-addr", f"127.0.0.1:{port}")
        operator.call("swarm", "init", *address)
        try:
            yield operator
        finally:
            operator.call("swarm", "leave", "--force")
    finally:
        operator.call("network", "rm", "docker_gwbridge")


def test_a_node_pulls_with_the_credentials_that_came_with_the_service(
    swarm: Docker, world: World, repository: str, image: Image, greeting: str
) -> None:
    registry = world.registry
    registry.push_image(repository, "1", image)
    reference = f"{registry.address}/{repository}:1"
    assert not swarm.holds(reference)
    position = registry.log_position()

    swarm.call("service", "create", "--with-registry-auth", *JOB, "--name", "job", reference)

    assert swarm.call("service", "logs", "--raw", "job").text == greeting
    pulls = registry.audit_since(position, "Pull")
    assert {record["Identity"] for record in pulls} == {swarm.registry.username}
    assert {record["ResultType"] for record in pulls} == {"Succeeded"}
    layers = {digest_of(content) for content in image.blobs()}
    assert layers | {image.digest} == {record["Digest"] for record in pulls}


def test_a_node_pulls_nothing_for_a_service_without_credentials(
    swarm: Docker, world: World, repository: str, image: Image
) -> None:
    registry = world.registry
    registry.push_image(repository, "1", image)
    reference = f"{registry.address}/{repository}:1"
    position = registry.log_position()

    # It waits for the job, which never begins.
    create = swarm.command(["service", "create", *JOB, "--name", "job", reference])
    waiting = Daemon(create, env=swarm.environment)
    try:
        waiting.wait_for("No such image", PATIENCE)
    finally:
        waiting.stop()

    task = ("--no-trunc", "--format", "{{.CurrentState}} {{.Error}}", "job")
    said = swarm.call("service", "ps", *task).text
    assert said.startswith("Rejected")
    assert f"No such image: {reference}" in said
    with pytest.raises(CommandError):
        swarm.call("image", "inspect", reference)
    pulls = registry.audit_since(position, "Pull")
    assert "Succeeded" not in {record["ResultType"] for record in pulls}
