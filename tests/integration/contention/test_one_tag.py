"""Many clients push or delete one tag at once: a loser repeats only what it must."""

from __future__ import annotations

import asyncio
import math

import pytest

from registry_core.storage.connection import Connection
from tests.integration.contention.cluster import SIZES, Cluster, Request, variants
from tests.integration.contention.stored import misplaced, rows_of
from tests.integration.core.support import Image

SHARE = 0.95
"""Of the pushes, at least so many succeed; the others are told to try again."""
AVERAGE_CALLS = {1: 20, 2: 40}
"""Of one push, with so many processes."""
DELETE_CALLS = {1: 5, 2: 8}
"""Of one deletion, on average."""


@pytest.mark.rule("P8", "F4")
@pytest.mark.parametrize("clients", [2, 8, 32, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("which", ["the-same-manifest", "different-manifests"])
async def test_one_tag_pushed_by_many_at_once_ends_at_one_that_was_acknowledged(
    cluster: Cluster, storage: Connection, repository: str, which: str, clients: int
) -> None:
    image = Image.make()
    await cluster.push_blobs(repository, image)
    images = [image] * clients if which == "the-same-manifest" else variants(image, clients)
    pushes = [Request.put_manifest(repository, "latest", each.manifest) for each in images]
    replies = await cluster.at_once(pushes)

    told = list(zip(images, replies.all, strict=True))
    acknowledged = {each.digest for each, reply in told if reply.status == 201}
    assert replies.statuses.get(201, 0) >= math.ceil(SHARE * clients), str(replies)
    for reply in replies.all:
        assert reply.status in (201, 503), str(replies)
        assert reply.status == 201 or "retry-after" in reply.headers
    assert replies.average_calls <= AVERAGE_CALLS[len(cluster.servers)], str(replies)

    for client in range(len(cluster.servers)):
        tag = await cluster.send(Request("HEAD", f"/v2/{repository}/manifests/latest"), client)
        assert tag.headers["docker-content-digest"] in acknowledged
        pulls = (cluster.send(Request.get(repository, each), client) for each in acknowledged)
        assert {answer.status_code for answer in await asyncio.gather(*pulls)} == {200}
    assert misplaced(await rows_of(storage, repository)) == []


@pytest.mark.rule("D2", "F4", "F5")
@pytest.mark.parametrize("clients", SIZES)
async def test_one_tag_deleted_by_many_at_once_is_deleted_and_each_is_told_so_or_that_it_is_gone(
    cluster: Cluster, storage: Connection, repository: str, clients: int
) -> None:
    image = Image.make()
    await cluster.push_image(repository, "latest", image)
    replies = await cluster.at_once([Request.delete(repository, "latest")] * clients)
    assert replies.statuses.get(202, 0) >= 1, str(replies)
    assert replies.statuses.keys() <= {202, 404}, str(replies)
    assert replies.average_calls <= DELETE_CALLS[len(cluster.servers)], str(replies)
    for client in range(len(cluster.servers)):
        answer = await cluster.send(Request.get(repository, "latest"), client)
        assert answer.status_code == 404
        answer = await cluster.send(Request.get(repository, image.digest), client)
        assert answer.content == image.manifest
    assert misplaced(await rows_of(storage, repository)) == []
