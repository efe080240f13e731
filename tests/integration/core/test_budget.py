"""How many storage calls and sequential rounds each request may take: the product's promise.

The figures are those of `docs/architecture.md`. Cold means: an instance that has opened its
storage and has nothing in its caches.
"""

import json
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest

from bench.cpu.shapes import LAYERS, PULL, PUSH, Cost, Shape, repeats
from registry_core.repositories.plan import MAX_TAGS
from registry_core.settings import Settings
from registry_core.storage.objects import APPEND_BLOCK
from registry_core.storage.tables import MAX_PAGE
from tests.integration.core.soft import set_policy
from tests.integration.core.support import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Client,
    Image,
    connect,
    descriptor,
    digest_of,
    index_of,
    pieces,
)

WHOLE = {
    "push": Cost(calls=41, rounds=12),
    "pull, cold": Cost(calls=3, rounds=2),
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


async def test_a_soft_deletion_takes_no_more_calls_than_one_for_good(
    client: Client, repository: str
) -> None:
    """Nothing is released. That a repository has something deleted is said once in five minutes."""
    costs: dict[bool, list[tuple[int, int]]] = {}
    images = [Image.make() for _ in range(4)]
    for is_soft in (False, True):
        await set_policy(client, is_on=is_soft)
        name = f"{repository}/{'soft' if is_soft else 'hard'}"
        for number, image in enumerate(images):
            for blob in image.blobs:
                await client.push_blob(name, blob)
            await client.put_manifest(name, f"v{number}", image.manifest)
        await client.put_manifest(name, "also", images[1].manifest)
        costs[is_soft] = []
        for reference in (images[0].digest, "also", images[1].digest, images[2].digest):
            await client.send("DELETE", f"/v2/{name}/manifests/{reference}")
            costs[is_soft].append(client.cost)
    await set_policy(client, is_on=False)
    pairs = zip(costs[False], costs[True], strict=True)
    saved = [(hard[0] - soft[0], hard[1] - soft[1]) for hard, soft in pairs]
    # An image of two blobs, the first in the repository; a tag; two images of two blobs.
    assert saved == [(3, 0), (0, 0), (4, 0), (4, 0)]


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


# Whole images, and what is large.


@dataclass(frozen=True)
class Layered:
    """An image of eight layers."""

    blobs: tuple[bytes, ...]
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def layered() -> Layered:
    config = json.dumps({"os": "linux", "created": secrets.token_hex(8)}).encode()
    layers = [secrets.token_bytes(100) for _ in range(8)]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, config),
        "layers": [descriptor(OCI_LAYER, layer) for layer in layers],
    }
    return Layered((config, *layers), json.dumps(document).encode())


async def pushed(client: Client, repository: str) -> Layered:
    image = layered()
    for blob in image.blobs:
        await client.push_blob(repository, blob)
    answer = await client.put_manifest(repository, "v1", image.manifest)
    assert answer.status_code == 201
    return image


@pytest.mark.rule("R6")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_cold_pull_of_eight_layers_takes_three_calls_in_two_rounds(
    client: Client, other: Client, repository: str, method: str
) -> None:
    """The tag and the locks, then the manifest: its row tells where its blobs lie."""
    image = await pushed(client, repository)
    other.traces.clear()
    await other.send(method, f"/v2/{repository}/manifests/v1")
    got = await other.send("GET", f"/v2/{repository}/manifests/{image.digest}")
    assert got.content == image.manifest
    for blob in image.blobs:
        answer = await other.send("GET", f"/v2/{repository}/blobs/{digest_of(blob)}")
        assert answer.status_code == 307
    assert sum(trace.count for trace in other.traces) == 3
    assert sum(trace.rounds for trace in other.traces) == 2


async def test_a_push_that_takes_longer_than_pulls_are_remembered_finds_its_own_blobs_in_memory(
    settings: Settings, repository: str
) -> None:
    """The conditions of its second round prove them. A pull is not told of them any more."""
    image = Image.make()
    async with connect(replace(settings, cache_ttl=timedelta(microseconds=1))) as slow:
        for blob in image.blobs:
            await slow.push_blob(repository, blob)
        assert (await slow.put_manifest(repository, "v1", image.manifest)).status_code == 201
        assert [str(call) for call in slow.traces[-1].calls if "blobs(" in call.path] == []
        await slow.send("GET", f"/v2/{repository}/blobs/{digest_of(image.layer)}")
        assert [call.method for call in slow.traces[-1].calls if "blobs(" in call.path] == ["GET"]


async def test_without_memory_each_request_of_a_pull_asks_storage(
    client: Client, settings: Settings, repository: str
) -> None:
    """Each blob for its link and the locks, in one round: 22 calls, of which 6 wait for another."""
    image = await pushed(client, repository)
    async with connect(replace(settings, cache_ttl=timedelta(0))) as forgetful:
        for _ in range(2):
            forgetful.traces.clear()
            await forgetful.send("HEAD", f"/v2/{repository}/manifests/v1")
            await forgetful.send("GET", f"/v2/{repository}/manifests/{image.digest}")
            for blob in image.blobs:
                await forgetful.send("GET", f"/v2/{repository}/blobs/{digest_of(blob)}")
            assert [trace.count for trace in forgetful.traces] == [2] * 11
            assert [trace.rounds for trace in forgetful.traces] == [1] * 11


async def test_a_blob_takes_a_call_on_an_instance_that_has_not_read_its_manifest(
    client: Client, other: Client, repository: str
) -> None:
    """As a load balancer sends it. The first also reads the locks, in the same round."""
    image = await pushed(client, repository)
    costs = []
    for blob in image.blobs:
        await other.send("GET", f"/v2/{repository}/blobs/{digest_of(blob)}")
        costs.append(other.cost)
    assert costs == [(2, 1), *[(1, 1)] * 8]


async def test_a_manifest_whose_blobs_were_pushed_here_takes_no_call_to_find_them(
    client: Client, other: Client, repository: str
) -> None:
    """Three rows; a transaction for each blob, the config and the catalog; the transaction.

    Another instance reads the nine links as well, in the first round.
    """
    image = await pushed(client, repository)
    assert client.cost == (15, 3)
    document = json.loads(image.manifest) | {"annotations": {"of": "another"}}
    await other.put_manifest(repository, "v2", json.dumps(document).encode())
    assert other.cost == (15 - 1 + 9, 3)


@pytest.mark.rule("R6")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("by", ["commit", "commit of what is there", "mount"])
async def test_a_blob_that_was_linked_here_takes_no_call(
    client: Client, other: Client, repository: str, by: str, method: str
) -> None:
    content, query = secrets.token_bytes(100), {}
    digest = digest_of(content)
    if by != "commit":
        await other.push_blob(f"{repository}/source", content)
    if by == "mount":
        query = {"mount": digest, "from": f"{repository}/source"}
        await client.send("POST", f"/v2/{repository}/blobs/uploads/", params=query)
    else:
        await client.push_blob(repository, content)
    await client.send(method, f"/v2/{repository}/blobs/{digest}")
    # Who pulls is held against the locks of the repository.
    assert client.cost == ((1, 1) if method == "GET" else (0, 0))


@pytest.mark.parametrize("count", [150, pytest.param(500, marks=pytest.mark.long)])
async def test_an_index_of_many_children_takes_a_call_for_each_fifty(
    client: Client, repository: str, count: int
) -> None:
    """Four reads, a transaction for fifty children each, and its own."""
    config = b"{}"
    await client.push_blob(repository, config)
    children = []
    for number in range(count):
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, config),
            "layers": [],
            "annotations": {"number": str(number)},
        }
        content = json.dumps(document).encode()
        answer = await client.put_manifest(repository, digest_of(content), content)
        assert answer.status_code == 201
        children.append(descriptor(OCI_MANIFEST, content))
    index = index_of(children)
    for _ in range(2):
        answer = await client.put_manifest(repository, "all", index, OCI_INDEX)
        assert (answer.status_code, client.cost) == (201, (5 + count // 50, 2 + count // 50))
    await client.services.soft_delete.is_on()
    # Of the rows that name its children, a hundred go in one transaction, all at once.
    answer = await client.send("DELETE", f"/v2/{repository}/manifests/{digest_of(index)}")
    assert (answer.status_code, client.cost) == (202, (8 + -(-count // 100), 5))


async def tag(client: Client, repository: str, image: Image, count: int) -> None:
    names = [f"t{number:04}" for number in range(count)]
    for first in range(0, count, MAX_TAGS):
        query = "&".join(f"tag={name}" for name in names[first : first + MAX_TAGS])
        reference = f"{image.digest}?{query}"
        answer = await client.put_manifest(repository, reference, image.manifest)
        assert answer.status_code == 201


@pytest.mark.rule("D6", "D9")
async def test_a_manifest_of_100_tags_is_deleted_in_14_calls(
    client: Client, repository: str
) -> None:
    """Of them four are transactions, of 30 tags each but the last."""
    await client.push_image(repository, "keep")
    image = await client.push_image(repository, "")
    await tag(client, repository, image, 100)
    await client.services.soft_delete.is_on()  # An instance knows it for the life of its cache.
    answer = await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    assert (answer.status_code, client.cost) == (202, (14, 8))
    answer = await client.send("GET", f"/v2/{repository}/tags/list")
    assert answer.json()["tags"] == ["keep"]


@pytest.mark.rule("R5")
async def test_a_page_of_tags_that_is_full_and_the_last_takes_one_call(
    client: Client, repository: str
) -> None:
    """Storage says that nothing follows; where something may, it is asked again."""
    image = await client.push_image(repository, "")
    await tag(client, repository, image, MAX_PAGE)
    url = f"/v2/{repository}/tags/list"
    answer = await client.send("GET", url)
    assert (len(answer.json()["tags"]), client.cost) == (MAX_PAGE, (1, 1))
    assert "link" not in answer.headers
    await client.put_manifest(repository, "z", image.manifest)
    answer = await client.send("GET", url)
    assert (len(answer.json()["tags"]), client.cost) == (MAX_PAGE, (2, 2))
    answer = await client.send("GET", answer.links["next"]["url"])
    assert (answer.json()["tags"], client.cost) == (["z"], (1, 1))
    assert "link" not in answer.headers
