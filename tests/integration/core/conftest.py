"""A registry on a real Azurite, called through its edge in this process."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from devhost.processes.azurite import Azurite
from registry_core.settings import AdminSettings, Settings, StorageSettings
from tests.integration.core.support import Client, connect

PASSWORD = secrets.token_urlsafe(32)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def settings(azurite: Azurite) -> Settings:
    return Settings(
        storage=StorageSettings(azurite.connection_string),
        login_servers=("localhost:7071", "127.0.0.1:7071"),
        admin=AdminSettings("admin", (PASSWORD,)),
        cache_ttl=timedelta(seconds=60),
    )


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """A client of a registry of its own: as a fresh process, with nothing in its caches."""
    async with connect(settings) as connected:
        yield connected


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[Client]:
    """A client of a second instance on the same storage."""
    async with connect(settings) as connected:
        yield connected


@pytest.fixture
def repository() -> str:
    """A name that no other test uses: they share one storage account."""
    return f"team/{secrets.token_hex(4)}/web"
