"""Many clients commit or mount one blob at once: all succeed, and none pays for the others."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from tests.integration.contention.cluster import Cluster, Request
from tests.integration.core.support import digest_of

SIZES = [2, 8, 32, 64]
COMMIT_CALLS = 6
MOUNT_CALLS = 5


async def is_there(cluster: Cluster, repository: str, digest: str) -> bool:
    """Whether every process says so."""
    head = Request("HEAD", f"/v2/{repository}/blobs/{digest}")
    answers = [await cluster.send(head, client) for client in range(len(cluster.servers))]
    return all(answer.status_code == 200 for answer in answers)


@pytest.mark.rule("U5")
@pytest.mark.parametrize("clients", SIZES)
@pytest.mark.parametrize("where", ["in-one-repository", "in-as-many-repositories"])
async def test_one_blob_committed_by_many_at_once_is_stored_for_all(
    cluster: Cluster, repository: str, where: str, clients: int
) -> None:
    """First it is new to the registry, then it is there already."""
    content = secrets.token_bytes(1000)
    digest = digest_of(content)
    names = [
        repository if where == "in-one-repository" else f"{repository}{n}" for n in range(clients)
    ]
    for state in ("new", "there"):
        sessions = [await cluster.begin(name, number) for number, name in enumerate(names)]
        commits = [Request("PUT", f"{session}&digest={digest}", content) for session in sessions]
        replies = await cluster.at_once(commits)
        assert replies.statuses == {201: clients}, (state, str(replies))
        assert replies.most_calls <= COMMIT_CALLS, (state, str(replies))
    found = await asyncio.gather(*(is_there(cluster, name, digest) for name in set(names)))
    assert all(found)


@pytest.mark.rule("R3")
@pytest.mark.parametrize("clients", SIZES)
async def test_one_blob_mounted_by_many_at_once_is_mounted_for_all(
    cluster: Cluster, repository: str, clients: int
) -> None:
    """An answer of 202 would be allowed, and each client would send the blob again."""
    digest = await cluster.push_blob(repository, secrets.token_bytes(1000))
    names = [f"{repository}{number}" for number in range(clients)]
    query = f"mount={digest}&from={repository}"
    mounts = [Request("POST", f"/v2/{name}/blobs/uploads/?{query}") for name in names]
    replies = await cluster.at_once(mounts)
    assert replies.statuses == {201: clients}, str(replies)
    assert replies.most_calls <= MOUNT_CALLS, str(replies)
    assert all(await asyncio.gather(*(is_there(cluster, name, digest) for name in names)))
