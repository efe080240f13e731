"""Two server processes on a storage account of their own; a test has one of them, or both."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from tests.integration.conftest import TALLY
from tests.integration.contention.cluster import Cluster, clients_of

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = secrets.token_urlsafe(32)


@pytest.fixture(scope="package")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("contention")) as running:
        yield running


def host(azurite: Azurite) -> HostProcess:
    """A server process on that storage."""
    environment = {
        "RegistryStorage": azurite.connection_string,
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
        "REGISTRY_RATE_LIMITS": "off",
    }
    return HostProcess(ROOT, environment)


@pytest.fixture(scope="package")
def hosts(azurite: Azurite) -> Iterator[list[HostProcess]]:
    with host(azurite) as one, host(azurite) as two:
        yield [one, two]


@pytest.fixture(params=[1, 2], ids=["one-process", "two-processes"])
async def cluster(
    request: pytest.FixtureRequest,
    hosts: list[HostProcess],
    record_property: Callable[[str, object], None],
) -> AsyncIterator[Cluster]:
    """The registry as one process serves it, and as two do."""

    def show(counted: str) -> None:
        record_property(TALLY, f"{request.node.name}: {counted}")

    async with clients_of(hosts[: request.param], PASSWORD, show) as connected:
        for client in range(request.param):
            answer = await connected.server(client).http.get("/v2/")
            assert answer.status_code == 200
        yield connected


@pytest.fixture
async def storage(azurite: Azurite) -> AsyncIterator[Connection]:
    """The storage below, for what no client can see or spoil."""
    connection = Connection(StorageSettings(azurite.connection_string), CallHook())
    yield connection
    await connection.close()


@pytest.fixture
def repository() -> str:
    """A name that no other test uses: they share one storage account."""
    return f"team/{secrets.token_hex(4)}/web"
