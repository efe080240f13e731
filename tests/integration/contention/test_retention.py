"""Retention beside many who push to the repository: all are served, and it gets its work done."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from devhost.processes.azurite import Azurite
from registry_core.errors import Unavailable
from registry_core.settings import AdminSettings, Settings, StorageSettings
from registry_core.storage.connection import Connection
from tests.integration.conftest import TALLY
from tests.integration.contention.cluster import SIZES, Cluster, Request, variants
from tests.integration.contention.stored import misplaced, of_kind, rows_of
from tests.integration.core.retention.support import Retaining
from tests.integration.core.support import Client, Image, connect

WAVES = 3
AVERAGE_CALLS = 12
"""Of one push; alone it takes 7."""


@pytest.fixture
async def keeper(azurite: Azurite) -> AsyncIterator[Client]:
    """Another process: retention runs there."""
    settings = Settings(
        storage=StorageSettings(azurite.connection_string),
        admin=AdminSettings("admin", (secrets.token_urlsafe(32),)),
    )
    async with connect(settings) as connected:
        yield connected


async def retain(keeper: Client, repository: str, until: asyncio.Event) -> Counter[str]:
    """Takes what has no tag, again and again, and at last when nobody pushes any more."""
    done = Counter[str]()
    is_last = False
    while not is_last:
        is_last = until.is_set()
        done["visits"] += 1
        try:
            visit = await Retaining(keeper, repository).visit()
        except Unavailable:
            assert not is_last
            done["given up"] += 1
        else:
            done["gone"] += len(visit.gone)
            done["gone beside pushes"] += 0 if is_last else len(visit.gone)
    return done


@pytest.mark.rule("K5")
@pytest.mark.parametrize("clients", SIZES)
async def test_retention_beside_many_who_push_takes_what_has_no_tag_and_keeps_nobody_waiting(
    cluster: Cluster,
    storage: Connection,
    repository: str,
    keeper: Client,
    clients: int,
    record_property: Callable[[str, object], None],
) -> None:
    """Each client moves a tag of its own: what it leaves has none."""
    image = Image.make()
    await cluster.push_blobs(repository, image)
    tags = [f"v{number}" for number in range(clients)]
    last = variants(image, clients)
    await asyncio.gather(*(cluster.must(push) for push in pushes(repository, tags, last)))
    is_over = asyncio.Event()
    retaining = asyncio.create_task(retain(keeper, repository, is_over))
    try:
        for _ in range(WAVES):
            last = variants(image, clients)
            replies = await cluster.at_once(pushes(repository, tags, last))
            assert replies.statuses == {201: clients}, str(replies)
            assert replies.average_calls <= AVERAGE_CALLS, str(replies)
    finally:
        is_over.set()
        done = await retaining
    record_property(TALLY, f"retention beside {clients}: {dict(done)}")
    assert done["gone"] == WAVES * clients
    for tag, each in zip(tags, last, strict=True):
        assert (await cluster.send(Request.get(repository, tag))).content == each.manifest
    stored = await rows_of(storage, repository)
    assert of_kind(stored, "m:").keys() == {each.digest for each in last}
    assert misplaced(stored) == []


def pushes(repository: str, tags: list[str], images: list[Image]) -> list[Request]:
    """One for each tag."""
    return [
        Request.put_manifest(repository, tag, each.manifest)
        for tag, each in zip(tags, images, strict=True)
    ]
