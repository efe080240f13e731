"""BuildKit keeps its cache in the registry, so that a builder without one goes on from there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.buildkit import Builder
from tests.e2e.clients import Crane
from tests.e2e.images import OCI_INDEX, OCI_MANIFEST, incompressible
from tests.e2e.registry import Registry
from tests.e2e.world import World

SIZE = 2_000_000
# More than manifests, configs and a layer of one short file, far less than the shared layer.
SMALL = 100_000

DOCKERFILE = """\
FROM scratch AS base
COPY data /data

FROM base
COPY greeting /greeting
"""

#: How to ask for a cache, by the kind of manifest that it is kept under.
FORMS = {
    OCI_MANIFEST: "image-manifest=true",
    OCI_INDEX: "image-manifest=false,oci-mediatypes=true",
}

NewBuilder = Callable[[], Builder]


@pytest.fixture
def new_builder(developer: Crane, scratch: Path) -> Iterator[NewBuilder]:
    """Start builders that know nothing."""
    with ExitStack() as running:
        count = iter(range(9))

        def start() -> Builder:
            folder = scratch / f"builder-{next(count)}"
            builder = Builder(folder, developer.environment, developer.registry)
            running.callback(builder.stop)
            return builder

        yield start


@pytest.fixture
def context(scratch: Path, repository: str) -> Path:
    folder = scratch / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "data").write_bytes(incompressible(SIZE, repository))
    (folder / "greeting").write_text("hello\n")
    return folder


def push(registry: Registry, repository: str) -> str:
    """Say to push what is built."""
    return f"type=image,name={registry.address}/{repository}:1,push=true"


def named_blobs(registry: Registry, repository: str, reference: str) -> list[str]:
    """Return the digests of all that the manifest of a cache names."""
    content = registry.manifest(repository, reference).json()
    if "manifests" in content:
        return [entry["digest"] for entry in content["manifests"]]
    return [entry["digest"] for entry in (content["config"], *content["layers"])]


def layers(registry: Registry, repository: str) -> list[str]:
    """Return the digests of an image's layers."""
    return [layer["digest"] for layer in registry.manifest(repository, "1").json()["layers"]]


def pulled_since(registry: Registry, position: int) -> set[str]:
    return {record["Digest"] for record in registry.audit_since(position, "Pull")}


@pytest.mark.parametrize("form", FORMS, ids=["manifest", "index"])
def test_an_empty_builder_goes_on_from_the_cache_in_the_registry(
    form: str,
    new_builder: NewBuilder,
    world: World,
    repository: str,
    context: Path,
    scratch: Path,
) -> None:
    registry, app, again, cache = (
        world.registry,
        *(f"{repository}/{x}" for x in ("app", "again", "cache")),
    )
    cached = f"type=registry,ref={registry.address}/{cache}:main"
    new_builder().build(
        context, push(registry, app), "--export-cache", f"{cached},mode=max,{FORMS[form]}"
    )
    assert registry.manifest(cache, "main").media_type == form

    empty = new_builder()
    position = registry.log_position()
    said = empty.build(context, push(registry, again), "--import-cache", cached).output

    assert f"importing cache manifest from {registry.address}/{cache}:main" in said
    # Built anew, it would have another time in its config. Of the layers, not one was sent.
    assert registry.manifest(again, "1").digest == registry.manifest(app, "1").digest
    assert registry.traffic_since(position, again).bytes_sent < SMALL

    # The builder still has none of them, and gets what it needs from the registry.
    position = registry.log_position()
    empty.build(context, f"type=local,dest={scratch / 'out'}", "--import-cache", cached)
    assert set(layers(registry, app)) <= pulled_since(registry, position)
    for name in ("data", "greeting"):
        assert (scratch / "out" / name).read_bytes() == (context / name).read_bytes()


@pytest.mark.parametrize("form", FORMS, ids=["manifest", "index"])
def test_nothing_that_a_cache_names_can_be_deleted_while_the_cache_is_there(
    form: str, new_builder: NewBuilder, world: World, repository: str, context: Path
) -> None:
    registry, cache = world.registry, f"{repository}/cache"
    cached = f"type=registry,ref={registry.address}/{cache}:main"
    new_builder().build(
        context, "type=oci,dest=/dev/null", "--export-cache", f"{cached},mode=max,{FORMS[form]}"
    )
    blobs = named_blobs(registry, cache, "main")
    assert len(blobs) == DOCKERFILE.count("COPY") + len({"config"})

    def delete(path: str) -> int:
        return registry.request("DELETE", f"/v2/{cache}/{path}").status

    assert {delete(f"blobs/{digest}") for digest in blobs} == {405}
    assert all(registry.has_blob(cache, digest) for digest in blobs)
    assert delete(f"manifests/{registry.manifest(cache, 'main').digest}") == 202
    assert {delete(f"blobs/{digest}") for digest in blobs} == {202}


def test_an_empty_builder_goes_on_from_the_cache_inside_an_image(
    new_builder: NewBuilder, world: World, repository: str, context: Path
) -> None:
    registry, app = world.registry, f"{repository}/app"
    new_builder().build(context, push(registry, app), "--export-cache", "type=inline")
    config = registry.manifest(app, "1").json()["config"]["digest"]
    assert "moby.buildkit.cache.v0" in json.loads(registry.blob(app, config))
    (context / "greeting").write_text("hello again\n")

    cached = f"type=registry,ref={registry.address}/{app}:1"
    position = registry.log_position()
    new_builder().build(context, push(registry, f"{repository}/next"), "--import-cache", cached)

    first, second = (layers(registry, each) for each in (app, f"{repository}/next"))
    assert first[0] == second[0]
    assert first[0] in pulled_since(registry, position)
    assert first[1] != second[1]
