"""Blobs through the edge: reading, redirecting, streaming, mounting, deleting."""

import json
import secrets
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.settings import Settings
from registry_core.storage import tables
from tests.integration.core.support import OCI_CONFIG, Client, Image, connect, descriptor, digest_of

ABSENT = digest_of(b"absent")


async def test_a_pushed_blob_is_redirected_to_storage_and_comes_back_byte_for_byte(
    client: Client, repository: str
) -> None:
    content = secrets.token_bytes(100_000)
    digest = await client.push_blob(repository, content)
    answer = await client.send("GET", f"/v2/{repository}/blobs/{digest}")
    assert answer.status_code == 307
    async with httpx.AsyncClient() as plain:
        stored = await plain.get(answer.headers["location"])
        part = await plain.get(answer.headers["location"], headers={"Range": "bytes=5-9"})
        write = {"x-ms-blob-type": "BlockBlob"}
        refused = await plain.put(answer.headers["location"], content=b"x", headers=write)
    assert stored.content == content
    assert (part.status_code, part.content) == (206, content[5:10])
    assert refused.status_code == 403


async def test_the_redirect_reads_one_blob_for_minutes_and_does_not_name_the_repository(
    client: Client, repository: str
) -> None:
    digest = await client.push_blob(repository, b"content")
    answer = await client.send("GET", f"/v2/{repository}/blobs/{digest}")
    location = urlsplit(answer.headers["location"])
    query = parse_qs(location.query)
    assert (query["sp"], query["sr"]) == (["r"], ["b"])
    assert repository.split("/")[1] not in answer.headers["location"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("redirect", [True, False])
async def test_head_tells_the_size_and_is_never_redirected(
    settings: Settings, repository: str, redirect: bool
) -> None:
    async with connect(replace(settings, blob_redirect=redirect)) as client:
        digest = await client.push_blob(repository, b"x" * 1234)
        answer = await client.send("HEAD", f"/v2/{repository}/blobs/{digest}")
    assert answer.status_code == 200
    assert answer.headers["content-length"] == "1234"
    assert answer.headers["docker-content-digest"] == digest


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        (None, 200, 0, 9),
        ("bytes=0-0", 206, 0, 0),
        ("bytes=-1", 206, 9, 9),
        ("bytes=5-", 206, 5, 9),
        ("bytes=2-99", 206, 2, 9),
        ("bytes=0-1,3-4", 200, 0, 9),
        ("lines=1-2", 200, 0, 9),
    ],
)
async def test_a_streamed_blob_answers_the_range_asked_for(
    settings: Settings, repository: str, asked: str | None, status: int, start: int, end: int
) -> None:
    content = b"0123456789"
    async with connect(replace(settings, blob_redirect=False)) as client:
        digest = await client.push_blob(repository, content)
        headers = {"Range": asked} if asked else {}
        answer = await client.send("GET", f"/v2/{repository}/blobs/{digest}", headers=headers)
    assert (answer.status_code, answer.content) == (status, content[start : end + 1])
    expected = f"bytes {start}-{end}/10" if status == 206 else None
    assert answer.headers.get("content-range") == expected


async def test_a_range_outside_a_streamed_blob_is_416_with_the_size(
    settings: Settings, repository: str
) -> None:
    async with connect(replace(settings, blob_redirect=False)) as client:
        digest = await client.push_blob(repository, b"0123456789")
        url = f"/v2/{repository}/blobs/{digest}"
        answer = await client.send("GET", url, headers={"Range": "bytes=10-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=-5", 206),
        ("bytes=-5-", 307),
        ("bytes=-5,0-1", 307),
        ("bytes=-x", 307),
        ("bytes=-" + 41 * "9", 307),
        ("bytes=" + 30 * "9" + "-", 416),
        ("bytes=0-" + 30 * "9", 307),
    ],
)
async def test_only_a_suffix_range_makes_the_registry_stream_in_place_of_storage(
    client: Client, repository: str, asked: str, status: int
) -> None:
    digest = await client.push_blob(repository, b"0123456789")
    url = f"/v2/{repository}/blobs/{digest}"
    answer = await client.send("GET", url, headers={"Range": asked})
    assert answer.status_code == status


async def test_a_streamed_blob_larger_than_a_read_block_comes_back_whole(
    settings: Settings, repository: str
) -> None:
    content = secrets.token_bytes(9 * 1024 * 1024 + 7)
    async with connect(replace(settings, blob_redirect=False)) as client:
        digest = await client.push_blob(repository, content)
        answer = await client.send("GET", f"/v2/{repository}/blobs/{digest}")
    assert digest_of(answer.content) == digest


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


@pytest.mark.rule("D3")
async def test_a_blob_that_a_manifest_needs_is_not_deleted_and_the_manifest_is_named(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    url = f"/v2/{repository}/blobs/{digest_of(image.layer)}"
    answer = await client.send("DELETE", url)
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["detail"]["manifest"] == image.digest
    await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    assert (await client.send("DELETE", url)).status_code == 202


@pytest.mark.rule("D3")
async def test_a_blob_that_a_manifest_being_pushed_has_claimed_is_not_deleted(
    client: Client, repository: str
) -> None:
    await client.push_image(repository, "v1")
    table = client.services.connection.table(repository_rows.TABLE)
    locked = tables.merge("t:v1", WriteEnabled=False)
    await table.transact(repository_rows.partition(RepositoryName(repository)), [locked])
    image = Image.make()
    layer, _ = [await client.push_blob(repository, blob) for blob in (image.layer, image.config)]
    # The tag's lock ends this push, after it has claimed its blobs.
    answer = await client.put_manifest(repository, "v1", image.manifest)
    assert answer.json()["errors"][0]["code"] == "REGISTRY_DISALLOWED_OPERATION"
    answer = await client.send("DELETE", f"/v2/{repository}/blobs/{layer}")
    assert answer.status_code == 405
    assert image.digest in answer.json()["errors"][0]["message"]


async def test_deletion_can_be_switched_off(settings: Settings, repository: str) -> None:
    async with connect(replace(settings, delete_enabled=False)) as client:
        image = await client.push_image(repository)
        for path in (f"blobs/{digest_of(image.layer)}", f"manifests/{image.digest}"):
            answer = await client.send("DELETE", f"/v2/{repository}/{path}")
            assert answer.status_code == 405
            assert answer.json()["errors"][0]["code"] == "UNSUPPORTED"


@pytest.mark.parametrize("digest", ["sha256:abc", "md5:" + "0" * 32, "sha256:" + "A" * 64])
async def test_a_digest_that_is_none_is_refused(
    client: Client, repository: str, digest: str
) -> None:
    answer = await client.send("GET", f"/v2/{repository}/blobs/{digest}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "DIGEST_INVALID"


async def test_paths_that_sdks_encode_once_more_are_understood(
    client: Client, repository: str
) -> None:
    content = json.dumps(descriptor(OCI_CONFIG, b"{}")).encode()
    digest = await client.push_blob(repository, content)
    encoded = f"/v2/{repository.replace('/', '%252F')}/blobs/{digest.replace(':', '%253A')}"
    assert (await client.send("HEAD", encoded)).status_code == 200
