"""Which repository may read a blob: mounting, sharing, deleting."""

import secrets
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.core.support import Client, digest_of


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
