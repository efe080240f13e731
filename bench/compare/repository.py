"""A repository as a client sees it that has an access token for it, and does much at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.client import UnexpectedAnswerError
from bench.compare.wire import Client
from bench.cpu.images import INDEX, MANIFEST, Image, digest_of

PULLED_AT_ONCE = 3
"""Layers, by docker and containerd."""
PUSHED_AT_ONCE = 5
"""Layers, by docker."""
_TRIES = 20


@dataclass(frozen=True)
class Repository:
    """One at one registry."""

    client: Client
    name: str
    access: Mapping[str, str]

    async def push_blob(self, content: bytes) -> None:
        """Sends it: `POST`, and `PUT` with all of it."""
        url = f"/v2/{self.name}/blobs/uploads/"
        location = (await self.client.ask(202, "POST", url, self.access)).location
        url = f"{location}{'&' if '?' in location else '?'}digest={digest_of(content)}"
        headers = {**self.access, "Content-Type": "application/octet-stream"}
        await self.client.ask(201, "PUT", url, headers, content)

    async def push_new_blob(self, content: bytes) -> None:
        """The same, after the registry has said that it does not have the blob."""
        url = f"/v2/{self.name}/blobs/{digest_of(content)}"
        await self.client.ask(404, "HEAD", url, self.access)
        await self.push_blob(content)

    async def push_blobs(self, contents: Sequence[bytes]) -> None:
        """All of them, some at once."""
        at_once = asyncio.Semaphore(PUSHED_AT_ONCE)

        async def push(content: bytes) -> None:
            async with at_once:
                await self.push_new_blob(content)

        async with asyncio.TaskGroup() as group:
            for content in contents:
                group.create_task(push(content))

    async def mount(self, digest: str, source: str) -> None:
        """Takes over a blob of another repository."""
        url = f"/v2/{self.name}/blobs/uploads/?from={source}&mount={digest}"
        await self.client.ask(201, "POST", url, self.access)

    async def put(self, reference: str, manifest: bytes, media_type: str = MANIFEST) -> None:
        """Sends a manifest."""
        headers = {**self.access, "Content-Type": media_type}
        url = f"/v2/{self.name}/manifests/{reference}"
        await self.client.ask(201, "PUT", url, headers, manifest)

    async def push(self, image: Image, tag: str) -> None:
        """Sends an image of which the registry has nothing, as docker does."""
        await self.push_blobs(image.layers)
        await self.push_new_blob(image.config)
        await self.put(tag, image.manifest)

    async def read(self, method: str, reference: str) -> None:
        """Asks for a manifest."""
        headers = {**self.access, "Accept": f"{MANIFEST}, {INDEX}"}
        await self.client.ask(200, method, f"/v2/{self.name}/manifests/{reference}", headers)

    async def redirect(self, content: bytes) -> None:
        """Asks for a blob, and leaves it at the address that is answered."""
        url = f"/v2/{self.name}/blobs/{digest_of(content)}"
        await self.client.ask(307, "GET", url, self.access)

    async def pull(self, image: Image, tag: str) -> None:
        """Asks for all of an image, as docker does: manifest, config, layers."""
        await self.read("GET", tag)
        await self.redirect(image.config)
        at_once = asyncio.Semaphore(PULLED_AT_ONCE)

        async def pull(layer: bytes) -> None:
            async with at_once:
                await self.redirect(layer)

        async with asyncio.TaskGroup() as group:
            for layer in image.layers:
                group.create_task(pull(layer))

    async def tags(self, count: int) -> None:
        """Asks for the first page of the tags."""
        url = f"/v2/{self.name}/tags/list?n={count}"
        await self.client.ask(200, "GET", url, self.access)

    async def delete(self, reference: str) -> None:
        """Deletes a manifest. Of many tags, it may take several requests, each of which goes on."""
        url = f"/v2/{self.name}/manifests/{reference}"
        for _ in range(_TRIES):
            answer = await self.client.ask((202, 503), "DELETE", url, self.access)
            if answer.status == 202:
                return
        raise UnexpectedAnswerError(f"DELETE {url}: 503 for {_TRIES} times")
