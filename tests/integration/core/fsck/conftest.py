"""A storage account of their own: others leave things broken on purpose."""

from collections.abc import Iterator

import pytest

from devhost.processes.azurite import Azurite
from tests.integration.core.fsck.breakages import Shelf
from tests.integration.core.support import Client


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
async def shelf(client: Client, repository: str) -> Shelf:
    """A repository in which something can be broken."""
    return await Shelf.fill(client, repository)
