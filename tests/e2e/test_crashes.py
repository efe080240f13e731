"""The registry is killed around each storage call of a push, and the push is then repeated.

Rule F2 of `docs/faults.md`: what was acknowledged is there, what was not cannot be seen, and
the same push, by a real client, ends with an image that can be pulled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.settings import AdminSettings, Settings, StorageSettings
from tests.e2e.clients import Crane
from tests.e2e.images import Image, Layer, digest_of, incompressible, tar
from tests.e2e.registry import Registry
from tests.integration.core.support import connect
from tests.integration.explorer.world import Artifact, World

MIB = 1024 * 1024
MORTAL = Path(__file__).parent / "mortal"
MOMENTS = ["before", "after"]

pytestmark = pytest.mark.rule("F2")


@pytest.fixture(scope="module")
def registry(workspace: Path) -> Iterator[Registry]:
    """A registry that can be told when to die."""
    folder = workspace / "mortal"
    folder.mkdir()
    started = Registry(folder, app_dir=MORTAL)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def crane(registry: Registry, workspace: Path, environment: dict[str, str]) -> Crane:
    folder = workspace / "crane-of-crashes"
    folder.mkdir()
    client = Crane(registry, folder, environment)
    client.sign_in(registry.password)
    return client


@dataclass
class Push:
    """An image on its way into a repository, request by request."""

    registry: Registry
    repository: str
    image: Image

    def begin(self) -> str:
        """The location of a new session."""
        answer = self.registry.request("POST", f"/v2/{self.repository}/blobs/uploads/")
        return answer.headers["location"]

    def patch(self, location: str, content: bytes, die: str = "") -> str:
        answer = self.registry.request("PATCH", location, content, {"X-Die": die} if die else {})
        assert answer.status == 202, answer
        return answer.headers["location"]

    def commit(self, location: str, content: bytes, die: str = "") -> None:
        self.registry.commit(location, content, headers={"X-Die": die} if die else {})

    def push_manifest(self, die: str = "") -> None:
        headers = {"Content-Type": self.image.media_type} | ({"X-Die": die} if die else {})
        path = f"/v2/{self.repository}/manifests/1"
        answer = self.registry.request("PUT", path, self.image.manifest, headers)
        assert answer.status == 201, answer

    def world(self) -> World:
        """What is in storage, asked past the registry."""
        storage = StorageSettings(self.registry.storage)
        settings = Settings(storage, admin=AdminSettings("observer", ("x" * 20,)))

        async def read() -> World:
            async with connect(settings) as client:
                return await World.read(client, self.repository, self.digests)

        return asyncio.run(read())

    @property
    def digests(self) -> set[str]:
        return {digest_of(blob) for blob in self.image.blobs()}

    @property
    def artifact(self) -> Artifact:
        image = self.image
        return Artifact(image.manifest, image.digest, image.media_type, frozenset(self.digests))

    def ends_well(self, crane: Crane) -> None:
        """The same push by a real client succeeds, and what it pushed can be pulled."""
        reference = f"{self.registry.address}/{self.repository}:1"
        crane.load(self.image, reference)
        crane.push(reference)
        crane.remove(reference)
        crane.pull(reference)
        assert crane.manifest(reference) == self.image.manifest
        assert self.world().broken([self.artifact]) == []
        assert self.world().is_listed


@pytest.fixture
def push(registry: Registry, repository: str) -> Push:
    layers = [Layer(tar({name: incompressible(1024, repository + name)})) for name in "ab"]
    return Push(registry, repository, Image(layers))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_killed_around_an_append_it_has_whole_blocks_of_the_layer_and_no_blob(
    registry: Registry, repository: str, crane: Crane, moment: str, call: int
) -> None:
    layer = Layer(tar({"data": incompressible(18 * MIB, repository)}))
    push = Push(registry, repository, Image([layer]))
    location = push.begin()

    with pytest.raises((ConnectionError, RemoteDisconnected)):
        push.patch(location, layer.content, die=f"{moment} {call}")
    registry.revive()

    # The first call creates the object; each after it appends a block of 8 MiB.
    blocks = call - 1 if moment == "after" else max(call - 2, 0)
    answer = registry.request("GET", location)
    received = min(blocks * 8 * MIB, len(layer.content))
    assert (answer.status, answer.headers["range"]) == (204, f"0-{max(received - 1, 0)}")
    assert push.world().visible.blobs == frozenset()
    rest = push.patch(answer.headers["location"], layer.content[received:])
    push.commit(rest, layer.content)
    push.ends_well(crane)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", [1, 2])
def test_killed_around_a_call_of_a_commit_the_blob_is_there_whole_or_not_at_all(
    push: Push, crane: Crane, moment: str, call: int
) -> None:
    content = push.image.layers[0].content
    location = push.patch(push.begin(), content)

    with pytest.raises((ConnectionError, RemoteDisconnected)):
        push.commit(location, content, die=f"{moment} {call}")
    push.registry.revive()

    is_recorded = (call, moment) == (2, "after")
    stored = push.world()
    assert stored.visible.blobs == (frozenset({digest_of(content)}) if is_recorded else frozenset())
    assert (blob_rows.BLOB in stored.blob_rows[digest_of(content)]) == is_recorded
    assert push.registry.has_blob(push.repository, digest_of(content)) == is_recorded
    # Whoever waited for the answer may send the same request again.
    push.commit(location, content)
    assert push.registry.blob(push.repository, digest_of(content)) == content
    push.ends_well(crane)


def calls_of_a_first_push() -> int:
    """Three rows read, three blobs protected, the config, the catalogue, the last.

    Where the blobs lie is in memory: this process has taken them in.
    """
    return 3 + 3 + 2 + 1


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", range(1, calls_of_a_first_push() + 1))
def test_killed_around_a_call_of_a_manifest_push_the_manifest_is_there_whole_or_not_at_all(
    push: Push, crane: Crane, moment: str, call: int
) -> None:
    for content in push.image.blobs():
        push.registry.push_blob(push.repository, content)

    with pytest.raises((ConnectionError, RemoteDisconnected)):
        push.push_manifest(die=f"{moment} {call}")
    push.registry.revive()

    is_stored = (call, moment) == (calls_of_a_first_push(), "after")
    stored = push.world()
    assert stored.visible.manifests == (
        frozenset({push.image.digest}) if is_stored else frozenset()
    )
    # An entry of the catalog may be there without its repository: garbage, and rule F2 says so.
    assert stored.broken([push.artifact], garbage=True) == []
    for reference in ("1", push.image.digest):
        assert push.registry.has_manifest(push.repository, reference) == is_stored
    tags = push.registry.request("GET", f"/v2/{push.repository}/tags/list")
    assert tags.status == (200 if is_stored else 404)
    push.ends_well(crane)
