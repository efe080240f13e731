"""The first request on empty storage, by many instances at once, and on storage of another kind."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from devhost.processes.azurite import Azurite
from registry_core import __version__, system
from registry_core.http import health
from registry_core.http.surfaces import SURFACES
from registry_core.registry import Registry
from registry_core.repositories import catalog
from registry_core.settings import Settings, StorageSettings
from registry_core.storage.tables import merge
from registry_core.system import SchemaError
from tests.integration.core.support import all_rows, connect
from tests.routes import path_of

ROUTES = [
    (surface, route)
    for surface in SURFACES
    for route in surface.routes
    if route.needs_storage  # The page is served without.
]


@pytest.fixture
def empty(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a storage account where nothing is."""
    with Azurite(tmp_path_factory.mktemp("empty")) as azurite:
        yield replace(settings, storage=StorageSettings(azurite.connection_string))


async def test_instances_that_start_at_once_on_empty_storage_agree_on_the_key(
    empty: Settings,
) -> None:
    registries = [Registry(empty) for _ in range(4)]
    try:
        await asyncio.gather(*(registry.open() for registry in registries))
    finally:
        await asyncio.gather(*(registry.close() for registry in registries))
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(connect(empty)) for _ in range(2)]
        location = await one.begin("team/app")
        assert (await two.patch(location, b"abc")).status_code == 202


@pytest.mark.parametrize("version", [system.SCHEMA_VERSION - 1, 999])
async def test_storage_of_an_unknown_schema_is_refused_and_not_touched(
    empty: Settings, version: int
) -> None:
    sentence = (
        f"storage has schema version {version}, but this release needs version "
        f"{system.SCHEMA_VERSION}: deploy the release that wrote it"
    )
    async with connect(empty) as client:
        table = client.services.connection.table(catalog.TABLE)
        await table.transact(system.SCHEMA_PARTITION, [merge(system.SCHEMA, Version=version)])
        before = await all_rows(client, catalog.TABLE, system.SCHEMA_PARTITION)
        async with connect(empty, is_cold=True) as cold:
            with pytest.raises(SchemaError, match=sentence):
                await cold.registry.open()
            healthy = await health.Health().get(cold.registry)
            assert (healthy.status_code, bytes(healthy.body)) == (503, f"{sentence}\n".encode())
            for surface, route in ROUTES:
                answer = await cold.send(route.method, f"{surface.prefix}{path_of(route)}")
                assert answer.status_code == 503, (route, answer.text)
                assert int(answer.headers["retry-after"]) > 0
                if route.method != "HEAD":
                    assert answer.json()["errors"][0]["message"] == sentence
        assert await all_rows(client, catalog.TABLE, system.SCHEMA_PARTITION) == before


async def test_the_first_line_that_an_instance_logs_tells_its_version(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "slipway"):
        async with connect(settings):
            pass
    first = json.loads(caplog.messages[0])
    assert (first["Category"], first["Version"]) == ("Opening", __version__)


async def test_opening_storage_that_exists_takes_one_round(settings: Settings) -> None:
    async with connect(settings):
        pass
    registry = Registry(settings)
    try:
        await registry.open()
        assert registry.hook.total == 2
        await registry.open()
        assert registry.hook.total == 2
    finally:
        await registry.close()
