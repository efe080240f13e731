"""What is true at the end: everything that was acknowledged is there, whole, and nothing else is.

Asked of an instance that storage does not fail, after a last purge and a last collection as of
when all is old.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import httpx

from registry_core.blobs import rows as blob_rows
from registry_core.repositories import catalog, rows
from registry_core.settings import AdminSettings, Settings, StorageSettings
from registry_core.storage import keys
from tests.e2e.registry import ACCEPT
from tests.integration.core.collection.support import Collecting, stores_of
from tests.integration.core.soft import purge
from tests.integration.core.soundness import broken_in
from tests.integration.core.support import Client, connect, digest_of
from tests.integration.explorer.world import World
from tests.soak.ledger import Ledger

_PAGE = 1000


@dataclass
class Verdict:
    """What was found."""

    breaches: list[str] = field(default_factory=list)
    manifests: int = 0
    """So many were pulled whole."""
    blobs: int = 0
    """So many different blobs were hashed."""
    collected: int = 0
    """By the last collection."""
    restored: int = 0
    """So many manifests of a backup were pulled whole from another account."""


@dataclass
class Found:
    """A repository as it was read."""

    name: str
    manifests: dict[str, bytes]
    tags: dict[str, str]

    def needs(self) -> set[str]:
        """The blobs that its manifests name."""
        found = set[str]()
        for content in self.manifests.values():
            found |= set(_blobs_of(content))
        return found


def instance(storage: str) -> AbstractAsyncContextManager[Client]:
    """One that storage does not fail."""
    return connect(Settings(StorageSettings(storage), admin=AdminSettings("soak", ("x" * 20,))))


async def judge(storage: str, ledgers: Sequence[Ledger]) -> Verdict:
    """Looks at everything there is."""
    found = Verdict()
    async with instance(storage) as client:
        policy, _ = await client.services.soft_delete.policy()
        purged = await purge(client, policy.days + 1)
        if not policy.is_on or purged.failed or purged.locked:
            found.breaches.append("the last purge could not be finished")
        for _ in range(2):
            report = await Collecting(client).everything()
            found.collected += report.gone.total()
            if report.failed:
                found.breaches.append("the last collection could not be finished")
        repositories = [await read(client, name, found) for name in await _names(client)]
        by_name = {each.name: each for each in repositories}
        for ledger in ledgers:
            there = by_name.get(ledger.repository, Found(ledger.repository, {}, {}))
            found.breaches += ledger.breaches(there.manifests, there.tags)
        await pull_blobs(client, repositories, found)
        found.breaches += [each async for each in _surplus(client, repositories)]
        found.breaches += await broken_in(client.services.connection)
    return found


async def _names(client: Client) -> list[str]:
    answer = await client.send("GET", "/v2/_catalog", params={"n": str(_PAGE)})
    names: list[str] = answer.json()["repositories"]
    return names


async def read(client: Client, name: str, found: Verdict) -> Found:
    """A repository with every manifest, hashed."""
    listed = await client.send("GET", f"/acr/v1/{name}/_manifests", params={"n": str(_PAGE)})
    entries: list[dict[str, Any]] = listed.json()["manifests"] or []
    there = Found(name, {}, {})
    for entry in entries:
        digest = entry["digest"]
        there.tags |= dict.fromkeys(entry.get("tags") or (), digest)
        url = f"/v2/{name}/manifests/{digest}"
        answer = await client.send("GET", url, headers={"Accept": ACCEPT})
        if answer.status_code != 200 or digest_of(answer.content) != digest:
            found.breaches.append(f"{name}: {digest} cannot be pulled: {answer.status_code}")
            continue
        there.manifests[digest] = answer.content
        found.manifests += 1
    for tag, digest in there.tags.items():
        answer = await client.send("HEAD", f"/v2/{name}/manifests/{tag}")
        if answer.headers.get("docker-content-digest") != digest:
            found.breaches.append(f"{name}: tag {tag} is listed as {digest} and is another")
    return there


async def pull_blobs(client: Client, repositories: Sequence[Found], found: Verdict) -> None:
    """Asks each repository for each blob that it needs, and hashes each blob once."""
    hashed = set[str]()
    async with httpx.AsyncClient(timeout=60) as outside:
        for each in repositories:
            for digest in sorted(each.needs()):
                answer = await client.send("GET", f"/v2/{each.name}/blobs/{digest}")
                if answer.status_code != 307:
                    found.breaches.append(f"{each.name}: no blob {digest}: {answer.status_code}")
                    continue
                if digest in hashed:
                    continue
                content = (await outside.get(answer.headers["location"])).content
                hashed.add(digest)
                if digest_of(content) != digest:
                    found.breaches.append(f"{each.name}: the content of {digest} is another")
    found.blobs = len(hashed)


async def _surplus(client: Client, repositories: Sequence[Found]) -> AsyncIterator[str]:
    """What storage holds that nobody needs."""
    stores = stores_of(client)
    needed = set[str]().union(*(each.needs() for each in repositories))
    # Manifests too large for their row lie in objects as blobs do.
    needed |= {digest for each in repositories for digest in await _large(client, each)}
    names = {each.name for each in repositories}
    found = [row async for page in stores.blobs.scan(" ", "~") for row in page]
    for digest in sorted({row.partition for row in found} - needed):
        yield f"rows of {digest} are left"
    locations = {row.text("Location") for row in found if row.key == blob_rows.BLOB}
    async for page in stores.content.contents(""):
        for each in page.objects:
            if str(stores.content.location(each.name)) not in locations:
                yield f"object {each.name} is left"
    scanned = [row async for page in stores.repositories.scan(" ", "~") for row in page]
    for name in sorted({keys.decode(row.partition) for row in scanned} - names):
        yield f"rows of repository {name} are left"
    for row in scanned:
        if row.values.get(rows.GONE):
            yield f"{row.partition}: tombstone {row.key} is left"
    for partition, right in ((catalog.PARTITION, names), (catalog.DELETED, set[str]())):
        listed = await stores.catalog.query(partition, " ", "~", ())
        for name in sorted({keys.decode(row.key) for row in listed} - right):
            yield f"the partition {partition} of the catalog has {name}"


async def _large(client: Client, repository: Found) -> set[str]:
    world = await World.read(client, repository.name, ())
    return {str(d) for d, each in world.snapshot.manifests.items() if each.location is not None}


def _blobs_of(content: bytes) -> Iterator[str]:
    document = json.loads(content)
    for each in (document.get("config"), *document.get("layers", ())):
        if each:
            yield each["digest"]
