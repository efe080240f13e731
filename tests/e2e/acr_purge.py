"""`acr purge` as its sources make it: the same requests in the same order.

The `acr` command cannot be installed from where our tools come from, so its requests are made here.
Names and digests are percent-encoded. A page of tags is deleted before the next one is asked for,
and `last` of the next one comes from `Link`. Manifests are listed to the end before one is deleted,
with the last digest of a page as `last`, until `manifests` is null.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlencode

import aiohttp
from yarl import URL

from tests.e2e.images import OCI_INDEX, OCI_MANIFEST
from tests.e2e.world import World

PAGE = 100
CONCURRENCY = 4
"""How many deletions are on their way at once; by default as many as there are processors."""
ACCEPT = (
    "*/*, application/vnd.cncf.oras.artifact.manifest.v1+json, "
    "application/vnd.oci.artifact.manifest.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json"
)
LISTS = {OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"}
MAY_REFER = {OCI_MANIFEST, OCI_INDEX, "application/vnd.oci.artifact.manifest.v1+json"}


@dataclass
class Purged:
    """What a purge says that it did, and what it sent."""

    tags: int = 0
    manifests: int = 0
    sent: Counter[str] = field(default_factory=Counter)


def loopback(world: World) -> str:
    """The registry's address for this command, to which only a name with a dot is a host."""
    return world.registry.address.replace("localhost", "127.0.0.1")


class AcrCli:
    """One run of the command, signed in by user name and password, or by a refresh token."""

    def __init__(self, world: World, username: str, password: str) -> None:
        self._address = loopback(world)
        self._by_refresh_token = username == ""
        self._secret = password
        self._authorization = aiohttp.encode_basic_auth(username, password) if username else ""
        self._trust = ssl.create_default_context(cafile=str(world.issuer.ca_file))
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self.purged = Purged()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trust))
        if self._by_refresh_token:
            await self._sign_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def _sign_in(self) -> None:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._secret,
            "scope": "registry:catalog:* repository:*:*",
            "service": self._address,
        }
        async with self._session.post(f"https://{self._address}/oauth2/token", data=form) as said:
            assert said.status == 200, await said.text()
            self._authorization = f"Bearer {(await said.json())['access_token']}"

    async def purge(
        self, repository: str, tag: str, before: datetime, *, keep: int = 0, untagged: bool = False
    ) -> Purged:
        """`acr purge --filter '<repository>:<tag>' --keep <keep> [--untagged]`.

        Both are regular expressions; `before` stands for `--ago`.
        """
        names = [n for n in await self._repositories() if re.search(f"^{repository}$", n)]
        for name in names:
            await self._purge_tags(name, tag, before, keep)
            if untagged:
                await self._purge_manifests(name, before)
        return self.purged

    async def _repositories(self) -> list[str]:
        found: list[str] = []
        while True:
            last = {"last": found[-1]} if found else {}
            _, _, page = await self._ask("GET", "/v2/_catalog", n=str(PAGE), **last)
            if not page["repositories"]:
                return found
            found += page["repositories"]

    async def _purge_tags(self, name: str, expression: str, before: datetime, keep: int) -> None:
        kept, last = 0, ""
        path = f"/acr/v1/{quote(name, safe='')}/_tags"
        while True:
            query = {"last": last} if last else {}
            _, headers, page = await self._ask(
                "GET", path, n=str(PAGE), orderby="timedesc", **query
            )
            chosen = [
                tag
                for tag in page["tags"] or []
                if re.search(expression, tag["name"])
                and _time(tag) < before
                and _may_be_deleted(tag)
            ]
            skipped = min(keep - kept, len(chosen))
            kept += skipped
            deletions = (self._delete(f"{path}/{tag['name']}") for tag in chosen[skipped:])
            self.purged.tags += await self._all(deletions)
            last = _last(headers)
            if not last:
                return

    async def _purge_manifests(self, name: str, before: datetime) -> None:
        path = f"/v2/{quote(name, safe='')}/manifests"
        candidates: list[str] = []
        ignored: set[str] = set()
        async for manifest in self._manifests(name):
            digest = manifest["digest"]
            if not _may_be_deleted(manifest):
                continue
            if manifest.get("tags") or _time(manifest) >= before:
                if manifest["mediaType"] in LISTS:
                    ignored.update(await self._children(path, digest))
                continue
            candidates.append(digest)
            if manifest["mediaType"] in MAY_REFER:
                _, _, content = await self._ask("GET", f"{path}/{quote(digest, safe='')}")
                if content.get("subject"):
                    ignored.add(digest)
        deletions = (
            self._delete(f"{path}/{quote(digest, safe='')}")
            for digest in candidates
            if digest not in ignored
        )
        self.purged.manifests += await self._all(deletions)

    async def _manifests(self, name: str) -> AsyncIterator[dict[str, Any]]:
        last: dict[str, str] = {}
        while True:
            path = f"/acr/v1/{quote(name, safe='')}/_manifests"
            _, _, page = await self._ask("GET", path, n=str(PAGE), **last)
            if page["manifests"] is None:
                return
            for manifest in page["manifests"]:
                yield manifest
            last = {"last": page["manifests"][-1]["digest"]}

    async def _children(self, path: str, digest: str) -> set[str]:
        """The digests of all that an index names, and of what is in those that are indexes."""
        _, _, content = await self._ask("GET", f"{path}/{quote(digest, safe='')}")
        found: set[str] = set()
        for child in content.get("manifests", []):
            found.add(child["digest"])
            if child["mediaType"] in LISTS:
                found |= await self._children(path, child["digest"])
        return found

    async def _delete(self, path: str) -> bool:
        """Delete one thing; what is gone already counts as deleted."""
        async with self._slots:
            status, _, content = await self._ask("DELETE", path)
        assert status in (200, 202, 404), content
        return True

    async def _all(self, deletions: Iterable[Awaitable[bool]]) -> int:
        return sum(await asyncio.gather(*deletions))

    async def _ask(self, method: str, path: str, **query: str) -> tuple[int, Any, Any]:
        """Send one request; again when the registry says so, and when it says so."""
        address = f"https://{self._address}{path}{'?' if query else ''}{urlencode(query)}"
        headers = {"Authorization": self._authorization}
        if "/manifests/" in path and method == "GET":
            headers["Accept"] = ACCEPT
        while True:
            url = URL(address, encoded=True)
            async with self._session.request(method, url, headers=headers) as answer:
                content = await answer.json(content_type=None)
                self.purged.sent[f"{method} {_kind(path)} {answer.status}"] += 1
                if answer.status != 429:
                    assert method == "DELETE" or answer.status == 200, (path, content)
                    return answer.status, answer.headers, content
            await asyncio.sleep(int(answer.headers["Retry-After"]))


def _kind(path: str) -> str:
    return next(k for k in ("_catalog", "_tags", "_manifests", "manifests") if f"/{k}" in path)


def _time(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["lastUpdateTime"])


def _may_be_deleted(entry: dict[str, Any]) -> bool:
    attributes = entry["changeableAttributes"]
    return bool(attributes["deleteEnabled"] and attributes["writeEnabled"])


def _last(headers: Any) -> str:
    _, _, query = headers.get("Link", "").partition("?")
    return str(parse_qs(query.split(">")[0]).get("last", [""])[0])
