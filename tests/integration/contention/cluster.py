"""One registry of several server processes, and requests that all begin at the same moment."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import fmean

import httpx
import pytest

from devhost.processes.process import HostProcess
from tests.integration.core.support import OCI_MANIFEST, Image, digest_of
from tests.integration.request_log import CORRELATION_ID, Cost, RequestLog

FRONT_END_SECONDS = 230
"""After so long the front end of Azure answers 504 in the app's place."""
SIZES = [32, *(pytest.param(size, marks=pytest.mark.long) for size in (2, 8, 64))]
"""How many clients there are at once; `make test` has one of them."""
MANY_CONNECTIONS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


@dataclass(frozen=True)
class Request:
    """One request, to be sent by any client."""

    method: str
    url: str
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def put_manifest(
        cls, repository: str, reference: str, content: bytes, media_type: str = OCI_MANIFEST
    ) -> Request:
        """Pushes a manifest."""
        url = f"/v2/{repository}/manifests/{reference}"
        return cls("PUT", url, content, {"Content-Type": media_type})

    @classmethod
    def delete(cls, repository: str, reference: str) -> Request:
        """Deletes a manifest or a tag."""
        return cls("DELETE", f"/v2/{repository}/manifests/{reference}")

    @classmethod
    def get(cls, repository: str, reference: str) -> Request:
        """Pulls a manifest."""
        return cls("GET", f"/v2/{repository}/manifests/{reference}")


@dataclass(frozen=True)
class Reply:
    """What one client was told, and what it took."""

    status: int
    """504 where no answer came before the front end gave up."""
    headers: httpx.Headers
    body: str
    cost: Cost | None
    """None without an answer."""


@dataclass(frozen=True)
class Replies:
    """What all clients were told, in the order of their requests."""

    all: Sequence[Reply]

    @property
    def statuses(self) -> dict[int, int]:
        """How many were answered with each status."""
        return dict(sorted(Counter(reply.status for reply in self.all).items()))

    @property
    def most_calls(self) -> int:
        """The most storage calls of any request that was answered."""
        return max((reply.cost.calls for reply in self.all if reply.cost), default=0)

    @property
    def average_calls(self) -> float:
        """The storage calls of an answered request, on average."""
        calls = [reply.cost.calls for reply in self.all if reply.cost]
        return fmean(calls) if calls else 0

    @property
    def longest_seconds(self) -> float:
        """For how long the slowest of the answered requests ran."""
        return max((reply.cost.seconds for reply in self.all if reply.cost), default=0)

    def __str__(self) -> str:
        told = ", ".join(f"{count} x {status}" for status, count in self.statuses.items())
        return (
            f"{told}; calls: {self.average_calls:.1f} on average, {self.most_calls} at most; "
            f"longest {self.longest_seconds:.1f} s"
        )


@dataclass
class Server:
    """One server process, and a client of it."""

    http: httpx.AsyncClient
    log: RequestLog


class Cluster:
    """The server processes of one registry."""

    def __init__(self, servers: Sequence[Server], show: Callable[[str], None]) -> None:
        self.servers = servers
        self._show = show

    def server(self, number: int) -> Server:
        """The one that the client of that number talks to: they are dealt out in turn."""
        return self.servers[number % len(self.servers)]

    async def send(self, request: Request, client: int = 0) -> httpx.Response:
        """The answer to one request."""
        return await self.server(client).http.request(
            request.method, request.url, content=request.content, headers=request.headers
        )

    async def must(self, request: Request, client: int = 0) -> httpx.Response:
        """The answer to a request of the preparations, which succeeds."""
        answer = await self.send(request, client)
        assert answer.status_code < 400, (request.method, request.url, answer.text)
        return answer

    async def at_once(self, requests: Sequence[Request], first: int = 0) -> Replies:
        """What each of the requests is answered, when each has a client and all begin together.

        The clients are numbered from `first` on.
        """
        barrier = asyncio.Barrier(len(requests))
        ids = [secrets.token_hex(16) for _ in requests]

        async def send(number: int, request: Request) -> httpx.Response | None:
            headers = {**request.headers, CORRELATION_ID: ids[number]}
            await barrier.wait()
            try:
                return await self.send(
                    Request(request.method, request.url, request.content, headers), first + number
                )
            except httpx.ReadTimeout:
                return None

        answers = await asyncio.gather(*(send(*item) for item in enumerate(requests)))
        costs: dict[str, Cost] = {}
        for index, server in enumerate(self.servers):
            answered = [
                each
                for number, each in enumerate(ids)
                if (first + number) % len(self.servers) == index and answers[number] is not None
            ]
            costs |= await asyncio.to_thread(server.log.costs, answered)
        replies = Replies(
            [
                Reply(answer.status_code, answer.headers, answer.text, costs[each])
                if answer is not None
                else Reply(504, httpx.Headers(), "", None)
                for each, answer in zip(ids, answers, strict=True)
            ]
        )
        if len(requests) > 1:
            self._show(str(replies))
        return replies

    async def begin(self, repository: str, client: int = 0) -> str:
        """The location of a new upload session."""
        url = f"/v2/{repository}/blobs/uploads/"
        return (await self.must(Request("POST", url), client)).headers["location"]

    async def push_blob(self, repository: str, content: bytes) -> str:
        """Pushes a blob; answers its digest."""
        digest = digest_of(content)
        await self.must(Request("PUT", f"{await self.begin(repository)}&digest={digest}", content))
        return digest

    async def push_blobs(self, repository: str, image: Image) -> None:
        """Pushes what an image is made of."""
        for blob in image.blobs:
            await self.push_blob(repository, blob)

    async def push_image(self, repository: str, reference: str, image: Image) -> None:
        """Pushes an image with its blobs."""
        await self.push_blobs(repository, image)
        await self.must(Request.put_manifest(repository, reference, image.manifest))


def variants(image: Image, count: int) -> list[Image]:
    """Images of the same blobs whose manifests differ."""
    salt = secrets.token_hex(4)
    return [image.with_manifest(annotations={"number": f"{salt}-{n}"}) for n in range(count)]


@asynccontextmanager
async def clients_of(
    hosts: Sequence[HostProcess], password: str, show: Callable[[str], None]
) -> AsyncIterator[Cluster]:
    """The registry that those processes serve; what is counted is handed to `show`."""
    async with AsyncExitStack() as stack:
        servers = []
        for host in hosts:
            http = httpx.AsyncClient(
                base_url=host.base_url,
                auth=("admin", password),
                timeout=FRONT_END_SECONDS,
                limits=MANY_CONNECTIONS,
            )
            servers.append(Server(await stack.enter_async_context(http), RequestLog(host)))
        yield Cluster(servers, show)
