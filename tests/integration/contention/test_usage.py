"""Many clients ask for the usage of one repository at once: an instance counts it once."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.integration.contention.cluster import SIZES, Cluster, Request, variants
from tests.integration.core.support import Image

MANIFESTS = 50
USAGE_CALLS = 10
"""Of who counts; whoever waits for that takes 4, and who comes later 2."""


@pytest.mark.rule("C1")
@pytest.mark.parametrize("clients", SIZES)
async def test_the_usage_of_one_repository_is_told_to_many_at_once(
    cluster: Cluster, repository: str, clients: int
) -> None:
    """All are told the same; who counts it pays for it, and nobody else."""
    image = Image.make()
    await cluster.push_blobs(repository, image)
    pushes = [
        Request.put_manifest(repository, f"v{number}", each.manifest)
        for number, each in enumerate(variants(image, MANIFESTS))
    ]
    await asyncio.gather(*map(cluster.must, pushes))
    replies = await cluster.at_once([Request("GET", f"/acr/v1/{repository}/_usage")] * clients)
    assert replies.statuses == {200: clients}, str(replies)
    assert replies.most_calls <= USAGE_CALLS, str(replies)
    told = [json.loads(reply.body) for reply in replies.all]
    assert {each["manifestCount"] for each in told} == {MANIFESTS}
    assert {each["tagCount"] for each in told} == {MANIFESTS}
    size = len(image.config) + len(image.layer) + sum(len(push.content) for push in pushes)
    assert {each["size"] for each in told} == {size}
