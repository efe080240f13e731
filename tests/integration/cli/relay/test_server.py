"""The registry on loopback, asked as clients ask it: uploads of all kinds, and everything else."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from slipway_cli.relay.door import USERNAME, Door
from slipway_cli.relay.server import Relay
from slipway_cli.relay.watch import Watch
from tests.e2e.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Layer,
    digest_of,
    incompressible,
)
from tests.integration.cli.between import Between, Reply, Request
from tests.integration.cli.relay.conftest import LIMIT, MIB, Connect, Limited
from tests.integration.cli.relay.test_uploads import CHUNK, stored

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
SIGNED_IN = "Basic " + b64encode(f"{USERNAME}:secret".encode()).decode()


@pytest.fixture
def serve(connect: Connect) -> Serve:
    """A relay, and a client of it."""

    @asynccontextmanager
    async def call(url: str = "", door: Door | None = None) -> AsyncIterator[httpx.AsyncClient]:
        async with connect(url) as upstream:
            relay = Relay(upstream, Watch(), door or Door(""))
            async with (
                relay.listening() as address,
                httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client,
            ):
                yield client

    return call


async def begin(client: httpx.AsyncClient, repository: str, query: str = "") -> str:
    """A session; answers its address."""
    answer = await client.post(f"/v2/{repository}/blobs/uploads/{query}")
    assert (answer.status_code, answer.headers["range"]) == (202, "0-0"), answer.text
    return answer.headers["location"]


def at(location: str, digest: str) -> str:
    return f"{location}&digest={digest}"


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), 70_000):
        yield content[begin : begin + 70_000]


LONG = 3 * CHUNK + 12_345
assert LONG < LIMIT < LONG + 2 * CHUNK


@pytest.mark.parametrize("size", [10, LONG, LIMIT + CHUNK])
@pytest.mark.parametrize("way", ["post", "post-chunked", "put", "patch", "patch-chunked", "chunks"])
async def test_a_layer_of_any_size_arrives_in_whatever_way_a_client_sends_it(
    serve: Serve, limited: Limited, repository: str, way: str, size: int
) -> None:
    content = incompressible(size, repository)
    digest = digest_of(content)
    body = pieces(content) if way.endswith("-chunked") else content
    async with serve() as client:
        if way.startswith("post"):
            path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
            answer = await client.post(path, content=body)
        else:
            location = await begin(client, repository)
            if way == "put":
                answer = await client.put(at(location, digest), content=body)
            elif way == "chunks":
                for first in range(0, size, 5 * MIB):
                    part = content[first : first + 5 * MIB]
                    where = {"Content-Range": f"{first}-{first + len(part) - 1}"}
                    answer = await client.patch(location, content=part, headers=where)
                    assert answer.status_code == 202, answer.text
                    assert answer.headers["range"] == f"0-{first + len(part) - 1}"
                    location = answer.headers["location"]
                answer = await client.put(at(location, digest))
            else:
                answer = await client.patch(location, content=body)
                assert answer.status_code == 202, answer.text
                answer = await client.put(at(answer.headers["location"], digest))
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/v2/{repository}/blobs/{digest}"
        assert answer.headers["docker-content-digest"] == digest
    assert stored(limited, repository, content)


async def test_the_last_bytes_may_come_with_the_commit(
    serve: Serve, limited: Limited, repository: str
) -> None:
    content = incompressible(LONG, repository)
    async with serve() as client:
        answer = await client.patch(await begin(client, repository), content=content[:-1000])
        where = {"Content-Range": f"{LONG - 1000}-{LONG - 1}"}
        last = at(answer.headers["location"], digest_of(content))
        assert (await client.put(last, content=content[-1000:], headers=where)).status_code == 201
    assert stored(limited, repository, content)


async def test_a_commit_that_is_repeated_succeeds_again(serve: Serve, repository: str) -> None:
    async with serve() as client:
        location = at(await begin(client, repository), digest_of(b"content"))
        for body in (b"content", b"content", b""):
            assert (await client.put(location, content=body)).status_code == 201


async def test_a_digest_that_does_not_match_is_the_clients_error_and_it_can_begin_anew(
    serve: Serve, limited: Limited, repository: str
) -> None:
    async with serve() as client:
        location = await begin(client, repository)
        answer = await client.put(at(location, digest_of(b"other")), content=b"x" * LONG)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "DIGEST_INVALID"
        path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(b'right')}"
        assert (await client.post(path, content=b"right")).status_code == 201
    assert stored(limited, repository, b"right")


@pytest.mark.parametrize("query", ["", "?digest=nonsense", "?digest=md5:00"])
async def test_a_commit_without_a_digest_that_is_one_is_refused(
    serve: Serve, repository: str, query: str
) -> None:
    async with serve() as client:
        location = (await begin(client, repository)).partition("?")[0]
        answer = await client.put(f"{location}{query}", content=b"x")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")


async def test_a_chunk_out_of_order_is_416_with_the_true_range(
    serve: Serve, limited: Limited, repository: str
) -> None:
    content = incompressible(2 * CHUNK, repository)
    async with serve() as client:
        location = await begin(client, repository)
        await client.patch(location, content=content[:CHUNK])
        answer = await client.get(location)
        for where in ("0-9", f"{CHUNK + 1}-{CHUNK + 10}", f"{CHUNK}-{CHUNK + 10}", "nonsense"):
            answer = await client.patch(
                location, content=b"x" * 10, headers={"Content-Range": where}
            )
            assert (answer.status_code, answer.headers["range"]) == (416, f"0-{CHUNK - 1}")
        answer = await client.patch(answer.headers["location"], content=content[CHUNK:])
        last = at(answer.headers["location"], digest_of(content))
        assert (await client.put(last)).status_code == 201
    assert stored(limited, repository, content)


async def test_a_client_is_told_how_much_was_taken_in_and_can_cancel(
    serve: Serve, repository: str
) -> None:
    async with serve() as client:
        location = await begin(client, repository)
        await client.patch(location, content=b"x" * 5000)
        answer = await client.get(location)
        assert (answer.status_code, answer.headers["range"]) == (204, "0-4999")
        assert (await client.delete(location)).status_code == 204
        for method in ("GET", "PATCH", "DELETE"):
            answer = await client.request(method, location)
            assert answer.status_code == 404, answer.text


async def test_a_client_that_goes_in_the_middle_of_a_body_can_go_on(
    serve: Serve, limited: Limited, repository: str
) -> None:
    content = incompressible(LONG, repository)

    async def breaking() -> AsyncIterator[bytes]:
        async for piece in pieces(content[: 2 * CHUNK]):
            yield piece
        raise RuntimeError

    async with serve() as client:
        location = await begin(client, repository)
        with pytest.raises(RuntimeError):
            await client.patch(location, content=breaking())
        answer = await client.get(location)
        received = int(answer.headers["range"].partition("-")[2]) + 1
        assert 0 < received <= 2 * CHUNK
        last = at(location, digest_of(content))
        assert (await client.put(last, content=content[received:])).status_code == 201
    assert stored(limited, repository, content)


async def test_a_client_can_go_on_after_the_relay_was_started_again(
    serve: Serve, limited: Limited, repository: str
) -> None:
    content = incompressible(LONG, repository)
    async with serve() as client:
        location = await begin(client, repository)
        await client.patch(location, content=content[: 2 * CHUNK])
        assert (await client.get(location)).headers["range"] == f"0-{2 * CHUNK - 1}"
    async with serve() as client:
        answer = await client.get(location)
        received = int(answer.headers["range"].partition("-")[2]) + 1
        assert received in (CHUNK, 2 * CHUNK)  # The last may have been under way.
        last = at(answer.headers["location"], digest_of(content))
        assert (await client.put(last, content=content[received:])).status_code == 201
    assert stored(limited, repository, content)


async def test_a_blob_is_mounted_or_else_its_upload_begins(
    serve: Serve, limited: Limited, repository: str
) -> None:
    blob = limited.shelf.blob("source/of-mounts", b"to be mounted")
    async with serve() as client:
        path = f"/v2/{repository}/blobs/uploads/?from=source/of-mounts&mount="
        assert (await client.post(f"{path}{blob['digest']}")).status_code == 201
        answer = await client.post(f"{path}{digest_of(b'absent')}")
        assert answer.status_code == 202
        last = at(answer.headers["location"], digest_of(b"absent"))
        assert (await client.put(last, content=b"absent")).status_code == 201
    assert stored(limited, repository, b"to be mounted")


async def test_an_image_is_pushed_and_pulled_through_it_byte_for_byte(
    serve: Serve, limited: Limited, repository: str
) -> None:
    image = Image([Layer(incompressible(100_000, repository))])
    async with serve() as client:
        for content in image.blobs():
            path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}"
            assert (await client.post(path, content=content)).status_code == 201
        answer = await client.put(
            f"/v2/{repository}/manifests/v1",
            content=image.manifest,
            headers={"Content-Type": OCI_MANIFEST},
        )
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/v2/{repository}/manifests/{image.digest}"
        found = await client.get(f"/v2/{repository}/manifests/v1", headers={"Accept": OCI_MANIFEST})
        assert (found.content, found.headers["content-type"]) == (image.manifest, OCI_MANIFEST)
        head = await client.head(f"/v2/{repository}/manifests/v1")
        assert head.headers["content-length"] == str(len(image.manifest))
        blob = await client.get(f"/v2/{repository}/blobs/{image.config_digest}")
        assert blob.status_code == 307
        assert client.base_url.netloc.decode() not in blob.headers["location"]
        async with httpx.AsyncClient() as plain:
            assert (await plain.get(blob.headers["location"])).content == image.config
        gone = await client.delete(f"/v2/{repository}/manifests/{image.digest}")
        assert gone.status_code == 202
    assert limited.shelf.tags(repository) == []


async def test_pages_of_a_list_lead_on_through_the_relay(
    serve: Serve, limited: Limited, repository: str
) -> None:
    for tag in ("a", "b", "c"):
        limited.shelf.image(repository, tag)
    seen: list[str] = []
    with Between(limited.url.removeprefix("http://")) as between:
        netloc = between.netloc

        def absolute(request: Request, ask: Callable[[], Reply]) -> Reply:
            reply = ask()
            link = reply.headers.get("link", "").replace("</", f"<http://{netloc}/")
            return reply.but(headers={**reply.headers, **({"link": link} if link else {})})

        between.harm = absolute
        async with serve(f"http://{netloc}") as client:
            path = f"/v2/{repository}/tags/list?n=1"
            while path:
                answer = await client.get(path)
                seen += answer.json()["tags"]
                path = answer.links.get("next", {}).get("url", "")
                assert netloc not in path
    assert seen == ["a", "b", "c"]


async def test_errors_of_the_registry_are_handed_on_as_they_are(
    serve: Serve, limited: Limited, repository: str
) -> None:
    async with serve() as client:
        answer = await client.get(f"/v2/{repository}/manifests/none")
        bad = await client.put(f"/v2/{repository}/manifests/x", content=b"{}")
        name = await client.post("/v2/Bad/blobs/uploads/")
    _, body = limited.shelf.send("GET", f"/v2/{repository}/manifests/none")
    assert (answer.status_code, answer.json()) == (404, json.loads(body))
    assert (bad.status_code, bad.json()["errors"][0]["code"]) == (400, "MANIFEST_INVALID")
    assert (name.status_code, name.json()["errors"][0]["code"]) == (400, "NAME_INVALID")


@pytest.mark.parametrize("path", ["/", "/v1/_ping", "/oauth2/token", "/healthz", "/v2x"])
async def test_what_is_no_part_of_the_registrys_content_is_not_there(
    serve: Serve, path: str
) -> None:
    async with serve() as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND")


async def test_a_body_that_is_no_layer_is_bounded(serve: Serve, repository: str) -> None:
    async with serve() as client:
        path = f"/v2/{repository}/manifests/v1"
        answer = await client.put(path, content=b" " * (8 * MIB + 1))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (413, "SIZE_INVALID")


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !", "Bearer secret", f"{SIGNED_IN}A", "Basic " + b64encode(b"x").decode()],
)
async def test_without_its_password_it_lets_nobody_in(
    serve: Serve, repository: str, authorization: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with serve(door=Door("secret")) as client:
        for method, path in (
            ("GET", "/v2/"),
            ("POST", f"/v2/{repository}/blobs/uploads/"),
            ("PUT", f"/v2/{repository}/manifests/v1"),
            ("GET", "/nowhere"),
        ):
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_with_its_password_and_any_user_name_it_lets_in(
    serve: Serve, repository: str
) -> None:
    async with serve(door=Door("secret")) as client:
        for name in (USERNAME, "", "somebody:"):
            client.auth = httpx.BasicAuth(name.rstrip(":"), "secret")
            assert (await client.get("/v2/")).status_code == 200
        assert await begin(client, repository)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://pages.example.com"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Host": "pages.example.com"},
        {"Host": "pages.example.com:5000"},
    ],
)
async def test_a_page_in_a_browser_cannot_use_an_open_relay(
    serve: Serve, repository: str, headers: dict[str, str]
) -> None:
    async with serve() as client:
        answer = await client.post(f"/v2/{repository}/blobs/uploads/", headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "DENIED")


@pytest.mark.parametrize("name", ["localhost:1", "127.0.0.1", "[::1]:5000", "app.localhost"])
async def test_programs_may_call_an_open_relay_by_any_name_of_this_machine(
    serve: Serve, name: str
) -> None:
    async with serve() as client:
        assert (await client.get("/v2/", headers={"Host": name})).status_code == 200


async def test_what_the_relay_may_not_is_not_asked_of_its_client_by_a_challenge(
    serve: Serve, limited: Limited, repository: str
) -> None:
    """A client that was asked to sign in would send the relay's password to the registry."""
    with Between(limited.url.removeprefix("http://")) as between:
        reduced = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "push is needed"}]})
        refusal = 'Bearer realm="https://r/t",service="r",error="insufficient_scope"'
        between.harm = lambda request, ask: (
            Reply(401, reduced.encode(), {"WWW-Authenticate": refusal})
            if request[1].startswith(f"/v2/{repository}/")
            else ask()
        )
        async with serve(f"http://{between.netloc}") as client:
            for method, path in (
                ("POST", f"/v2/{repository}/blobs/uploads/"),
                ("GET", f"/v2/{repository}/manifests/v1"),
                ("PUT", f"/v2/{repository}/manifests/v1"),
            ):
                answer = await client.request(method, path, content=b"{}")
                assert answer.status_code == 403
                assert "www-authenticate" not in answer.headers
                assert "push is needed" in answer.text
                assert "signed in as admin" in answer.text


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_a_registry_that_is_away_for_a_moment_is_not_noticed(
    serve: Serve, limited: Limited, repository: str, method: str, status: int
) -> None:
    image = limited.shelf.image(repository, "v1", seed=repository)
    spoilt: list[str] = []

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        if request[0] == method and "/manifests/" in request[1] and not spoilt:
            spoilt.append(method)
            return Reply(status)
        return reply

    content = limited.shelf.send("GET", f"/v2/{repository}/manifests/{image['digest']}")[1]
    expected = {"GET": 200, "HEAD": 200, "PUT": 201, "DELETE": 202}[method]
    with Between(limited.url.removeprefix("http://")) as between:
        between.harm = harm
        async with serve(f"http://{between.netloc}") as client:
            answer = await client.request(
                method,
                f"/v2/{repository}/manifests/{image['digest']}",
                content=content if method == "PUT" else b"",
                headers={"Content-Type": OCI_MANIFEST, "Accept": f"{OCI_MANIFEST}, {OCI_INDEX}"},
            )
    assert (answer.status_code, spoilt) == (expected, [method])


async def test_several_clients_push_at_once(
    serve: Serve, limited: Limited, repository: str
) -> None:
    contents = [incompressible(CHUNK + number, number) for number in range(5)]
    async with serve() as client:

        async def push(content: bytes) -> None:
            location = await begin(client, repository)
            answer = await client.put(at(location, digest_of(content)), content=pieces(content))
            assert answer.status_code == 201, answer.text

        await asyncio.gather(*map(push, contents))
    assert all(stored(limited, repository, content) for content in contents)
