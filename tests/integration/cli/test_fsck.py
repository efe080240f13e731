"""`slipway fsck`, as a person types it, on a storage account of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx
import pytest

from devhost.processes.azurite import Azurite
from registry_core.access.signing_keys import CONTAINER
from registry_core.blobs import rows as blob_rows
from registry_core.repositories import rows
from registry_core.settings import StorageSettings
from registry_core.storage import tables
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from registry_core.storage.documents import Documents
from registry_core.storage.objects import Objects
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_gc import azurite, registry

LAYER_BYTES = 512
"""Of an image that the tests make."""

__all__ = ["azurite", "registry"]


def change(azurite: Azurite, work: Callable[[Connection], Awaitable[object]]) -> None:
    """Changes something in storage behind the registry's back."""

    async def changed() -> None:
        opened = Connection(StorageSettings(azurite.connection_string), CallHook())
        try:
            await work(opened)
        finally:
            await opened.close()

    asyncio.run(changed())


def test_a_sound_registry_ends_with_0_and_its_garbage_is_counted(
    registry: httpx.Client, run: Run
) -> None:
    status, out, err = run("fsck", "-o", "json")
    found = json.loads(out)
    assert status == 0, err
    assert found["isSound"]
    assert found["isComplete"]
    assert (found["repositories"], found["manifests"], found["tags"]) == (1, 1, 1)
    assert found["blobs"] == 4
    # Of the image that was deleted.
    assert found["garbage"]["content"] == found["garbage"]["link"] == 2
    assert (found["broken"], found["findings"]) == ({}, [])
    assert "Nothing is broken" in err

    status, out, _ = run("fsck")
    assert status == 0
    assert out.splitlines()[0].split()[:3] == ["REPOSITORIES", "MANIFESTS", "TAGS"]
    # It has changed nothing.
    assert registry.get("/v2/kept/manifests/v1").status_code == 200
    assert run("fsck", "-o", "json")[1] == json.dumps(found, indent=2) + "\n"


def test_a_broken_registry_ends_with_1_and_what_is_broken_is_named(
    azurite: Azurite, registry: httpx.Client, run: Run
) -> None:
    async def lose_guard(opened: Connection) -> None:
        guard = tables.delete(rows.PUSH_GUARD)
        await opened.table(rows.TABLE).transact("kept", [guard])

    change(azurite, lose_guard)
    status, out, err = run("fsck", "-o", "json")
    found = json.loads(out)
    assert status == 1, err
    assert (found["isSound"], found["broken"]) == (False, {"I2": 1})
    (finding,) = found["findings"]
    assert finding["partition"] == "kept"
    assert finding["key"] == rows.PUSH_GUARD
    assert finding["canBeMended"]
    assert "1 thing broken" in err

    status, out, _ = run("fsck")
    assert status == 1
    assert "I2" in out

    status, out, err = run("fsck", "--repair", "-o", "json")
    found = json.loads(out)
    assert status == 0, err
    assert (found["isSound"], found["broken"], found["mended"]) == (True, {}, {"I2": 1})
    assert found["findings"][0]["outcome"] == "mended"
    assert "1 thing mended" in err
    assert run("fsck")[0] == 0
    assert registry.delete("/v2/kept/manifests/v1").status_code == 202


def test_bytes_that_are_not_those_of_the_digest_are_named(
    azurite: Azurite, registry: httpx.Client, run: Run
) -> None:
    status, out, err = run("fsck", "--verify-content", "-o", "json")
    found = json.loads(out)
    assert status == 0, err
    assert found["bytesVerified"] == found["bytes"] > 0
    assert "read and hashed" in err

    async def garble(opened: Connection) -> None:
        content = Objects(opened, blob_rows.CONTAINER)
        async for page in content.contents(blob_rows.UPLOADS):
            each = next(each for each in page.objects if each.size == LAYER_BYTES)
            await content.remove(each.name)
            await content.put(each.name, b"x" * each.size, each.metadata)

    change(azurite, garble)
    assert run("fsck")[0] == 0
    status, out, err = run("fsck", "--verify-content", "-o", "json")
    assert status == 1, err
    (finding,) = json.loads(out)["findings"]
    assert finding["invariant"] == "I17"
    assert not finding["canBeMended"]


@pytest.mark.parametrize("name", ["keys/upload-state.json", "keys/tokens.json"])
def test_a_document_that_cannot_be_read_is_named(
    azurite: Azurite, registry: httpx.Client, run: Run, name: str
) -> None:
    assert registry.get("/oauth2/token?service=x&scope=y").status_code < 500

    async def garble(opened: Connection) -> None:
        documents = Documents(opened, CONTAINER)
        found = await documents.read(name)
        await documents.write(name, b"garbled", found[1] if found else "")

    change(azurite, garble)
    status, out, err = run("fsck", "-o", "json")
    assert status == 1, err
    (finding,) = json.loads(out)["findings"]
    assert (finding["invariant"], finding["key"]) == ("I19", name)
    assert not finding["canBeMended"]
    assert finding["advice"]


def test_storage_without_a_registry_is_said(azurite: Azurite, run: Run) -> None:
    status, _, err = run("fsck")
    assert status == 1
    assert "there is no registry in this storage" in err
