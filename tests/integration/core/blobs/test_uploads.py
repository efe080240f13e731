"""Uploads through the edge: every way clients send them, and what goes wrong on the way."""

import asyncio
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from registry_core.blobs import hashing
from registry_core.blobs import rows as blob_rows
from registry_core.settings import Settings
from registry_core.storage import tables
from registry_core.storage.objects import APPEND_BLOCK, Location
from tests.integration.core.support import (
    Client,
    all_rows,
    connect,
    digest_of,
    pieces,
)
from tests.interference.kinds import Drop, Hold, Interference, Postpone, Refuse, SeenCall

MIB = 1024 * 1024

SIZES = [0, 1, 65_536, APPEND_BLOCK - 1, APPEND_BLOCK, APPEND_BLOCK + 1, 2 * APPEND_BLOCK + 3]


async def content_of(client: Client, repository: str, digest: str) -> bytes:
    answer = await client.send("GET", f"/v2/{repository}/blobs/{digest}")
    async with httpx.AsyncClient() as plain:
        return (await plain.get(answer.headers["location"])).content


@pytest.mark.rule("U4")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("announced", [True, False], ids=["content-length", "chunked"])
async def test_post_patch_put_stores_what_was_sent(
    client: Client, repository: str, size: int, announced: bool
) -> None:
    content = secrets.token_bytes(size)
    digest = digest_of(content)
    body = content if announced else pieces(content)
    answer = await client.patch(await client.begin(repository), body)
    assert answer.status_code == 202
    assert answer.headers["range"] == f"0-{max(size - 1, 0)}"
    answer = await client.commit(answer.headers["location"], digest)
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == digest
    assert answer.headers["location"] == f"/v2/{repository}/blobs/{digest}"
    assert await content_of(client, repository, digest) == content


@pytest.mark.parametrize("size", SIZES)
async def test_post_put_stores_what_was_sent(client: Client, repository: str, size: int) -> None:
    content = secrets.token_bytes(size)
    digest = digest_of(content)
    answer = await client.commit(await client.begin(repository), digest, content)
    assert answer.status_code == 201
    assert await content_of(client, repository, digest) == content


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_one_post_stores_what_was_sent(
    client: Client, repository: str, algorithm: str
) -> None:
    content = secrets.token_bytes(1000)
    digest = digest_of(content, algorithm)
    url = f"/v2/{repository}/blobs/uploads/"
    answer = await client.send("POST", url, params={"digest": digest}, content=content)
    assert answer.status_code == 201
    assert await content_of(client, repository, digest) == content


async def test_many_small_chunks_and_a_last_one_in_the_put_make_the_blob(
    client: Client, repository: str
) -> None:
    parts = [secrets.token_bytes(size) for size in (1, 63, 64, 65, 1000, 4096)]
    content = b"".join(parts)
    location = await client.begin(repository)
    offset = 0
    for part in parts[:-1]:
        span = f"{offset}-{offset + len(part) - 1}"
        answer = await client.patch(location, part, **{"Content-Range": span})
        assert answer.status_code == 202
        offset += len(part)
        location = answer.headers["location"]
    answer = await client.commit(location, digest_of(content), parts[-1])
    assert answer.status_code == 201
    assert await content_of(client, repository, digest_of(content)) == content


@pytest.mark.rule("U6")
@pytest.mark.parametrize("announce", [True, False], ids=["announced", "not-announced"])
async def test_sha512_is_checked_whether_announced_or_not(
    client: Client, repository: str, announce: bool
) -> None:
    client.may_read_back = not announce
    content = secrets.token_bytes(300_000)
    query = {"digest-algorithm": "sha512"} if announce else {}
    answer = await client.patch(await client.begin(repository, **query), content)
    location = answer.headers["location"]
    wrong = await client.commit(location, digest_of(b"other", "sha512"))
    assert wrong.json()["errors"][0]["code"] == "DIGEST_INVALID"
    digest = digest_of(content, "sha512")
    assert (await client.commit(location, digest)).status_code == 201
    assert await content_of(client, repository, digest) == content


@pytest.mark.rule("U6")
async def test_nothing_is_read_back_when_a_chunked_upload_is_committed(
    client: Client, repository: str
) -> None:
    content = secrets.token_bytes(300_000)
    location = await client.begin(repository)
    for start in range(0, len(content), 100_000):
        answer = await client.patch(location, content[start : start + 100_000])
        location = answer.headers["location"]
    await client.commit(location, digest_of(content))
    assert not [
        c for t in client.traces for c in t.calls if c.method == "GET" and c.service == "blob"
    ]


@pytest.mark.rule("U6")
async def test_where_hashes_cannot_be_saved_the_content_is_read_back_and_still_checked(
    client: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_library", lambda: None)
    client.may_read_back = True
    content = secrets.token_bytes(3000)
    location = await client.begin(repository)
    for start in (0, 1000, 2000):
        answer = await client.patch(location, content[start : start + 1000])
        location = answer.headers["location"]
    wrong = await client.commit(location, digest_of(b"other"))
    assert wrong.json()["errors"][0]["code"] == "DIGEST_INVALID"
    assert (await client.commit(location, digest_of(content))).status_code == 201


@pytest.mark.rule("U5")
@pytest.mark.parametrize("streamed", [True, False])
async def test_bytes_that_do_not_match_the_digest_cannot_be_read(
    client: Client, repository: str, streamed: bool
) -> None:
    location = await client.begin(repository)
    promised = digest_of(b"promised")
    if streamed:
        location = (await client.patch(location, b"delivered")).headers["location"]
    answer = await client.commit(location, promised, b"" if streamed else b"delivered")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "DIGEST_INVALID"
    for digest in (promised, digest_of(b"delivered")):
        unknown = await client.send("HEAD", f"/v2/{repository}/blobs/{digest}")
        assert unknown.status_code == 404


@pytest.mark.parametrize(
    "content_range", ["1-3", "0-1", "5-7", "3-4", "2-1", "words", "-1", "3-99999999999999999999"]
)
async def test_a_chunk_out_of_order_is_416_with_the_true_range_and_a_usable_location(
    client: Client, repository: str, content_range: str
) -> None:
    location = (await client.patch(await client.begin(repository), b"abc")).headers["location"]
    answer = await client.patch(location, b"def", **{"Content-Range": content_range})
    assert answer.status_code == 416
    assert answer.headers["range"] == "0-2"
    answer = await client.patch(answer.headers["location"], b"def", **{"Content-Range": "3-5"})
    assert answer.status_code == 202
    answer = await client.commit(answer.headers["location"], digest_of(b"abcdef"))
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("content_range", "length"),
    [
        ("0-9", 5),
        ("0-2", 5),
        ("0-4/2", 5),
        ("0-999999999999999999", 5),
        ("0-9", 0),
        ("0-0", 9 * MIB),
    ],
)
@pytest.mark.parametrize("committing", [False, True])
async def test_a_chunk_of_unannounced_length_that_is_not_as_long_as_it_says_is_416(
    client: Client, repository: str, content_range: str, length: int, committing: bool
) -> None:
    """Whole blocks of it may have been taken; nothing is committed, and the true range is told."""
    content = secrets.token_bytes(length)

    async def body() -> AsyncIterator[bytes]:
        for start in range(0, length, MIB):
            yield content[start : start + MIB]

    location = await client.begin(repository)
    digest, headers = digest_of(content), {"Content-Range": content_range}
    if committing:
        url = f"{location}&digest={digest}"
        answer = await client.send("PUT", url, content=body(), headers=headers)
    else:
        answer = await client.send("PATCH", location, content=body(), headers=headers)
    assert answer.status_code == 416
    taken = 0 if length < 8 * MIB or content_range == "0-0" else 8 * MIB
    assert answer.headers["range"] == f"0-{max(taken - 1, 0)}"
    answer = await client.commit(answer.headers["location"], digest, content[taken:])
    assert answer.status_code == 201


@pytest.mark.rule("U3")
async def test_the_same_chunk_twice_at_once_is_taken_once(
    client: Client, other: Client, repository: str
) -> None:
    location = (await client.patch(await client.begin(repository), b"abc")).headers["location"]
    answers = await asyncio.gather(client.patch(location, b"def"), other.patch(location, b"def"))
    assert sorted(answer.status_code for answer in answers) == [202, 416]
    taken = next(answer for answer in answers if answer.status_code == 202)
    digest = digest_of(b"abcdef")
    assert (await client.commit(taken.headers["location"], digest)).status_code == 201
    assert await content_of(client, repository, digest) == b"abcdef"


@pytest.mark.rule("U2")
async def test_the_first_chunk_twice_at_once_is_taken_once(
    client: Client, other: Client, repository: str
) -> None:
    location = await client.begin(repository)
    answers = await asyncio.gather(client.patch(location, b"abc"), other.patch(location, b"abc"))
    assert sorted(answer.status_code for answer in answers) == [202, 416]


@pytest.mark.rule("U3")
@pytest.mark.parametrize(
    ("limit", "least"), [(104_857_600, "4194304"), (16_777_216, "4194304"), (1_000_000, "1000000")]
)
async def test_a_new_session_says_how_short_and_how_long_chunks_may_be(
    settings: Settings, repository: str, limit: int, least: str
) -> None:
    async with connect(replace(settings, body_limit=limit)) as client:
        answer = await client.send("POST", f"/v2/{repository}/blobs/uploads/")
    assert answer.headers["oci-chunk-min-length"] == least
    assert answer.headers["oci-chunk-max-length"] == str(limit)


async def test_a_replayed_state_cannot_write(client: Client, repository: str) -> None:
    first = (await client.patch(await client.begin(repository), b"abc")).headers["location"]
    second = (await client.patch(first, b"def")).headers["location"]
    replayed = await client.patch(first, b"DEF")
    assert (replayed.status_code, replayed.headers["range"]) == (416, "0-5")
    assert (await client.commit(second, digest_of(b"abcdef"))).status_code == 201


@pytest.mark.rule("U5")
async def test_two_commits_at_once_both_succeed(
    client: Client, other: Client, repository: str
) -> None:
    content = secrets.token_bytes(100)
    location = (await client.patch(await client.begin(repository), content)).headers["location"]
    digest = digest_of(content)
    answers = await asyncio.gather(client.commit(location, digest), other.commit(location, digest))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert await content_of(client, repository, digest) == content


def _flipped(location: str) -> str:
    """With one bit of the sealed state flipped."""
    token = location.rpartition("=")[2]
    sealed = bytearray(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    sealed[len(sealed) // 2] ^= 1
    return location.replace(token, urlsafe_b64encode(sealed).decode().rstrip("="))


@pytest.mark.rule("U1", "U3")
@pytest.mark.parametrize("method", ["PATCH", "PUT", "GET", "DELETE"])
@pytest.mark.parametrize(
    "kind",
    ["replayed", "forked", "truncated", "bit-flipped", "expired", "foreign", "other-session"],
)
async def test_a_state_that_is_not_the_sessions_last_changes_nothing(
    client: Client, settings: Settings, repository: str, kind: str, method: str
) -> None:
    first = (await client.patch(await client.begin(repository), b"abc")).headers["location"]
    last = (await client.patch(first, b"def")).headers["location"]
    stranger = (await client.patch(await client.begin(repository), b"xyz")).headers["location"]
    async with connect(replace(settings, upload_expiry=timedelta(seconds=1))) as impatient:
        expired = (await impatient.send("GET", last)).headers["location"]
        impatient.services.uploads.sealer._now = lambda: time.time() + 3600
        # A fork goes on from a state that another request has left behind.
        states = {
            "replayed": first,
            "forked": first,
            "truncated": last[:-9],
            "bit-flipped": _flipped(last),
            "expired": expired,
            "foreign": last.replace(repository, f"{repository}/other"),
            "other-session": last.partition("?")[0] + "?" + stranger.partition("?")[2],
        }
        body = b"def" if kind == "replayed" else b"DEF"
        query = f"&digest={digest_of(b'abc' + body)}" if method == "PUT" else ""
        asked = impatient if kind == "expired" else client
        answer = await asked.send(method, states[kind] + query, content=body)
    if kind not in ("replayed", "forked"):
        assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"
    elif method in ("PATCH", "PUT"):
        assert (answer.status_code, answer.headers["range"]) == (416, "0-5")
    elif method == "GET":
        assert (answer.status_code, answer.headers["range"]) == (204, "0-5")
    else:
        # Whoever holds any of its states may end the session.
        assert answer.status_code == 204
        return
    assert (await client.commit(last, digest_of(b"abcdef"))).status_code == 201
    assert await content_of(client, repository, digest_of(b"abcdef")) == b"abcdef"


@pytest.mark.rule("U7")
async def test_a_session_is_unknown_once_committed(client: Client, repository: str) -> None:
    location = (await client.patch(await client.begin(repository), b"abc")).headers["location"]
    await client.commit(location, digest_of(b"abc"))
    for method in ("GET", "PATCH", "DELETE"):
        assert (await client.send(method, location, content=b"x")).status_code == 404


@pytest.mark.rule("U7")
@pytest.mark.parametrize("written", [True, False])
async def test_a_cancelled_session_is_unknown_for_good(
    client: Client, repository: str, written: bool
) -> None:
    begun = location = await client.begin(repository)
    if written:
        location = (await client.patch(location, b"abc")).headers["location"]
    assert (await client.send("DELETE", location)).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        for address in (begun, location):
            answer = await client.send(method, address, content=b"abc")
            assert answer.status_code == 404
            assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"
    assert (await client.commit(begun, digest_of(b"abc"), b"abc")).status_code == 404


@pytest.mark.rule("U6")
async def test_a_client_that_dies_in_the_middle_commits_nothing_and_can_go_on(
    client: Client, repository: str
) -> None:
    client.may_read_back = True
    content = secrets.token_bytes(2 * APPEND_BLOCK + 100)
    location = await client.begin(repository)

    async def broken() -> AsyncIterator[bytes]:
        async for piece in pieces(content[: APPEND_BLOCK + 50]):
            yield piece
        raise ConnectionResetError("the client died")

    assert (await client.patch(location, broken())).status_code == 499
    status = await client.send("GET", location)
    assert status.status_code == 204
    assert status.headers["range"] == f"0-{APPEND_BLOCK - 1}"
    rest = content[APPEND_BLOCK:]
    answer = await client.patch(status.headers["location"], pieces(rest))
    assert answer.status_code == 202
    digest = digest_of(content)
    assert (await client.commit(answer.headers["location"], digest)).status_code == 201


@pytest.mark.rule("U1")
async def test_a_state_is_good_for_its_repository_its_session_and_its_time_only(
    client: Client, settings: Settings, repository: str
) -> None:
    location = await client.begin(repository)
    path, _, query = location.partition("?")
    session = path.rsplit("/", 1)[1]
    foreign = f"/v2/{repository}-other/blobs/uploads/{session}?{query}"
    renamed = f"/v2/{repository}/blobs/uploads/{session[::-1]}?{query}"
    altered = location[:-1] + ("A" if location[-1] != "A" else "B")
    for address in (foreign, renamed, altered, path):
        answer = await client.patch(address, b"abc")
        assert answer.status_code == 404, address
        assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"
    async with connect(replace(settings, upload_expiry=timedelta(0))) as impatient:
        expired = await impatient.begin(repository)
        assert (await impatient.patch(expired, b"abc")).status_code == 404


@pytest.mark.rule("U1")
async def test_a_session_hops_between_instances_at_every_request(
    client: Client, other: Client, repository: str
) -> None:
    content = secrets.token_bytes(3000)
    location = await client.begin(repository)
    for start, instance in ((0, other), (1000, client), (2000, other)):
        answer = await instance.patch(location, content[start : start + 1000])
        assert answer.status_code == 202
        location = answer.headers["location"]
    assert (await client.commit(location, digest_of(content))).status_code == 201


class Once(Interference):
    """Plans a fault for the first call that `matches`."""

    def __init__(self, client: Client, method: str, query: str, fault: Interference) -> None:
        self.hits = 0

        def plan(call: SeenCall) -> Interference | None:
            if call.method == method and query in call.query and not self.hits:
                self.hits += 1
                return fault
            return None

        client.hook.plan = plan


async def push_once(client: Client, repository: str, content: bytes) -> httpx.Response:
    """POST, PATCH, PUT: the first answer that is no success, or the last."""
    answer = await client.patch(await client.begin(repository), pieces(content))
    if answer.status_code == 202:
        answer = await client.commit(answer.headers["location"], digest_of(content))
    return answer


@pytest.mark.parametrize("fault", [Drop(), Refuse()], ids=["answer-lost", "never-sent"])
@pytest.mark.parametrize(
    ("method", "query"),
    [("PUT", "comp=appendblock"), ("PUT", "comp=metadata"), ("PUT", ""), ("POST", "")],
    ids=["append", "set-metadata", "create", "commit-transaction"],
)
async def test_one_lost_call_never_corrupts_an_upload(
    client: Client, repository: str, method: str, query: str, fault: Interference
) -> None:
    client.may_read_back = isinstance(fault, Drop)
    content = secrets.token_bytes(APPEND_BLOCK + 10)
    digest = digest_of(content)
    planned = Once(client, method, query, fault)
    answer = await push_once(client, repository, content)
    if answer.status_code == 503:
        assert answer.headers["retry-after"]
        answer = await push_once(client, repository, content)
    assert planned.hits == 1
    assert answer.status_code == 201
    assert await content_of(client, repository, digest) == content


@pytest.mark.rule("U5")
async def test_a_commit_whose_answer_was_lost_can_be_repeated(
    client: Client, repository: str
) -> None:
    location = (await client.patch(await client.begin(repository), b"abc")).headers["location"]
    digest = digest_of(b"abc")
    assert (await client.commit(location, digest)).status_code == 201
    assert (await client.commit(location, digest)).status_code == 201


async def test_a_body_shorter_than_announced_is_refused(client: Client, repository: str) -> None:
    location = await client.begin(repository)
    answer = await client.patch(location, pieces(b"abc"), **{"Content-Length": "5"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "SIZE_INVALID"


@pytest.mark.rule("U4")
@pytest.mark.parametrize("fault", [Drop(), Refuse()], ids=["answer-lost", "never-sent"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "committed"])
async def test_a_connection_that_storage_closed_fails_neither_a_small_blob_nor_a_commit(
    client: Client, repository: str, fault: Interference, streamed: bool
) -> None:
    """Storage closes connections that were idle, and the next call finds that out."""
    content = secrets.token_bytes(1000)
    digest, location = digest_of(content), await client.begin(repository)
    if streamed:
        location = (await client.patch(location, content)).headers["location"]
    client.hook.plan_nth(1, fault)
    answer = await client.commit(location, digest, b"" if streamed else content)
    assert answer.status_code == 201
    assert await content_of(client, repository, digest) == content


@pytest.mark.rule("U6")
async def test_a_chunk_of_no_bytes_reads_nothing_back(client: Client, repository: str) -> None:
    """However often it is sent: nothing would be left of what was read."""
    old = await client.begin(repository)
    await client.patch(old, secrets.token_bytes(300_000))
    lagging = (await client.send("GET", old)).headers["location"]
    client.traces.clear()
    answer = await client.patch(lagging, b"")
    assert (answer.status_code, answer.headers["range"]) == (202, "0-299999")
    assert [call.method for trace in client.traces for call in trace.calls] == ["HEAD"]


@pytest.mark.rule("U4")
async def test_an_append_applied_late_is_found_out_and_the_upload_goes_on(
    client: Client, repository: str
) -> None:
    """It times out, is read back too early, sent again, and applied just before that."""
    client.may_read_back = True
    location = (await client.patch(await client.begin(repository), b"abc")).headers["location"]
    late = Postpone()
    appends: list[SeenCall] = []

    def plan(call: SeenCall) -> Interference | None:
        if call.operations[0].action == "appendblock":
            appends.append(call)
            return late if len(appends) == 1 else Hold(before_gate=late.deliver)
        return None

    client.hook.plan = plan
    answer = await client.patch(location, b"defg")
    assert answer.status_code == 202, (answer.status_code, answer.headers.get("range"))
    assert [call.status for call in appends] == [None, 412]
    done = await client.commit(answer.headers["location"], digest_of(b"abcdefg"))
    assert done.status_code == 201


@pytest.mark.rule("U7")
async def test_a_cancelled_session_with_a_lagging_state_is_unknown(
    client: Client, repository: str
) -> None:
    """Catching up reads a range of the empty tombstone: 416 of storage, 500 to the client."""
    client.may_read_back = True

    async def broken() -> Any:
        yield b"x" * (APPEND_BLOCK + 5)
        raise ConnectionResetError

    location = await client.begin(repository)
    await client.patch(location, broken())
    location = (await client.send("GET", location)).headers["location"]
    assert (await client.send("DELETE", location)).status_code == 204
    answers = [await client.patch(location, b"abc"), await client.commit(location, digest_of(b""))]
    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.rule("U5", "U9")
async def test_a_commit_repeated_after_garbage_collection_does_not_revive_a_doomed_object(
    client: Client, other: Client, repository: str
) -> None:
    """Commit, deletion of the blob, collection of its row, and the same commit again."""
    location = (await client.patch(await client.begin(repository), b"abc" * 50)).headers["location"]
    digest = digest_of(b"abc" * 50)
    assert (await client.commit(location, digest)).status_code == 201
    gone = await other.send("DELETE", f"/v2/{repository}/blobs/{digest}")
    assert gone.status_code == 202
    table = client.services.connection.table(blob_rows.TABLE)
    blob = await table.get(digest, blob_rows.BLOB)
    assert blob is not None
    doomed = blob_rows.doomed(Location.parse(blob.text("Location")))
    await table.transact(digest, [tables.delete(blob_rows.BLOB, blob.etag), tables.insert(doomed)])
    again = await client.commit(location, digest)
    assert again.status_code == 404
    assert blob_rows.BLOB not in await all_rows(client, blob_rows.TABLE, digest)


@pytest.mark.rule("U9")
async def test_a_commit_by_one_put_that_is_refused_unseen_does_not_revive_a_doomed_object(
    client: Client, repository: str
) -> None:
    """The object was there, and the answer that says so is lost: it may be anybody's guess."""
    location, blob = await client.begin(repository), b"abc" * 50
    digest = digest_of(blob)
    assert (await client.commit(location, digest, blob)).status_code == 201
    await client.send("DELETE", f"/v2/{repository}/blobs/{digest}")
    table = client.services.connection.table(blob_rows.TABLE)
    row = await table.get(digest, blob_rows.BLOB)
    assert row is not None
    doomed = blob_rows.doomed(Location.parse(row.text("Location")))
    await table.transact(digest, [tables.delete(blob_rows.BLOB, row.etag), tables.insert(doomed)])
    client.hook.plan_nth(1, Drop())
    again = await client.commit(location, digest, blob)
    assert again.status_code == 404
    assert blob_rows.BLOB not in await all_rows(client, blob_rows.TABLE, digest)
