"""Reading blobs through the edge: redirecting to storage, streaming, ranges."""

import json
import secrets
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from registry_core.settings import Settings
from tests.integration.core.support import (
    OCI_CONFIG,
    Client,
    connect,
    descriptor,
    digest_of,
)

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


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("size", "header", "status"),
    [
        (1, "1", 200),
        (4 * MIB, "1", 200),
        (4 * MIB + 1, "1", 307),
        (1, "0", 307),
        (1, "", 307),
        (1, "true", 307),
    ],
)
async def test_a_small_blob_is_streamed_to_whoever_asks_for_that_and_a_larger_one_never(
    client: Client, repository: str, size: int, header: str, status: int
) -> None:
    content = secrets.token_bytes(size)
    digest = await client.push_blob(repository, content)
    url, headers = f"/v2/{repository}/blobs/{digest}", {"Slipway-Inline": header}
    answer = await client.send("GET", url, headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.content == content
        assert "location" not in answer.headers
        part = await client.send("GET", url, headers={**headers, "Range": "bytes=0-0"})
        assert (part.status_code, part.content) == (206, content[:1])
        known = {**headers, "If-None-Match": answer.headers["etag"]}
        assert (await client.send("GET", url, headers=known)).status_code == 304


@pytest.mark.parametrize("content", [b"<script>alert(1)</script>", b"<svg onload='alert(1)'/>"])
@pytest.mark.parametrize(
    ("redirect", "headers"),
    [(True, {"Slipway-Inline": "1"}), (True, {"Range": "bytes=-9"}), (False, {})],
)
async def test_what_is_streamed_is_nothing_that_a_browser_shows(
    settings: Settings, repository: str, content: bytes, redirect: bool, headers: dict[str, str]
) -> None:
    async with connect(replace(settings, blob_redirect=redirect)) as client:
        digest = await client.push_blob(repository, content)
        answer = await client.send("GET", f"/v2/{repository}/blobs/{digest}", headers=headers)
    assert answer.status_code in (200, 206)
    expected = {
        "content-type": "application/octet-stream",
        "content-disposition": "attachment",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "x-content-type-options": "nosniff",
    }
    assert expected.items() <= answer.headers.items()


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
