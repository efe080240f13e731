"""Many clients delete softly and restore in one repository at once: all are served, and cheaply."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from registry_core.repositories.soft_delete import Policy, SoftDelete
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from tests.integration.contention.cluster import SIZES, Cluster, Request, variants
from tests.integration.contention.conftest import host
from tests.integration.contention.stored import misplaced, rows_of
from tests.integration.core.support import Image

DELETE_CALLS = 16
"""Of one deletion at most; on average half of it is seen."""
RESTORE_CALLS = 18
"""Of one restoration at most; alone it takes 6, and 10 where it makes the repository anew."""


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Of these tests alone: what is deleted there is kept."""
    with Azurite(tmp_path_factory.mktemp("soft-delete")) as running:
        yield running


async def switch_on(azurite: Azurite) -> None:
    connection = Connection(StorageSettings(azurite.connection_string), CallHook())
    await SoftDelete.over(connection).set(Policy(is_on=True), "")
    await connection.close()


@pytest.fixture(scope="module")
def hosts(azurite: Azurite) -> Iterator[list[HostProcess]]:
    """Soft delete is on before they ask."""
    asyncio.run(switch_on(azurite))
    with host(azurite) as one, host(azurite) as two:
        yield [one, two]


def restoring(repository: str, image: Image) -> Request:
    """Restores a manifest, with the tags that it had."""
    url = f"/acr/v1/_deleted/{repository}/_manifests/{image.digest}"
    return Request("POST", url, b"{}", {"Content-Type": "application/json"})


async def push(cluster: Cluster, repository: str, count: int) -> list[Image]:
    """Images of the same blobs, each with a tag of its own."""
    image = Image.make()
    await cluster.push_blobs(repository, image)
    images = variants(image, count)
    for number, each in enumerate(images):
        await cluster.must(Request.put_manifest(repository, f"v{number}", each.manifest))
    return images


async def pulled(cluster: Cluster, repository: str, images: list[Image]) -> None:
    """Every process serves each of them, by its tag."""
    for server in range(len(cluster.servers)):
        for number, each in enumerate(images):
            answer = await cluster.send(Request.get(repository, f"v{number}"), server)
            assert answer.content == each.manifest


@pytest.mark.rule("X1", "X3")
@pytest.mark.parametrize("clients", SIZES)
async def test_manifests_deleted_softly_and_restored_by_many_at_once_are_all_kept_and_all_back(
    cluster: Cluster, storage: Connection, repository: str, clients: int
) -> None:
    """Each client has a manifest of its own; the last of them takes the repository along."""
    images = await push(cluster, repository, clients)
    replies = await cluster.at_once([Request.delete(repository, i.digest) for i in images])
    assert replies.statuses == {202: clients}, str(replies)
    assert replies.most_calls <= DELETE_CALLS, str(replies)
    deleted = await cluster.must(Request("GET", f"/acr/v1/_deleted/{repository}/_manifests?n=1000"))
    found = {each["digest"] for each in deleted.json()["manifests"]}
    assert found == {each.digest for each in images}
    assert misplaced(await rows_of(storage, repository), is_listed=False) == []

    replies = await cluster.at_once([restoring(repository, each) for each in images])
    assert replies.statuses == {200: clients}, str(replies)
    assert replies.most_calls <= RESTORE_CALLS, str(replies)
    await pulled(cluster, repository, images)
    catalog = await cluster.must(Request("GET", "/v2/_catalog?n=1000"))
    assert repository in catalog.json()["repositories"]
    assert misplaced(await rows_of(storage, repository)) == []


@pytest.mark.rule("X3")
@pytest.mark.parametrize("clients", SIZES)
async def test_one_manifest_restored_by_many_at_once_is_back_for_all(
    cluster: Cluster, storage: Connection, repository: str, clients: int
) -> None:
    """None is told that there is nothing to restore: it is as each wanted it."""
    [image] = images = await push(cluster, repository, 1)
    await cluster.must(Request.delete(repository, image.digest))
    replies = await cluster.at_once([restoring(repository, image)] * clients)
    assert replies.statuses == {200: clients}, str(replies)
    assert replies.most_calls <= RESTORE_CALLS, str(replies)
    await pulled(cluster, repository, images)
    assert misplaced(await rows_of(storage, repository)) == []
