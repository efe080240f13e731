"""Many clients commit or mount one blob at once: all succeed, and none pays for the others."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.model.names import RepositoryName
from registry_core.storage.connection import Connection
from tests.integration.contention.cluster import Cluster, Request, variants
from tests.integration.core.support import Image, digest_of

SIZES = [2, 8, 32, 64]
COMMIT_CALLS = 6
MOUNT_CALLS = 5


async def is_there(cluster: Cluster, storage: Connection, repository: str, digest: str) -> bool:
    """Whether storage has it, and every process says so: from memory, if it has linked it."""
    link = blob_rows.link(RepositoryName(repository))
    found = await storage.table(blob_rows.TABLE).query(digest, "b", "m")
    if not {blob_rows.BLOB, link} <= {row.key for row in found}:
        return False
    head = Request("HEAD", f"/v2/{repository}/blobs/{digest}")
    answers = [await cluster.send(head, client) for client in range(len(cluster.servers))]
    return all(answer.status_code == 200 for answer in answers)


@pytest.mark.rule("U5")
@pytest.mark.parametrize("clients", SIZES)
@pytest.mark.parametrize("where", ["in-one-repository", "in-as-many-repositories"])
async def test_one_blob_committed_by_many_at_once_is_stored_for_all(
    cluster: Cluster, storage: Connection, repository: str, where: str, clients: int
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
    found = await asyncio.gather(*(is_there(cluster, storage, name, digest) for name in set(names)))
    assert all(found)


@pytest.mark.rule("R3")
@pytest.mark.parametrize("clients", SIZES)
async def test_one_blob_mounted_by_many_at_once_is_mounted_for_all(
    cluster: Cluster, storage: Connection, repository: str, clients: int
) -> None:
    """An answer of 202 would be allowed, and each client would send the blob again."""
    digest = await cluster.push_blob(repository, secrets.token_bytes(1000))
    names = [f"{repository}{number}" for number in range(clients)]
    query = f"mount={digest}&from={repository}"
    mounts = [Request("POST", f"/v2/{name}/blobs/uploads/?{query}") for name in names]
    replies = await cluster.at_once(mounts)
    assert replies.statuses == {201: clients}, str(replies)
    assert replies.most_calls <= MOUNT_CALLS, str(replies)
    found = await asyncio.gather(*(is_there(cluster, storage, name, digest) for name in names))
    assert all(found)


@pytest.mark.rule("P2", "R6")
@pytest.mark.parametrize("clients", [8, 32])
async def test_no_manifest_that_was_accepted_lacks_a_blob_that_its_process_still_remembers(
    cluster: Cluster, storage: Connection, repository: str, clients: int
) -> None:
    """Each process has taken in the blob; while manifests that need it come, it is deleted."""
    first = Image.make()
    for blob in first.blobs:
        for number in range(len(cluster.servers)):
            session = await cluster.begin(repository, number)
            url = f"{session}&digest={digest_of(blob)}"
            answer = await cluster.send(Request("PUT", url, blob), number)
            assert answer.status_code == 201
    images = variants(first, clients)
    pushes = [
        Request.put_manifest(repository, f"t{number}", image.manifest)
        for number, image in enumerate(images)
    ]
    deletion = Request("DELETE", f"/v2/{repository}/blobs/{digest_of(first.layer)}")
    replies = await cluster.at_once([deletion, *pushes])
    assert replies.statuses.keys() <= {201, 202, 400, 405}, str(replies)
    pushed = [reply.status == 201 for reply in replies.all[1:]]
    # Whoever is first wins: the deletion is refused where a push has protected the blob.
    assert replies.all[0].status == (405 if any(pushed) else 202), str(replies)
    is_stored = await is_there(cluster, storage, repository, digest_of(first.layer))
    assert is_stored or not any(pushed)
