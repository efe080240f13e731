"""Which repository may read a blob: mounting, sharing, deleting."""

import asyncio
import secrets
from urllib.parse import urlsplit

import httpx
import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.model.names import RepositoryName
from registry_core.storage import tables
from tests.integration.core.support import (
    OCI_INDEX,
    OCI_LAYER,
    Client,
    Image,
    descriptor,
    digest_of,
    index_of,
)
from tests.interference.gate import Gate
from tests.interference.kinds import SeenCall


@pytest.mark.rule("R1")
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_blob_that_only_another_repository_holds_is_unknown(
    client: Client, repository: str, method: str
) -> None:
    digest = await client.push_blob(repository, secrets.token_bytes(64))
    answer = await client.send(method, f"/v2/{repository}-other/blobs/{digest}")
    assert answer.status_code == 404
    if method != "HEAD":
        assert answer.json()["errors"][0]["code"] == "BLOB_UNKNOWN"


async def test_the_same_content_lies_in_storage_once(client: Client, repository: str) -> None:
    content = secrets.token_bytes(200)
    first = await client.push_blob(repository, content)
    await client.push_blob(f"{repository}/other", content)
    one = await client.send("GET", f"/v2/{repository}/blobs/{first}")
    two = await client.send("GET", f"/v2/{repository}/other/blobs/{first}")
    assert urlsplit(one.headers["location"]).path == urlsplit(two.headers["location"]).path


@pytest.mark.rule("R3")
async def test_a_mount_links_the_blob_without_a_byte_sent(client: Client, repository: str) -> None:
    digest = await client.push_blob(repository, secrets.token_bytes(64))
    target = f"{repository}/mounted"
    answer = await client.send(
        "POST", f"/v2/{target}/blobs/uploads/", params={"mount": digest, "from": repository}
    )
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/{target}/blobs/{digest}"
    assert (await client.send("HEAD", f"/v2/{target}/blobs/{digest}")).status_code == 200


@pytest.mark.parametrize("source", ["team/nowhere", "../x", ""])
async def test_a_mount_that_finds_nothing_begins_an_upload(
    client: Client, repository: str, source: str
) -> None:
    content = secrets.token_bytes(64)
    digest = digest_of(content)
    answer = await client.send(
        "POST", f"/v2/{repository}/blobs/uploads/", params={"mount": digest, "from": source}
    )
    assert answer.status_code == 202
    answer = await client.commit(answer.headers["location"], digest, content)
    assert answer.status_code == 201


@pytest.mark.rule("R3")
@pytest.mark.parametrize("source", [None, ""])
async def test_a_mount_that_names_no_source_finds_one(
    client: Client, repository: str, source: str | None
) -> None:
    content = secrets.token_bytes(64)
    digest = await client.push_blob(f"{repository}/source", content)
    query = {"mount": digest} if source is None else {"mount": digest, "from": source}
    answer = await client.send("POST", f"/v2/{repository}/blobs/uploads/", params=query)
    assert (answer.status_code, client.cost) == (201, (4, 3))
    answer = await client.send("GET", answer.headers["location"])
    assert answer.status_code == 307
    async with httpx.AsyncClient() as http:
        assert (await http.get(answer.headers["location"])).content == content


async def test_a_deleted_blob_is_gone_here_and_stays_elsewhere(
    client: Client, other: Client, repository: str
) -> None:
    content = secrets.token_bytes(64)
    digest = await client.push_blob(repository, content)
    await client.push_blob(f"{repository}/two", content)
    assert (await client.send("DELETE", f"/v2/{repository}/blobs/{digest}")).status_code == 202
    for instance in (client, other):
        gone = await instance.send("HEAD", f"/v2/{repository}/blobs/{digest}")
        kept = await instance.send("HEAD", f"/v2/{repository}/two/blobs/{digest}")
        assert (gone.status_code, kept.status_code) == (404, 200)
    again = await client.send("DELETE", f"/v2/{repository}/blobs/{digest}")
    assert again.status_code == 404


@pytest.mark.rule("D3", "P9")
async def test_what_a_build_caches_index_names_is_not_deleted_while_it_is_there(
    client: Client, repository: str
) -> None:
    """BuildKit keeps a cache as an index whose entries are layers, and no manifests."""
    layers = [secrets.token_bytes(500), secrets.token_bytes(700)]
    config = b'{"layers":[],"records":[]}' + secrets.token_bytes(4).hex().encode()
    for blob in (*layers, config):
        await client.push_blob(repository, blob)
    entries = [
        *(descriptor(OCI_LAYER, layer) for layer in layers),
        descriptor("application/vnd.buildkit.cacheconfig.v0", config),
    ]
    cache = index_of(entries)
    assert (await client.put_manifest(repository, "cache", cache, OCI_INDEX)).status_code == 201
    urls = [f"/v2/{repository}/blobs/{digest_of(blob)}" for blob in (*layers, config)]
    for url in urls:
        answer = await client.send("DELETE", url)
        assert answer.status_code == 405
        assert answer.json()["errors"][0]["detail"]["manifest"] == digest_of(cache)
        client.forget()
        assert (await client.send("HEAD", url)).status_code == 200
    gone = await client.send("DELETE", f"/v2/{repository}/manifests/{digest_of(cache)}")
    assert gone.status_code == 202
    for url in urls:
        assert (await client.send("DELETE", url)).status_code == 202


@pytest.mark.parametrize("by", ["commit", "mount", "manifest"])
async def test_a_marker_that_is_missing_is_made_again_by_whoever_needs_it(
    client: Client, repository: str, by: str
) -> None:
    image = Image.make()
    for blob in image.blobs:
        await client.push_blob(repository, blob)
    digest, table = digest_of(image.layer), client.services.connection.table(blob_rows.TABLE)
    (marker,) = [row.key for row in await table.query(digest, "b:", "b;")]
    await table.transact(digest, [tables.delete(marker)])
    if by == "commit":
        await client.push_blob(f"{repository}/two", image.layer)
    elif by == "mount":
        query = {"mount": digest, "from": repository}
        url = f"/v2/{repository}/two/blobs/uploads/"
        assert (await client.send("POST", url, params=query)).status_code == 201
    else:
        answer = await client.put_manifest(repository, "v1", image.manifest)
        assert answer.status_code == 201
    assert [row.key for row in await table.query(digest, "b:", "b;")] == [marker]


async def test_layers_that_come_after_the_index_that_names_them_are_protected_by_its_next_push(
    client: Client, repository: str
) -> None:
    layer = secrets.token_bytes(64)
    content = index_of([descriptor(OCI_LAYER, layer)])
    for _ in range(2):
        answer = await client.put_manifest(repository, "cache", content, OCI_INDEX)
        assert answer.status_code == 201
        await client.push_blob(repository, layer)
    url = f"/v2/{repository}/blobs/{digest_of(layer)}"
    assert (await client.send("DELETE", url)).status_code == 405


@pytest.mark.rule("R6")
@pytest.mark.parametrize("by", ["commit", "mount"])
async def test_a_link_that_was_written_before_its_deletion_is_not_kept_after_it(
    client: Client, other: Client, repository: str, by: str
) -> None:
    """Storage has written it; its answer is held while the same instance deletes the blob."""
    content = secrets.token_bytes(64)
    digest = digest_of(content)
    if by == "mount":
        await other.push_blob(f"{repository}/source", content)
    location = (await client.patch(await client.begin(repository), content)).headers["location"]

    def is_link(call: SeenCall) -> bool:
        link = blob_rows.link(RepositoryName(repository))
        return any(each.first == link and not each.is_read for each in call.operations)

    gate = Gate(client.hook, is_link, is_answered=True)
    if by == "commit":
        linking = asyncio.create_task(client.commit(location, digest))
    else:
        query = {"mount": digest, "from": f"{repository}/source"}
        url = f"/v2/{repository}/blobs/uploads/"
        linking = asyncio.create_task(client.send("POST", url, params=query))
    await gate.reached.wait()
    url = f"/v2/{repository}/blobs/{digest}"
    assert (await client.send("DELETE", url)).status_code == 202
    gate.open()
    assert (await linking).status_code == 201
    assert (await client.send("HEAD", url)).status_code == 404


@pytest.mark.rule("P2", "R6")
@pytest.mark.parametrize("is_sent_again", [False, True])
async def test_a_push_relies_on_memory_no_further_than_it_is_true(
    client: Client, other: Client, repository: str, is_sent_again: bool
) -> None:
    """Here it is in memory where a blob lies, which was deleted elsewhere, and collected."""
    image = Image.make()
    for blob in image.blobs:
        await client.push_blob(repository, blob)
    layer = digest_of(image.layer)
    url = f"/v2/{repository}/blobs/{layer}"
    assert (await other.send("DELETE", url)).status_code == 202
    table = other.services.connection.table(blob_rows.TABLE)
    stored = await table.query(layer, "b", "b;")
    await table.transact(layer, [tables.delete(row.key, row.etag) for row in stored])
    if is_sent_again:
        await other.push_blob(repository, image.layer)
    answer = await client.put_manifest(repository, "v1", image.manifest)
    if not is_sent_again:
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
        return
    assert answer.status_code == 201
    places = [await instance.send("GET", url) for instance in (other, client)]
    await other.send("GET", f"/v2/{repository}/manifests/v1")
    places.append(await other.send("GET", url))
    (place,) = {urlsplit(answer.headers["location"]).path for answer in places}
    (row,) = await table.query(layer, "blob", "blob ")
    assert row.text("Location") in place
