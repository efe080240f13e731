"""Many clients delete different manifests of one repository at once: all succeed, and cheaply."""

from __future__ import annotations

import pytest

from registry_core.storage.connection import Connection
from tests.integration.contention.cluster import Cluster, Request, variants
from tests.integration.contention.stored import misplaced, rows_of
from tests.integration.core.support import Image, digest_of

DELETE_CALLS = 16


@pytest.mark.rule("D1", "D5")
@pytest.mark.parametrize("clients", [2, 8, 32])
@pytest.mark.parametrize("left", [1, 0], ids=["one-stays", "none-stays"])
async def test_manifests_deleted_by_many_at_once_are_all_deleted(
    cluster: Cluster, storage: Connection, repository: str, clients: int, left: int
) -> None:
    image = Image.make()
    await cluster.push_blobs(repository, image)
    images = variants(image, clients + left)
    for number, each in enumerate(images):
        await cluster.must(Request.put_manifest(repository, f"v{number}", each.manifest))
    going, staying = images[:clients], images[clients:]
    replies = await cluster.at_once([Request.delete(repository, i.digest) for i in going])
    assert replies.statuses == {202: clients}, str(replies)
    assert replies.most_calls <= DELETE_CALLS, str(replies)

    tags = await cluster.send(Request("GET", f"/v2/{repository}/tags/list"))
    catalog = await cluster.send(Request("GET", "/v2/_catalog?n=1000"))
    assert (repository in catalog.json()["repositories"]) == bool(staying)
    if staying:
        assert tags.json()["tags"] == [f"v{clients}"]
        kept = await cluster.send(Request.get(repository, f"v{clients}"))
        assert kept.content == staying[0].manifest
    else:
        assert tags.status_code == 404
        # What nothing needs any more can be deleted at once.
        freed = Request("DELETE", f"/v2/{repository}/blobs/{digest_of(image.layer)}")
        assert (await cluster.send(freed)).status_code == 202
    assert misplaced(await rows_of(storage, repository)) == []
