"""A blob is sent in chunks, and on from where a connection broke, until the registry has it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import httpx
import pytest

from slipway_cli.command import CommandError
from slipway_cli.registry.client import Refused
from slipway_cli.relay import uploads
from slipway_cli.relay.session import Session
from slipway_cli.relay.uploads import Upload
from tests.e2e.images import digest_of, incompressible
from tests.integration.cli.between import Between, Reply, Request
from tests.integration.cli.relay.conftest import LIMIT, MIB, Connect, Limited
from tests.integration.cli.relay.cutting import Cutting

CHUNK = LIMIT // 4
OVERHEAD = 16 * 1024
"""More than the heads of a request and its chunks take."""


async def pieces(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    """Content as a client sends it, once."""
    for begin in range(0, len(content), size):
        yield content[begin : begin + size]


def stored(limited: Limited, repository: str, content: bytes) -> bool:
    """Whether the registry itself has the blob, byte for byte."""
    status, found = limited.shelf.send("GET", f"/v2/{repository}/blobs/{digest_of(content)}")
    assert status in (307, 404), found
    if status == 404:
        return False
    with httpx.Client(base_url=limited.url, auth=("admin", limited.password)) as client:
        path = f"/v2/{repository}/blobs/{digest_of(content)}"
        return client.get(path, follow_redirects=True).content == content


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
async def test_a_blob_of_any_length_arrives_whole_and_in_chunks_that_fit(
    connect: Connect, limited: Limited, repository: str, size: int
) -> None:
    content = incompressible(size, repository)
    async with connect() as upstream:
        digest = await uploads.send(upstream, repository, pieces(content))
    assert digest == digest_of(content)
    assert stored(limited, repository, content)
    sent = limited.requests(repository, "PATCH") + limited.requests(repository, "PUT")
    assert sum(count for _, count in sent) == size
    assert max(count for _, count in sent) <= CHUNK


async def test_a_small_blob_takes_two_requests(
    connect: Connect, limited: Limited, repository: str
) -> None:
    async with connect() as upstream:
        await uploads.send(upstream, repository, pieces(b"small"))
    made = {method: len(limited.requests(repository, method)) for method in ("PATCH", "PUT")}
    assert made == {"PATCH": 0, "PUT": 1}


async def test_what_is_above_the_hosts_limit_for_a_body_arrives(
    connect: Connect, limited: Limited, repository: str
) -> None:
    content = incompressible(LIMIT + 3 * MIB, repository)
    async with connect(chunk=1 << 40) as upstream:
        await uploads.send(upstream, repository, pieces(content), digest_of(content))
    assert stored(limited, repository, content)


async def test_a_digest_that_does_not_match_is_refused_and_nothing_can_be_read(
    connect: Connect, limited: Limited, repository: str
) -> None:
    wrong = digest_of(b"other")
    async with connect() as upstream:
        with pytest.raises(Refused) as refused:
            await uploads.send(upstream, repository, pieces(b"x" * (CHUNK + 1)), wrong)
    assert refused.value.answer.status == 400
    assert json.loads(refused.value.answer.body)["errors"][0]["code"] == "DIGEST_INVALID"
    assert limited.shelf.send("HEAD", f"/v2/{repository}/blobs/{wrong}")[0] == 404


async def test_a_blob_may_be_named_by_sha512(
    connect: Connect, limited: Limited, repository: str
) -> None:
    content = incompressible(CHUNK + 7, repository)
    digest = f"sha512:{hashlib.sha512(content).hexdigest()}"
    async with connect() as upstream:
        query = {"digest-algorithm": "sha512"}
        async with await Upload.begin(upstream, repository, query) as upload:
            await upload.write(pieces(content))
            await upload.commit(digest)
    assert limited.shelf.send("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200


async def test_what_was_taken_in_is_told_as_it_goes_out(connect: Connect, repository: str) -> None:
    content, told = incompressible(2 * CHUNK + 1, repository), list[int]()
    async with connect() as upstream:
        await uploads.send(upstream, repository, pieces(content), report=told.append)
    assert told == sorted(told)
    assert told[-1] == len(content)


@pytest.mark.parametrize("seed", range(6))
async def test_cuts_after_random_amounts_cost_at_most_a_chunk_each(
    connect: Connect, limited: Limited, repository: str, seed: int
) -> None:
    content = incompressible(6 * CHUNK + seed * 1_234_567, repository)
    with Cutting(limited.url, seed, most=2 * CHUNK, cuts=12) as cutting:
        async with connect(cutting.url) as upstream:
            await uploads.send(upstream, repository, pieces(content), digest_of(content))
    assert stored(limited, repository, content)
    assert cutting.made
    assert cutting.octets_in <= len(content) + cutting.made * (CHUNK + OVERHEAD) + 40 * OVERHEAD


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "GET"])
async def test_an_answer_that_may_pass_is_tried_past(
    connect: Connect, limited: Limited, repository: str, method: str, status: int
) -> None:
    """Of each method the first answer is another one; a chunk was taken all the same."""
    content = incompressible(2 * CHUNK + 1, repository)
    spoilt: list[str] = []

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        is_session = "/uploads/" in request[1]
        if is_session and request[0] in ("PATCH", method) and request[0] not in spoilt:
            spoilt.append(request[0])
            return Reply(status, b"", {"Retry-After": "1"})
        return reply

    with Between(limited.url.removeprefix("http://")) as between:
        between.harm = harm
        async with connect(f"http://{between.netloc}") as upstream:
            await uploads.send(upstream, repository, pieces(content), digest_of(content))
    assert method in spoilt
    assert stored(limited, repository, content)
    assert sum(count for _, count in limited.requests(repository, "PATCH")) <= len(content)


async def test_a_token_that_is_not_taken_any_more_is_renewed_and_the_upload_goes_on(
    connect: Connect, limited: Limited, repository: str
) -> None:
    content = incompressible(3 * CHUNK, repository)
    with Between(limited.url.removeprefix("http://")) as between:
        async with (
            connect(f"http://{between.netloc}") as upstream,
            await Upload.begin(upstream, repository) as upload,
        ):
            await upload.write(pieces(content[:CHUNK]))
            await upload.flush()
            for scope, token in upstream.client._tokens.items():
                upstream.client._tokens[scope] = f"{token[:-9]}{secrets.token_hex(4)}"
            await upload.write(pieces(content[CHUNK:]))
            await upload.commit(digest_of(content))
    assert between.count("GET", "/oauth2/token") == 2
    assert stored(limited, repository, content)


async def test_a_commit_whose_answers_are_lost_is_found_out_and_not_guessed(
    connect: Connect, limited: Limited, repository: str
) -> None:
    content = incompressible(CHUNK + 1, repository)

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        return Reply(502) if request[0] == "PUT" else reply

    with Between(limited.url.removeprefix("http://")) as between:
        between.harm = harm
        async with connect(f"http://{between.netloc}") as upstream:
            await uploads.send(upstream, repository, pieces(content), digest_of(content))
    path = f"/v2/{repository}/blobs/{digest_of(content)}"
    assert between.count("HEAD", path) == 1
    assert stored(limited, repository, content)


async def test_a_commit_that_was_never_made_is_not_taken_for_one(
    connect: Connect, limited: Limited, repository: str
) -> None:
    """The session is gone, its blob is not there: the answer is no."""
    content = incompressible(CHUNK + 1, repository)
    with Between(limited.url.removeprefix("http://")) as between:
        between.harm = lambda request, ask: Reply(502) if request[0] == "PUT" else ask()
        async with (
            connect(f"http://{between.netloc}") as upstream,
            await Upload.begin(upstream, repository) as upload,
        ):
            await upload.write(pieces(content))
            await upload.flush()
            assert limited.shelf.send("DELETE", upload.session.location)[0] == 204
            with pytest.raises(Refused) as refused:
                await upload.commit(digest_of(content))
    assert refused.value.answer.status == 404
    assert not stored(limited, repository, content)


async def test_a_registry_that_has_lost_bytes_ends_the_upload(
    connect: Connect, limited: Limited, repository: str
) -> None:
    """A session that begins anew under the same address has less than was acknowledged."""

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        return reply.but(headers=reply.headers | {"range": "0-5"})

    async with connect() as upstream, await Upload.begin(upstream, repository) as upload:
        await upload.write(pieces(b"x" * CHUNK))
        await upload.flush()
        with Between(limited.url.removeprefix("http://")) as between:
            between.harm = harm
            async with connect(f"http://{between.netloc}") as spoilt:
                upload.session.upstream = spoilt
                await upload.write(pieces(b"x" * CHUNK))
                with pytest.raises(CommandError, match="has 6 bytes"):
                    await upload.flush()


async def test_a_session_is_taken_up_again_where_the_registry_stands(
    connect: Connect, limited: Limited, repository: str
) -> None:
    content = incompressible(3 * CHUNK + 1, repository)
    async with connect() as upstream:
        async with await Upload.begin(upstream, repository) as upload:
            first = upload.session.location
            await upload.write(pieces(content[: 2 * CHUNK]))
            await upload.flush()
        session = await Session.resume(upstream, repository, first)
        assert session.has == 2 * CHUNK
        async with Upload(session) as resumed:
            await resumed.write(pieces(content[2 * CHUNK :]))
            await resumed.commit(digest_of(content))
    assert stored(limited, repository, content)


async def test_many_uploads_at_once_share_the_memory_and_all_arrive(
    connect: Connect, limited: Limited, repository: str
) -> None:
    contents = [incompressible(CHUNK + number * 700_000, number) for number in range(6)]
    async with connect() as upstream:
        await asyncio.gather(
            *(uploads.send(upstream, repository, pieces(content)) for content in contents)
        )
        assert upstream.room._held == 0
    assert all(stored(limited, repository, content) for content in contents)


@pytest.mark.parametrize("moment", ["at once", "under way", "refused"])
async def test_an_upload_that_is_given_up_gives_its_memory_back(
    connect: Connect, limited: Limited, repository: str, moment: str
) -> None:
    with Between(limited.url.removeprefix("http://")) as between:
        between.harm = lambda request, ask: (
            Reply(403) if (request[0], moment) == ("PATCH", "refused") else ask()
        )
        address = f"http://{between.netloc}" if moment == "refused" else ""
        async with connect(address) as upstream:
            upload = await Upload.begin(upstream, repository)
            await upload.write(pieces(b"x" * (CHUNK + 1)))
            if moment == "under way":
                await asyncio.sleep(0)
            if moment == "refused":
                with pytest.raises(Refused):
                    await upload.flush()
            await upload.close()
            assert upstream.room._held == 0


def test_the_log_line_of_a_body_that_was_cut_off_names_the_relay(
    limited: Limited, repository: str
) -> None:
    with httpx.Client(base_url=limited.url, auth=("admin", limited.password)) as client:
        begun = client.post(f"/v2/{repository}/blobs/uploads/")
        assert begun.headers["oci-chunk-max-length"] == str(LIMIT)
        too_much = iter([bytes(MIB)] * (LIMIT // MIB + 1))
        with suppress(httpx.HTTPError):  # The host answers, or ends the connection before.
            client.patch(begun.headers["location"], content=too_much)
    limited.wait_for(lambda line: "slipway relay" in line.get("Advice", ""))
