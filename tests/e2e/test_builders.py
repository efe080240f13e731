"""ko and Jib build images without a Dockerfile or an engine, on a base image of the registry's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.artefacts import tags
from tests.e2e.clients import Crane, Docker
from tests.e2e.conftest import HERE, MAVEN_REPOSITORY
from tests.e2e.engine import Engine
from tests.e2e.images import Image, Layer, incompressible, tar
from tests.e2e.process import Result, run
from tests.e2e.world import World

SIZE = 2_000_000


@pytest.fixture
def base(world: World, repository: str) -> Image:
    """An image that is in the registry, for others to be built on."""
    image = Image([Layer(tar({"data": incompressible(SIZE, repository)}))])
    world.registry.push_image(f"{repository}/base/static", "1", image)
    return image


def ko(developer: Crane, parent: str, base: str) -> str:
    """Build the Go program and push it below `parent`; return its name with its digest."""
    environment = {
        **developer.environment,
        "KO_DOCKER_REPO": parent,
        "KO_DEFAULTBASEIMAGE": base,
        # What Go has compiled of its own library is kept from run to run.
        "GOCACHE": str(Path.home() / ".cache" / "go-build"),
    }
    command = ["ko", "build", "--base-import-paths", "--tags", "1", "."]
    return run(command, env=environment, cwd=HERE / "payload" / "ko").text


def jib(developer: Crane, image: str, base: str) -> Result:
    """Build the Java program and push it."""
    project, trust = developer.scratch(), developer.scratch()
    shutil.copytree(HERE / "payload" / "jib", project)
    assert developer.registry.certificates is not None
    run(
        [
            *("keytool", "-importcert", "-noprompt", "-alias", "registry"),
            *("-file", developer.registry.certificates.authority),
            *("-keystore", trust, "-storepass", "changeit"),
        ],
        env=developer.environment,
    )
    # Java looks neither for whom to trust nor for its user's home in the environment. Jib is not to
    # ask the internet whether there is a newer one. A short life needs no optimising compiler.
    options = (
        *("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djib.disableUpdateChecks=true"),
        f"-Duser.home={developer.folder}",
        f"-Djavax.net.ssl.trustStore={trust}",
        "-Djavax.net.ssl.trustStorePassword=changeit",
    )
    return run(
        [
            *("mvn", "--batch-mode", f"-Dmaven.repo.local={MAVEN_REPOSITORY}"),
            *("compile", "jib:build", f"-Djib.from.image={base}", f"-Djib.to.image={image}"),
        ],
        env={**developer.environment, "MAVEN_OPTS": " ".join(options)},
        cwd=project,
    )


def test_what_ko_builds_is_pushed_with_its_bill_of_materials_and_runs(
    developer: Crane, world: World, repository: str, base: Image, scratch: Path, engine: Engine
) -> None:
    registry = world.registry
    parent, app = f"{registry.address}/{repository}", f"{repository}/hello"
    position = registry.log_position()

    name = ko(developer, parent, f"{parent}/base/static:1")

    digest = registry.manifest(app, "1").digest
    assert name == f"{registry.address}/{app}:1@{digest}"
    layers = registry.manifest(app, "1").json()["layers"]
    assert registry.blob(app, layers[0]["digest"]) == base.layers[0].content
    assert registry.traffic_since(position, app).mounted == 1
    bill = f"{digest.replace(':', '-')}.sbom"
    assert sorted(tags(registry, app)) == ["1", bill]
    (content,) = registry.manifest(app, bill).json()["layers"]
    assert json.loads(registry.blob(app, content["digest"]))["spdxVersion"]

    docker = Docker(developer.registry, scratch, developer.environment, engine)
    docker.pull(name)
    assert docker.run_image(name) == "built by ko"


def test_what_jib_builds_is_pushed_onto_its_base_which_is_not_sent_again(
    developer: Crane, world: World, repository: str, base: Image
) -> None:
    registry, app = world.registry, f"{repository}/java/hello"
    parent = f"{registry.address}/{repository}"
    position = registry.log_position()

    jib(developer, f"{registry.address}/{app}:1", f"{parent}/base/static:1")

    layers = [layer["digest"] for layer in registry.manifest(app, "1").json()["layers"]]
    assert registry.blob(app, layers[0]) == base.layers[0].content
    assert registry.traffic_since(position, app).bytes_sent < SIZE
    developer.call("export", f"{registry.address}/{app}:1", scratch := developer.scratch())
    assert b"app/classes/hello/Main.class" in scratch.read_bytes()
    config = json.loads(registry.blob(app, registry.manifest(app, "1").json()["config"]["digest"]))
    assert config["config"]["Entrypoint"][-1] == "hello.Main"
