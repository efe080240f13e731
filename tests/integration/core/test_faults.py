"""Storage fails at every single call of every handler, in every way it can: rules U4 and F1.

The request succeeds all the same, or is answered 503 with `Retry-After`; repeated, it succeeds; and
at no time do the rows contradict one another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest

from registry_core.settings import Settings
from registry_core.storage import wire
from tests.integration.core.support import OCI_INDEX as INDEX
from tests.integration.core.support import Client, Image, connect, digest_of, index_of
from tests.integration.explorer.world import Artifact, World
from tests.interference.kinds import Divert, Drop, Interference, Refuse

pytestmark = [pytest.mark.rule("U4", "F1")]

MAX_CALLS = 40


@pytest.fixture
async def impostor() -> AsyncIterator[str]:
    """A server that answers everything with the status in its path, as storage words it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status, code = head.split(b" ")[1].decode().strip("/").split("/")
        body = f'{{"odata.error": {{"code": "{code}", "message": {{"value": "{code}"}}}}}}'
        kind = "json"
        if b"application/xml" in head:
            kind, body = "xml", f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        writer.write(
            f"HTTP/1.1 {status} {code}\r\nx-ms-error-code: {code}\r\n"
            f"Content-Type: application/{kind}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
        while await reader.read(65536):  # A connection closed with data unread would be reset.
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.close()


@pytest.fixture
async def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """An instance that waits no second before it reads again."""
    monkeypatch.setattr(wire, "READ_BACK_OFF_SECONDS", 0)
    async with connect(settings) as connected:
        connected.may_read_back = True
        yield connected


@dataclass
class Stage:
    """A repository in which everything is that a request needs."""

    client: Client
    repository: str
    old: Image
    new: Image
    large: Image
    location: str

    @classmethod
    async def set(cls, client: Client, repository: str, act: Act) -> Stage:
        old = Image.make()
        new = Image.make(subject=old.descriptor)
        large = new.with_manifest(annotations={"fill": "x" * 600_000})

        async def push(name: str, blob: bytes) -> None:
            answer = await client.commit(await client.begin(name), digest_of(blob), blob)
            assert answer.status_code == 201

        await asyncio.gather(
            *(push(repository, blob) for blob in (*old.blobs, *new.blobs)),
            *(push(f"{repository}-new", blob) for blob in new.blobs if act is first_manifest),
        )
        location = ""
        if act in (status, commit, last_chunk_and_commit, cancel):
            begun = await client.patch(await client.begin(repository), b"abc")
            location = begun.headers["location"]
        assert (await client.put_manifest(repository, "v1", old.manifest)).status_code == 201
        return cls(client, repository, old, new, large, location)

    @property
    def artifacts(self) -> list[Artifact]:
        found = [
            Artifact(i.manifest, i.digest, "", frozenset(map(digest_of, i.blobs)), subject=subject)
            for i, subject in ((self.old, ""), (self.new, self.old.digest))
        ]
        # It lies in a blob of its own, which it needs as well.
        blobs = (*map(digest_of, self.large.blobs), self.large.digest)
        large, index = self.large, self.index
        return [
            *found,
            Artifact(large.manifest, large.digest, "", frozenset(blobs)),
            Artifact(index, digest_of(index), "", children=frozenset([self.old.digest])),
        ]

    @property
    def index(self) -> bytes:
        return index_of([self.old.descriptor])

    async def broken(self, fault: str) -> list[str]:
        digests = {d for a in self.artifacts for d in a.blobs}
        world = await World.read(self.client, self.repository, digests)
        # Told that others have changed a row, nobody would clean it up after that.
        return world.broken(self.artifacts, garbage=fault == "412")

    async def send(self, method: str, rest: str, **options: object) -> httpx.Response:
        return await self.client.send(method, f"/v2/{self.repository}/{rest}", **options)


Act = Callable[[Stage], Awaitable[httpx.Response]]


async def first_chunk(s: Stage) -> httpx.Response:
    return await s.client.patch(await s.client.begin(s.repository), b"first")


async def status(s: Stage) -> httpx.Response:
    return await s.client.send("GET", s.location)


async def whole_blob(s: Stage) -> httpx.Response:
    content = s.repository.encode()
    return await s.client.commit(await s.client.begin(s.repository), digest_of(content), content)


async def commit(s: Stage) -> httpx.Response:
    return await s.client.commit(s.location, digest_of(b"abc"))


async def last_chunk_and_commit(s: Stage) -> httpx.Response:
    location = s.location
    return await s.client.commit(location, digest_of(b"abcdef"), b"def")


async def cancel(s: Stage) -> httpx.Response:
    return await s.client.send("DELETE", s.location)


async def mount(s: Stage) -> httpx.Response:
    query = {"mount": digest_of(s.old.layer), "from": s.repository}
    return await s.client.send("POST", f"/v2/{s.repository}-two/blobs/uploads/", params=query)


async def blob_head(s: Stage) -> httpx.Response:
    return await s.send("HEAD", f"blobs/{digest_of(s.old.layer)}")


async def blob(s: Stage) -> httpx.Response:
    return await s.send("GET", f"blobs/{digest_of(s.old.layer)}")


async def new_manifest(s: Stage) -> httpx.Response:
    return await s.client.put_manifest(s.repository, "v2", s.new.manifest)


async def first_manifest(s: Stage) -> httpx.Response:
    return await s.client.put_manifest(f"{s.repository}-new", "v1", s.new.manifest)


async def moved_tag(s: Stage) -> httpx.Response:
    return await s.client.put_manifest(s.repository, "v1", s.new.manifest)


async def large_manifest(s: Stage) -> httpx.Response:
    return await s.client.put_manifest(s.repository, "large", s.large.manifest)


async def new_index(s: Stage) -> httpx.Response:
    return await s.client.put_manifest(s.repository, "index", s.index, INDEX)


async def manifest_by_tag(s: Stage) -> httpx.Response:
    return await s.send("GET", "manifests/v1")


async def manifest_by_digest(s: Stage) -> httpx.Response:
    return await s.send("GET", f"manifests/{s.old.digest}")


async def manifest_head(s: Stage) -> httpx.Response:
    return await s.send("HEAD", "manifests/v1")


async def deleted_tag(s: Stage) -> httpx.Response:
    return await s.send("DELETE", "manifests/v1")


async def deleted_manifest(s: Stage) -> httpx.Response:
    return await s.send("DELETE", f"manifests/{s.old.digest}")


async def deleted_blob(s: Stage) -> httpx.Response:
    return await s.send("DELETE", f"blobs/{digest_of(s.new.layer)}")


async def tags(s: Stage) -> httpx.Response:
    return await s.send("GET", "tags/list")


async def referrers(s: Stage) -> httpx.Response:
    return await s.send("GET", f"referrers/{s.old.digest}")


async def catalog(s: Stage) -> httpx.Response:
    return await s.client.send("GET", "/v2/_catalog")


ACTS: list[Act] = [
    first_chunk, status, whole_blob, commit, last_chunk_and_commit, cancel, mount, blob_head, blob,
    new_manifest, first_manifest, moved_tag, large_manifest, new_index, manifest_by_tag,
    manifest_by_digest, manifest_head, deleted_tag, deleted_manifest, deleted_blob, tags,
    referrers, catalog,
]  # fmt: skip
FAULTS = [
    # Done and not told, not done, and refused as if it had been done.
    *("answer-lost", "503", "412"),
    # To the registry the same as 503.
    *(pytest.param(fault, marks=pytest.mark.long) for fault in ("never-sent", "500", "429")),
]
STATUSES = {
    "503": "ServerBusy",
    "500": "OperationTimedOut",
    "429": "TooManyRequests",
    "412": "ConditionNotMet",
}
#: What a deletion or a cancellation may find, when repeated: that it has been done.
DONE: dict[Act, int] = {deleted_tag: 404, deleted_manifest: 404, deleted_blob: 404, cancel: 404}


def fault_of(name: str, impostor: str) -> Interference:
    if name == "never-sent":
        return Refuse()
    if name == "answer-lost":
        return Drop()
    return Divert(f"{impostor}/{name}/{STATUSES[name]}")


@pytest.mark.parametrize(
    "fault",
    # Refusals by status are alike to the registry: one of them will do for `make test`.
    [f if f not in ("500", "429") else pytest.param(f, marks=pytest.mark.long) for f in FAULTS],
)
@pytest.mark.parametrize("act", ACTS, ids=[act.__name__ for act in ACTS])
async def test_a_call_of_storage_that_fails_fails_no_more_than_its_request(
    client: Client, other: Client, repository: str, impostor: str, act: Act, fault: str
) -> None:
    for number in range(1, MAX_CALLS):
        stage = await Stage.set(other, f"{repository}{number}", act)
        acting = Stage(client, stage.repository, stage.old, stage.new, stage.large, stage.location)
        client.hook.plan_nth(number, fault_of(fault, impostor))
        answer = await act(acting)
        client.hook.plan = None
        calls = client.trace.count
        if answer.status_code >= 400:
            # 416 tells where the upload stands: of a spurious 412 nobody could know better.
            assert answer.status_code == 503 or (fault, answer.status_code) == ("412", 416), (
                number, answer.status_code, answer.text
            )  # fmt: skip
            assert answer.headers.get("retry-after") or answer.status_code == 416
            assert await stage.broken(fault) == [], number
            repeated = await act(acting)
            if repeated.status_code == 416:  # It had received the body: the rest follows there.
                repeated = await client.commit(repeated.headers["location"], digest_of(b"abcdef"))
            assert repeated.status_code < 400 or repeated.status_code == DONE.get(act), (
                number, repeated.status_code, repeated.text
            )  # fmt: skip
        assert await stage.broken(fault) == [], number
        if calls < number:
            return  # The request has fewer calls than this.
    raise AssertionError(f"a request of {MAX_CALLS} calls")
