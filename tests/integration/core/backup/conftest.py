"""Registries of their own, each in a storage account of its own, of two emulators."""

from __future__ import annotations

import itertools
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from devhost.processes.azurite import Azurite
from registry_core.settings import AdminSettings, Settings, StorageSettings
from tests.integration.core.support import Client, connect

PASSWORD = secrets.token_urlsafe(32)
_KEY = b64encode(secrets.token_bytes(64)).decode()
_COUNT = 600


@dataclass
class Accounts:
    """The accounts of one emulator: nobody gets one twice."""

    azurite: Azurite
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def fresh(self) -> Settings:
        """The settings of a registry that does not exist yet."""
        name = f"account{next(self.numbers)}"
        endpoints = "".join(
            f"{service}Endpoint=http://127.0.0.1:{port}/{name};"
            for service, port in (
                ("Blob", self.azurite.blob_port),
                ("Queue", self.azurite.queue_port),
                ("Table", self.azurite.table_port),
            )
        )
        connection = f"AccountName={name};AccountKey={_KEY};{endpoints}"
        return Settings(
            storage=StorageSettings(connection),
            admin=AdminSettings("admin", (PASSWORD,)),
            cache_ttl=timedelta(0),
            blob_redirect=False,
            rate_limits=None,
        )

    def client(self) -> AbstractAsyncContextManager[Client]:
        return connect(self.fresh())


def emulator(path: Path) -> Azurite:
    """An emulator that has all the accounts; others that are started later have their own."""
    names = ";".join(f"account{number}:{_KEY}" for number in range(_COUNT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURITE_ACCOUNTS", names)
        return Azurite(path)


def _accounts(path: Path) -> Iterator[Accounts]:
    with emulator(path) as azurite:
        yield Accounts(azurite)


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    yield from _accounts(tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="session")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    yield from _accounts(tmp_path_factory.mktemp("there"))


@pytest.fixture
async def client(here: Accounts) -> AsyncIterator[Client]:
    """A client of a registry that holds nothing else."""
    async with here.client() as connected:
        yield connected


@pytest.fixture
async def target(there: Accounts) -> AsyncIterator[Client]:
    """A client of another registry, which is empty: of another emulator."""
    async with there.client() as connected:
        yield connected
