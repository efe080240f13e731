"""Reading manifests through the edge, by tag and by digest."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry_core.settings import Settings
from tests.integration.core.support import (
    OCI_MANIFEST,
    Client,
    Image,
    connect,
    digest_of,
    rows,
)
from tests.interference.gate import Gate


@pytest.mark.rule("P2")
@pytest.mark.parametrize("by", ["tag", "digest"])
async def test_a_manifest_comes_back_byte_for_byte(
    client: Client, other: Client, repository: str, by: str
) -> None:
    image = await client.push_image(repository)
    reference = "latest" if by == "tag" else image.digest
    for instance in (client, other, other):
        answer = await instance.send("GET", f"/v2/{repository}/manifests/{reference}")
        assert answer.status_code == 200
        assert answer.content == image.manifest
        assert answer.headers["content-type"] == OCI_MANIFEST
        assert answer.headers["docker-content-digest"] == image.digest
        assert answer.headers["etag"] == f'"{image.digest}"'
        head = await instance.send("HEAD", f"/v2/{repository}/manifests/{reference}")
        assert head.headers["content-length"] == str(len(image.manifest))
        assert head.headers["content-type"] == OCI_MANIFEST
        assert head.headers["docker-content-digest"] == image.digest


@pytest.mark.rule("P2")
@pytest.mark.parametrize(
    "size",
    [
        edge + step
        for edge in (64 * 1024, 512 * 1024, 1024 * 1024, 4 * 1024 * 1024)
        for step in (-1, 0, 1)
        if edge + step <= 4 * 1024 * 1024
    ],
)
async def test_a_manifest_of_any_size_up_to_4_mib_comes_back_byte_for_byte(
    client: Client, other: Client, repository: str, size: int
) -> None:
    bare = Image.make(annotations={"fill": ""})
    fill = "x" * (size - len(bare.manifest))
    image = bare.with_manifest(annotations={"fill": fill})
    assert len(image.manifest) == size
    for blob in image.blobs:
        await client.push_blob(repository, blob)
    answer = await client.put_manifest(repository, "big", image.manifest)
    assert answer.status_code == 201
    answer = await other.send("GET", f"/v2/{repository}/manifests/big")
    assert answer.content == image.manifest
    deleted = await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    assert deleted.status_code == 202


async def test_a_sha512_reference_names_the_manifest(client: Client, repository: str) -> None:
    image = await client.push_image(repository)
    digest = digest_of(image.manifest, "sha512")
    answer = await client.put_manifest(repository, digest, image.manifest)
    assert answer.headers["docker-content-digest"] == digest
    answer = await client.send("GET", f"/v2/{repository}/manifests/{digest}")
    assert answer.content == image.manifest


@pytest.mark.rule("R2")
async def test_a_head_by_somebody_who_may_push_touches_an_old_manifest(
    settings: Settings, repository: str
) -> None:
    async with connect(replace(settings, gc_grace=timedelta(hours=1))) as client:
        image = await client.push_image(repository)
        before = (await rows(client, repository))[f"m:{image.digest}"]
        later = datetime.now(UTC) + timedelta(hours=2)
        client.services.manifests._now = lambda: later
        client.services.blobs._now = lambda: later
        head = await client.send("HEAD", f"/v2/{repository}/manifests/{image.digest}")
        assert head.status_code == 200
        after = (await rows(client, repository))[f"m:{image.digest}"]
        assert after.timestamp > before.timestamp
        layer = digest_of(image.layer)
        head = await client.send("HEAD", f"/v2/{repository}/blobs/{layer}")
        assert head.status_code == 200
        assert [call.method for call in client.trace.calls] == ["GET", "POST"]


@pytest.mark.parametrize(
    "reference", ["absent", digest_of(b"absent"), "x" * 129, "-dash", "sha256:short"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_what_does_not_or_cannot_exist_is_unknown(
    client: Client, repository: str, method: str, reference: str
) -> None:
    answer = await client.send(method, f"/v2/{repository}/manifests/{reference}")
    assert answer.status_code == 404
    if method != "HEAD":
        assert answer.json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"


@pytest.mark.rule("R4")
async def test_a_tag_that_always_exists_is_always_found(
    client: Client, other: Client, repository: str
) -> None:
    """GET by tag reads `t:`, the tag moves and the old manifest goes, then it reads `m:`."""
    first = await other.push_image(repository, "v1")
    gate = Gate(client.hook, lambda call: call.method == "GET" and call.depth == 2)
    get = asyncio.create_task(client.send("GET", f"/v2/{repository}/manifests/v1"))
    await gate.reached.wait()
    await other.push_image(repository, "v1")
    gone = await other.send("DELETE", f"/v2/{repository}/manifests/{first.digest}")
    assert gone.status_code == 202
    gate.open()
    assert (await get).status_code == 200


@pytest.mark.rule("R1")
@pytest.mark.parametrize("kind", ["manifest", "blob"])
async def test_what_was_read_before_a_deletion_is_not_served_from_memory_after_it(
    client: Client, other: Client, repository: str, kind: str
) -> None:
    await other.push_image(repository, "keep")
    image = await other.push_image(repository, "v1")
    loose = await other.push_blob(repository, image.digest.encode())
    url = f"/v2/{repository}/" + (
        f"manifests/{image.digest}" if kind == "manifest" else f"blobs/{loose}"
    )
    gate = Gate(client.hook, lambda _: True, is_answered=True)
    read = asyncio.create_task(client.send("GET", url))
    await gate.reached.wait()
    assert (await client.send("DELETE", url)).status_code == 202
    gate.open()
    assert (await read).status_code in (200, 307)
    assert (await client.send("GET", url)).status_code == 404


@pytest.mark.rule("R6")
async def test_what_a_manifest_told_of_its_blobs_is_forgotten_when_they_are_deleted_here(
    client: Client, other: Client, repository: str
) -> None:
    """Its row is read, and held on its way, while it is deleted and then its blob."""
    await client.push_image(repository, "keep")
    image = await client.push_image(repository, "v1")
    manifest = f"/v2/{repository}/manifests/{image.digest}"
    blob = f"/v2/{repository}/blobs/{digest_of(image.layer)}"
    gate = Gate(other.hook, lambda _: True, is_answered=True)
    read = asyncio.create_task(other.send("GET", manifest))
    await gate.reached.wait()
    for url in (manifest, blob):
        assert (await other.send("DELETE", url)).status_code == 202
    gate.open()
    assert (await read).status_code == 200
    assert (await other.send("GET", blob)).status_code == 404


@pytest.mark.rule("R6")
async def test_what_a_manifest_told_of_its_blobs_counts_for_the_caches_life_from_when_it_was_read(
    client: Client, other: Client, repository: str
) -> None:
    """Reading it again from memory tells nothing new."""
    await client.push_image(repository, "keep")
    image = await client.push_image(repository, "v1")
    manifest = f"/v2/{repository}/manifests/{image.digest}"
    blob = f"/v2/{repository}/blobs/{digest_of(image.layer)}"
    read_at = time.monotonic()
    assert (await other.send("GET", manifest)).status_code == 200
    for url in (manifest, blob):
        assert (await client.send("DELETE", url)).status_code == 202

    def pass_time(seconds: float) -> None:
        for cache in (other.services.manifests._cache, other.services.blobs._cache):
            cache._now = lambda: read_at + seconds

    pass_time(50)
    assert [(await other.send("GET", url)).status_code for url in (manifest, blob)] == [200, 307]
    pass_time(other.services.settings.cache_ttl.total_seconds() + 10)
    assert [(await other.send("GET", url)).status_code for url in (manifest, blob)] == [404, 404]


@pytest.mark.rule("R2", "R6")
async def test_who_may_push_is_told_of_a_blob_only_when_its_link_was_read(
    client: Client, other: Client, repository: str
) -> None:
    """A manifest does not tell when the links of its blobs were touched last."""
    image = await client.push_image(repository, "v1")
    blob = f"/v2/{repository}/blobs/{digest_of(image.layer)}"
    await other.send("GET", f"/v2/{repository}/manifests/v1")
    assert (await other.send("HEAD", blob)).status_code == 200
    assert other.cost == (1, 1)
