"""The storage calls that costs are computed from are those that a push and a pull make."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from devhost.processes.azurite import Azurite
from registry_core.access.store import Access
from registry_core.model.requests import RequestKind
from registry_core.settings import Settings
from registry_core.storage.cache import Cache
from registry_core.storage.calls import CallTrace, StorageCall, traced
from slipway_cli.billing import workload
from slipway_cli.billing.workload import Calls, Workload
from tests.integration.core.auth.test_sign_in import Guest, basic, make_token
from tests.integration.core.collection.mailbox import Mailbox, collect
from tests.integration.core.support import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Client,
    connect,
    descriptor,
    digest_of,
    index_of,
)
from tests.worst_hour import DEAREST

MIB = 1024 * 1024
TAKEN_AND_DELETED = Calls(queue=2)
"""A message, by the Functions host."""


def billed(traces: Iterable[CallTrace]) -> Calls:
    """By class of operation (Azure's map of REST operations to transaction types)."""
    total = Calls()
    for trace in traces:
        for call in trace.calls:
            total += _class_of(call)
    return total


def _class_of(call: StorageCall) -> Calls:
    if call.service == "table":
        return Calls(table=1)
    if call.service == "queue":
        return Calls(queue=1)
    if call.method == "DELETE":
        return Calls()  # It is free.
    if call.method == "GET":
        return Calls(blob_read=1)
    if call.method == "HEAD" or "userdelegationkey" in call.query:
        return Calls(blob_other=1)
    return Calls(blob_write=1)


async def push(client: Client, repository: str, blobs: list[bytes]) -> bytes:
    """As docker does: each blob is asked for and sent, then the manifest. Answers that."""
    for blob in blobs:
        asked = await client.send("HEAD", f"/v2/{repository}/blobs/{digest_of(blob)}")
        assert asked.status_code == 404
        await client.push_blob(repository, blob)
    return await put(client, repository, "v1", blobs)


async def put(client: Client, repository: str, tag: str, blobs: list[bytes]) -> bytes:
    """Pushes the manifest of a config and layers that are there."""
    config, *layers = blobs
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, config),
        "layers": [descriptor(OCI_LAYER, layer) for layer in layers],
    }
    content = json.dumps(document).encode()
    answer = await client.put_manifest(repository, tag, content)
    assert answer.status_code == 201, answer.text
    return content


async def pull(client: Client, repository: str, manifest: bytes, blobs: list[bytes]) -> None:
    assert (await client.send("HEAD", f"/v2/{repository}/manifests/v1")).status_code == 200
    by_digest = f"/v2/{repository}/manifests/{digest_of(manifest)}"
    assert (await client.send("GET", by_digest)).content == manifest
    for blob in blobs:
        answer = await client.send("GET", f"/v2/{repository}/blobs/{digest_of(blob)}")
        assert answer.status_code == 307


@pytest.mark.parametrize(
    ("layers", "blocks"), [(1, 1), (4, 1), (2, 3)], ids=["one layer", "four layers", "large layers"]
)
async def test_a_push_and_a_pull_make_the_calls_that_are_billed(
    settings: Settings, repository: str, layers: int, blocks: int
) -> None:
    size = (blocks - 1) * workload.BLOCK_MIB * MIB + 1000
    blobs = [json.dumps({"os": "linux", "created": os.urandom(8).hex()}).encode()]
    blobs += [os.urandom(size) for _ in range(layers)]
    work = Workload(
        layers=layers,
        image_mb=layers * size / 1e6,
        new_layers=1,
        pulled_layers=1,
    )
    async with connect(settings) as client:
        client.traces.clear()
        manifest = await push(client, repository, blobs)
        assert billed(client.traces) == workload.calls_of_push(work)
    async with connect(settings) as fresh:
        fresh.traces.clear()
        await pull(fresh, repository, manifest, blobs)
        by_clients = workload.READ_BY_CLIENT * len(blobs)
        assert billed(fresh.traces) + by_clients == workload.calls_of_pull(work)
        # What the workload calls requests, less the sign-in of two.
        assert len(fresh.traces) == workload.requests_of_pull(work) - 2


@pytest.mark.parametrize("layers", [1, 4])
async def test_a_deletion_and_collection_after_it_make_the_calls_that_are_billed(
    settings: Settings, azurite: Azurite, repository: str, layers: int
) -> None:
    """Half of the layers are of another image, too, which stays."""
    blobs = [os.urandom(1000) for _ in range(layers + 1)]
    shared = blobs[1 : 1 + layers // 2]
    work = Workload(layers=layers, new_layers=1 - len(shared) / layers)
    async with connect(replace(settings, gc_grace=timedelta(0))) as client:
        manifest = await push(client, repository, blobs)
        kept = os.urandom(1000)
        await client.push_blob(repository, kept)
        await put(client, repository, "kept", [kept, *shared])
        await client.services.soft_delete.is_on()  # Known for the life of the cache.
        client.traces.clear()
        deleted = f"/v2/{repository}/manifests/{digest_of(manifest)}"
        assert (await client.send("DELETE", deleted)).status_code == 202
        counted = billed(client.traces)
        size = 0
        async with Mailbox(azurite.connection_string) as mailbox:
            for _ in range(workload.MESSAGES):
                (message,) = await mailbox.messages()
                with traced() as trace:
                    size += (await collect(client, message)).size
                counted += billed([trace]) + TAKEN_AND_DELETED
            assert await mailbox.messages() == []
    assert size == 1000 * (len(blobs) - len(shared))
    assert counted == workload.calls_of_deletion(work)


def is_within(calls: Calls, bound: Calls) -> bool:
    """Whether no class of operation has more than the bound."""
    return all(count <= vars(bound)[name] for name, count in vars(calls).items())


async def test_the_dearest_requests_of_the_worst_hour_take_what_the_page_counts(
    settings: Settings, repository: str
) -> None:
    """On a cold instance each. The page computes with bounds."""
    async with connect(settings) as client:
        image = await client.push_image(repository)
        large = index_of([image.descriptor], annotations={"a": "x" * 900_000})
        answer = await client.put_manifest(repository, "large", large, OCI_INDEX)
        assert answer.status_code == 201, answer.text
        note = {"annotations": {"note": "x" * 9_000}, "subject": image.descriptor}
        for _ in range(3):
            await client.push_image(repository, "", **note)
        client.traces.clear()
        await client.push_blob(repository, os.urandom(9))
        assert billed(client.traces) == DEAREST[RequestKind.WRITE] * len(client.traces)
    referrers = f"/v2/{repository}/referrers/{image.digest}"
    for method, path, bound in (
        ("GET", f"/v2/{repository}/manifests/large", DEAREST[RequestKind.READ]),
        ("GET", referrers, Calls(table=2) + Calls(table=1, blob_read=1) * 3),
        ("DELETE", f"/v2/{repository}/manifests/{image.digest}", DEAREST[RequestKind.DELETE]),
    ):
        async with connect(settings) as client:
            # Read by each instance once in the life of its cache, and not by each deletion.
            await client.services.soft_delete.is_on()
            client.traces.clear()
            answer = await client.send(method, path)
            assert answer.is_success, answer.text
            assert is_within(billed(client.traces), bound), billed(client.traces)


async def test_a_sign_in_with_a_token_takes_what_the_page_counts(settings: Settings) -> None:
    async with connect(settings) as client:
        name = f"token-{secrets.token_hex(4)}"
        access = Access(client.services.connection, Cache(timedelta(0)))
        guest = Guest(
            client, basic(name, await make_token(access, name, "repositories/*/content/read"))
        )
        await guest.token()  # The signing keys are read once in a quarter of an hour.
        client.traces.clear()
        assert (await guest.token()).status_code == 200
        assert billed(client.traces) == DEAREST[RequestKind.SIGN_IN]
