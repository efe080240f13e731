from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from tests.integration.devhost.octets import exchange

APP = Path(__file__).parent / "app"
BODY_LIMIT = 4 * 1024 * 1024
Talk = Callable[..., tuple[int, bytes]]


@pytest.fixture(scope="session")
def app_dir() -> Path:
    return APP


@pytest.fixture(scope="session")
def body_limit() -> int:
    return BODY_LIMIT


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """Serve the app of these tests, which needs no storage."""
    environment = {
        "RegistryStorage": "none",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(BODY_LIMIT),
        # Where the bodies go: nothing may be left there.
        "TMPDIR": str(tmp_path_factory.mktemp("spool")),
    }
    with HostProcess(APP, environment) as process:
        yield process


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def talk(host: HostProcess) -> Talk:
    """Send octets on a connection of their own; return the status and the body of the answer."""
    return partial(exchange, host.base_url)
