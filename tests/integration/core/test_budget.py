"""How many storage calls and sequential rounds each request may take: the product's promise.

The figures are those of `docs/architecture.md`. Cold means: an instance that has opened its
storage and has nothing in its caches.
"""

import secrets

import httpx
import pytest

from bench.cpu.shapes import LAYERS, PULL, PUSH, Cost, Shape, repeats
from registry_core.storage.objects import APPEND_BLOCK
from tests.integration.core.support import (
    OCI_LAYER,
    Client,
    Image,
    descriptor,
    digest_of,
    pieces,
)

WHOLE = {
    "push": Cost(calls=50, rounds=12),
    "pull, cold": Cost(calls=12, rounds=6),
    "pull, warm": Cost(calls=1, rounds=1),
}
"""What an image of 8 layers takes, with as many requests at once as docker makes."""


async def test_an_upload_begins_without_a_storage_call(client: Client, repository: str) -> None:
    await client.begin(repository)
    assert client.cost == (0, 0)


async def test_20_mib_in_one_patch_take_one_call_to_create_and_one_a_block(
    client: Client, repository: str
) -> None:
    content = secrets.token_bytes(20 * 1024 * 1024)
    location = (await client.patch(await client.begin(repository), pieces(content))).headers[
        "location"
    ]
    blocks = -(-len(content) // APPEND_BLOCK)
    assert client.cost == (1 + blocks, 1 + blocks)
    await client.commit(location, digest_of(content))
    assert client.cost == (2, 2)


async def test_a_small_blob_in_one_put_takes_two_calls(client: Client, repository: str) -> None:
    content = secrets.token_bytes(1000)
    await client.commit(await client.begin(repository), digest_of(content), content)
    assert client.cost == (2, 2)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_blob_takes_one_round_cold_and_none_warm(
    client: Client, other: Client, repository: str, method: str
) -> None:
    digest = await client.push_blob(repository, secrets.token_bytes(100))
    url = f"/v2/{repository}/blobs/{digest}"
    await other.send(method, url)
    # Beside the blob's row, that of the repository's locks: who asks by HEAD does not pull.
    assert other.cost == (1 + (method == "GET"), 1)
    await other.send(method, url)
    assert other.cost == (0, 0)


async def test_a_manifest_by_digest_takes_one_round_cold_and_none_warm(
    client: Client, other: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    for cost in ((2, 1), (0, 0)):
        await other.send("GET", f"/v2/{repository}/manifests/{image.digest}")
        assert other.cost == cost


async def test_a_manifest_by_tag_takes_two_rounds_cold_and_one_warm(
    client: Client, other: Client, repository: str
) -> None:
    await client.push_image(repository)
    for cost in ((3, 2), (1, 1)):
        await other.send("GET", f"/v2/{repository}/manifests/latest")
        assert other.cost == cost


async def test_the_head_of_a_tag_takes_one_round(
    client: Client, other: Client, repository: str
) -> None:
    await client.push_image(repository)
    for cost in ((2, 1), (1, 1)):
        await other.send("HEAD", f"/v2/{repository}/manifests/latest")
        assert other.cost == cost


async def test_a_manifest_takes_three_rounds_in_a_new_repository_too(
    client: Client, repository: str
) -> None:
    for _ in range(2):
        image = Image.make()
        for blob in image.blobs:
            await client.push_blob(repository, blob)
        await client.put_manifest(repository, "v1", image.manifest)
        assert client.trace.rounds == 3


async def test_a_manifest_is_deleted_in_five_rounds_whether_it_is_the_last_or_not(
    client: Client, repository: str
) -> None:
    images = [await client.push_image(repository, tag) for tag in ("v1", "v2")]
    for image in images:
        deleted = await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
        assert (deleted.status_code, client.trace.rounds) == (202, 5)


async def test_a_mount_takes_two_rounds(client: Client, repository: str) -> None:
    digest = await client.push_blob(repository, secrets.token_bytes(100))
    query = {"mount": digest, "from": repository}
    await client.send("POST", f"/v2/{repository}/two/blobs/uploads/", params=query)
    assert client.cost == (3, 2)


@pytest.mark.rule("R5")
@pytest.mark.parametrize("listing", ["{}/tags/list", "_catalog", "{}/referrers/{}"])
async def test_a_page_of_a_listing_takes_one_call(
    client: Client, repository: str, listing: str
) -> None:
    image = await client.push_image(repository)
    await client.send("GET", f"/v2/{listing.format(repository, image.digest)}")
    assert client.cost == (1, 1)


async def test_the_first_request_of_an_instance_is_not_charged_for_its_opening(
    client: Client, repository: str
) -> None:
    await client.send("GET", "/v2/")
    assert client.cost == (0, 0)


def whole(client: Client, shape: Shape) -> Cost:
    """What the last requests took, which together are a push or a pull."""
    count = sum(map(sum, shape))
    costs = [Cost(trace.count, trace.rounds) for trace in client.traces[-count:]]
    (cost,) = repeats(costs, shape)
    return cost


async def pull(client: Client, repository: str, image: Image, blobs: list[bytes]) -> int:
    """Pulls all of an image, and answers how many bytes the registry itself sent of it."""
    manifest = await client.send("GET", f"/v2/{repository}/manifests/latest")
    assert manifest.content == image.manifest
    through = len(manifest.content)
    async with httpx.AsyncClient() as storage:
        for blob in blobs:
            answer = await client.send("GET", f"/v2/{repository}/blobs/{digest_of(blob)}")
            assert answer.status_code == 307
            assert (await storage.get(answer.headers["location"])).content == blob
            through += len(answer.content)
    return through


async def test_a_whole_push_and_pull_take_what_they_may_and_no_content_passes_the_function(
    client: Client, other: Client, repository: str
) -> None:
    layers = [secrets.token_bytes(1000) for _ in range(LAYERS)]
    image = Image.make(layers=[descriptor(OCI_LAYER, layer) for layer in layers])
    await client.push_image(repository, "before")
    for blob in (*layers, image.config):
        absent = await client.send("HEAD", f"/v2/{repository}/blobs/{digest_of(blob)}")
        assert absent.status_code == 404
        await client.commit(await client.begin(repository), digest_of(blob), blob)
    stored = await client.put_manifest(repository, "latest", image.manifest)
    assert stored.status_code == 201
    costs = {"push": whole(client, PUSH)}
    for name in ("pull, cold", "pull, warm"):
        sent = await pull(other, repository, image, [image.config, *layers])
        assert sent == len(image.manifest)
        costs[name] = whole(other, PULL)
    assert costs == WHOLE
