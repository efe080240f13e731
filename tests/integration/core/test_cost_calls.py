"""The storage calls that costs are computed from are those that a push and a pull make."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from datetime import timedelta

import pytest

from registry_core.access.store import Access
from registry_core.model.requests import RequestKind
from registry_core.settings import Settings
from registry_core.storage.cache import Cache
from registry_core.storage.calls import CallTrace, StorageCall
from slipway_cli.billing import workload
from slipway_cli.billing.workload import Calls, Workload
from tests.integration.core.auth.test_sign_in import Guest, basic, make_token
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
    config, *layers = blobs
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, config),
        "layers": [descriptor(OCI_LAYER, layer) for layer in layers],
    }
    content = json.dumps(document).encode()
    answer = await client.put_manifest(repository, "v1", content)
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
