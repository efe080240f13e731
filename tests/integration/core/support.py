"""What the integration tests share: a client of the registry, and images to push."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from registry_core.auth.rate_limiter import RateLimiter
from registry_core.auth.throttle import Throttle
from registry_core.blobs import rows as blob_rows
from registry_core.http import edge
from registry_core.http.surfaces import SURFACES
from registry_core.registry import Registry, Services
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.rows import GONE
from registry_core.settings import Settings
from registry_core.storage import keys
from registry_core.storage.calls import CallTrace
from registry_core.storage.tables import Row
from tests.interference.hook import InterferingHook

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@dataclass
class Client:
    """Sends requests to one instance of the registry, signed in as the administrator."""

    registry: Registry
    hook: InterferingHook
    traces: list[CallTrace] = field(default_factory=list)
    services: Services = field(init=False)
    may_read_back: bool = False
    """Whether an upload may read content: only where its state was lost on purpose."""
    http: httpx.AsyncClient = field(init=False)

    @property
    def trace(self) -> CallTrace:
        """The storage calls of the last request."""
        return self.traces[-1]

    @property
    def cost(self) -> tuple[int, int]:
        """Calls and sequential rounds of the last request."""
        return self.trace.count, self.trace.rounds

    def forget(self) -> None:
        """Empties the instance's memory: whatever it answers next, it has read."""
        manifests = self.services.manifests
        for cache in (self.services.blobs._cache, manifests._cache, manifests._attributes):
            for key in list(cache._entries):
                cache.discard(key)

    async def send(self, method: str, url: str, **options: Any) -> httpx.Response:
        return await self.http.request(method, url, **options)

    async def begin(self, repository: str, **query: str) -> str:
        """The location of a new upload session."""
        answer = await self.send("POST", f"/v2/{repository}/blobs/uploads/", params=query)
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    async def patch(
        self, location: str, content: bytes | AsyncIterator[bytes], **headers: str
    ) -> httpx.Response:
        return await self.send("PATCH", location, content=content, headers=headers)

    async def commit(self, location: str, digest: str, content: bytes = b"") -> httpx.Response:
        return await self.send("PUT", f"{location}&digest={digest}", content=content)

    async def push_blob(self, repository: str, content: bytes) -> str:
        """Pushes as docker does: POST, one PATCH of unknown length, PUT. Answers the digest."""
        digest = digest_of(content)
        answer = await self.patch(await self.begin(repository), pieces(content))
        assert answer.status_code == 202, answer.text
        answer = await self.commit(answer.headers["location"], digest)
        assert answer.status_code == 201, answer.text
        return digest

    async def put_manifest(
        self, repository: str, reference: str, content: bytes, media_type: str = OCI_MANIFEST
    ) -> httpx.Response:
        return await self.send(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            content=content,
            headers={"Content-Type": media_type},
        )

    async def push_image(self, repository: str, reference: str = "latest", **extra: Any) -> Image:
        """Pushes a small image that no other test has."""
        image = Image.make(**extra)
        for blob in image.blobs:
            await self.push_blob(repository, blob)
        answer = await self.put_manifest(repository, reference or image.digest, image.manifest)
        assert answer.status_code == 201, answer.text
        return image


@dataclass(frozen=True)
class Image:
    """An image of one layer."""

    config: bytes
    layer: bytes
    manifest: bytes

    @classmethod
    def make(cls, **extra: Any) -> Image:
        config = json.dumps(
            {"os": "linux", "architecture": "amd64", "created": secrets.token_hex(8)}
        ).encode()
        return cls(config, secrets.token_bytes(512), b"").with_manifest(**extra)

    def with_manifest(self, **extra: Any) -> Image:
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, self.config),
            "layers": [descriptor(OCI_LAYER, self.layer)],
            **extra,
        }
        return replace(self, manifest=json.dumps(document, indent=2).encode())

    @property
    def blobs(self) -> tuple[bytes, bytes]:
        return self.config, self.layer

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def descriptor(self) -> dict[str, Any]:
        return descriptor(OCI_MANIFEST, self.manifest)


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def index_of(descriptors: Iterable[dict[str, Any]], **extra: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": list(descriptors),
        **extra,
    }
    return json.dumps(document).encode()


def pieces_of(content: bytes, size: int = 65536) -> Iterator[bytes]:
    """A body of unknown length, in pieces as a socket brings them."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def pieces(content: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    """The same, for asynchronous clients."""
    for piece in pieces_of(content, size):
        yield piece


async def all_rows(client: Client, table: str, partition: str) -> dict[str, Row]:
    """Every row of a partition, by key."""
    found = client.services.connection.table(table)
    return {row.key: row for row in await found.query(partition, " ", "~")}


async def rows(client: Client, repository: str) -> dict[str, Row]:
    """The rows of a repository by key, less tombstones."""
    found = await all_rows(client, repository_rows.TABLE, keys.encode(repository))
    return {key: row for key, row in found.items() if not row.values.get(GONE)}


async def _at_once(_: float) -> None:
    """In place of the wait before a wrong password is answered."""


@contextlib.asynccontextmanager
async def connect(
    settings: Settings,
    *,
    is_cold: bool = False,
    throttle: Throttle | None = None,
    rate_limiter: RateLimiter | None = None,
) -> AsyncIterator[Client]:
    """A client of a new instance, which has opened its storage unless it `is_cold`."""
    hook = InterferingHook()
    registry = Registry(settings, hook, throttle or Throttle(sleep=_at_once), rate_limiter)
    client = Client(registry, hook)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_or_disconnect() -> Message:
            try:
                return await receive()
            except ConnectionResetError:  # As a server tells of a client that died.
                return {"type": "http.disconnect"}

        request = Request(scope, receive_or_disconnect)
        path = scope["path"]
        surface = next(each for each in SURFACES if f"{path}/".startswith(f"{each.prefix}/"))
        below = path.removeprefix(surface.prefix) or "/"
        response = await edge.handle(registry, surface, request, below)
        trace: CallTrace = request.scope[edge.TRACE]
        client.traces.append(trace)
        read_back = "/blobs/uploads/" in scope["path"] and any(
            call.method == "GET" and f"/{blob_rows.CONTAINER}/" in call.path for call in trace.calls
        )
        assert client.may_read_back or not read_back, "an upload has read content back"
        await response(scope, receive, send)

    assert settings.admin is not None
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://localhost:7071",
        auth=(settings.admin.username, settings.admin.passwords[0]),
        timeout=60,
    ) as http:
        client.http = http
        try:
            if not is_cold:
                client.services = await registry.open()
            yield client
        finally:
            await registry.close()


async def kinds(client: Client, repository: str) -> list[str]:
    """The kinds of rows of a repository, with repetitions."""
    return sorted(key.partition(":")[0] for key in await rows(client, repository))


async def push_blobs(client: Client, repository: str, image: Image) -> None:
    for blob in image.blobs:
        await client.push_blob(repository, blob)


async def is_pullable(client: Client, repository: str, image: Image) -> bool:
    """Whether storage has all of it."""
    client.forget()
    answers = [await client.send("GET", f"/v2/{repository}/manifests/{image.digest}")]
    answers += [
        await client.send("HEAD", f"/v2/{repository}/blobs/{digest_of(blob)}")
        for blob in image.blobs
    ]
    return all(answer.status_code == 200 for answer in answers)
