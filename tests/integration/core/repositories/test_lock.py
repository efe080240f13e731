"""Locks: what each forbids through the edge, and that nothing overtakes one."""

import asyncio

import pytest

from registry_core.model.change import SetAttributes
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.storage.tables import merge
from tests.integration.core.support import (
    Client,
    Image,
    push_blobs,
    rows,
)
from tests.interference.gate import Gate


@pytest.mark.parametrize(
    ("key", "column", "method"),
    [
        ("t:v1", "WriteEnabled", "PUT"),
        ("t:v1", "WriteEnabled", "DELETE"),
        ("t:v1", "DeleteEnabled", "DELETE"),
        ("t:v1", "ReadEnabled", "GET"),
        ("h", "WriteEnabled", "PUT"),
        ("h", "WriteEnabled", "DELETE"),
    ],
)
async def test_a_lock_forbids_with_405_what_it_is_for(
    client: Client, repository: str, key: str, column: str, method: str
) -> None:
    await client.push_image(repository, "v1")
    newer = await client.push_image(repository, "v2")
    table = client.services.connection.table(repository_rows.TABLE)
    partition = repository_rows.partition(RepositoryName(repository))
    await table.transact(partition, [merge(key, **{column: False})])
    if method == "PUT":
        answer = await client.put_manifest(repository, "v1", newer.manifest)
    else:
        answer = await client.send(method, f"/v2/{repository}/manifests/v1")
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "REGISTRY_DISALLOWED_OPERATION"


async def test_the_same_digest_may_be_pushed_again_under_a_locked_tag(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    table = client.services.connection.table(repository_rows.TABLE)
    partition = repository_rows.partition(RepositoryName(repository))
    await table.transact(partition, [merge("t:v1", WriteEnabled=False)])
    assert (await client.put_manifest(repository, "v1", image.manifest)).status_code == 201
    row = (await rows(client, repository))["t:v1"]
    assert row.values["WriteEnabled"] is False


@pytest.mark.rule("P6")
async def test_a_push_that_began_before_the_repository_was_locked_is_refused(
    client: Client, other: Client, repository: str
) -> None:
    await client.push_image(repository, "keep")
    image = Image.make()
    await push_blobs(client, repository, image)
    gate = Gate(client.hook, lambda call: call.method == "POST" and call.depth == 3)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    lock = SetAttributes({"WriteEnabled": False})
    await other.services.locks.set(RepositoryName(repository), lock)
    gate.open()
    answer = await push
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "REGISTRY_DISALLOWED_OPERATION"
    assert "t:v1" not in await rows(client, repository)
