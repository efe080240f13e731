"""What distribution keeps in storage, written past it and many at once, as pushes leave it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from bench.compare.wire import Client
from bench.contenders.distribution import CONTAINER
from devhost.processes.azurite import ACCOUNT_KEY, ACCOUNT_NAME, Azurite

_ROOT = "docker/registry/v2"
_AT_ONCE = 16
_HEADERS = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob"}

Files = Iterable[tuple[str, bytes]]
"""Names in the container, and contents."""


def hex_of(number: int) -> str:
    """The digits of a digest that is like no other's."""
    return hashlib.sha256(f"bulk {number}".encode()).hexdigest()


def tag_files(repository: str, tags: Iterable[str], digits: str) -> Iterator[tuple[str, bytes]]:
    """Tags of one manifest."""
    link = f"sha256:{digits}".encode()
    for tag in tags:
        folder = f"{_ROOT}/repositories/{repository}/_manifests/tags/{tag}"
        yield f"{folder}/current/link", link
        yield f"{folder}/index/sha256/{digits}/link", link


def repository_files(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Repositories with one manifest, one layer and one tag each."""
    digits = hex_of(0)
    link = f"sha256:{digits}".encode()
    for name in names:
        yield from layer_files(name)
        folder = f"{_ROOT}/repositories/{name}"
        yield f"{folder}/_manifests/revisions/sha256/{digits}/link", link
        yield from tag_files(name, ["latest"], digits)


def layer_files(name: str) -> Iterator[tuple[str, bytes]]:
    """A repository with a layer, and without a manifest."""
    digits = hex_of(0)
    link = f"sha256:{digits}".encode()
    yield f"{_ROOT}/repositories/{name}/_layers/sha256/{digits}/link", link


def blob_files(count: int, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Blobs that no repository links to."""
    for number in range(count):
        digits = hex_of(number)
        yield f"{_ROOT}/blobs/sha256/{digits[:2]}/{digits}/data", content


async def write(azurite: Azurite, files: Files) -> None:
    """Writes them. Raises `UnexpectedAnswerError`."""
    signature = generate_account_sas(
        ACCOUNT_NAME,
        ACCOUNT_KEY,
        ResourceTypes(object=True),
        AccountSasPermissions(write=True, create=True),
        datetime.now(UTC) + timedelta(hours=8),
    )
    client = Client(f"http://127.0.0.1:{azurite.blob_port}")
    rest = iter(files)

    async def work(files: Iterator[tuple[str, bytes]]) -> None:
        for name, content in files:
            path = f"/{ACCOUNT_NAME}/{CONTAINER}/{name}?{signature}"
            await client.ask(201, "PUT", path, _HEADERS, content)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work(rest))
    finally:
        client.close()
