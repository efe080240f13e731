"""A registry whose host takes no body above 16 MiB, and ways to it that do harm."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from slipway_cli.registry.credential_files import Credential, Found
from slipway_cli.registry.credentials import SignIn
from slipway_cli.registry.server import Server
from slipway_cli.relay.upstream import Upstream
from tests.integration.cli.shelf import Shelf
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[4]
MIB = 1024 * 1024
LIMIT = 16 * MIB
_LINE = re.compile(r'\{"Category":".*\}')


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns once it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


@dataclass
class Limited:
    """A registry behind a host with a limit for bodies."""

    storage: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    port: int = 0

    def __post_init__(self) -> None:
        self._output = ""
        self._host = self._start()
        self.port = int(self.url.rpartition(":")[2])

    def _start(self) -> HostProcess:
        settings = {
            "RegistryStorage": self.storage,
            "REGISTRY_ADMIN_USER_ENABLED": "on",
            "REGISTRY_ADMIN_USERNAME": "admin",
            "REGISTRY_ADMIN_PASSWORD": self.password,
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(LIMIT),
        }
        return HostProcess(ROOT, settings, port=self.port)

    @property
    def url(self) -> str:
        return self._host.base_url

    @property
    def shelf(self) -> Shelf:
        """The admin, who asks the registry itself."""
        return Shelf(self.url.removeprefix("http://"), self.password)

    def lines(self) -> list[dict[str, Any]]:
        """What its log tells of requests."""
        found = map(_LINE.search, (self._output + self._host.output).splitlines())
        return [json.loads(each[0]) for each in found if each]

    def wait_for(self, is_it: Callable[[dict[str, Any]], bool]) -> None:
        """Returns once the log has a line of that kind."""
        wait_until(lambda: any(map(is_it, self.lines())))

    def requests(self, repository: str, method: str) -> list[tuple[int, int]]:
        """Status and octets of the body of the requests to a repository, by method."""
        return [
            (int(line["ResultDescription"]), line.get("BytesIn", 0))
            for line in self.lines()
            if line.get("Repository") == repository and line.get("Method") == method
        ]

    def kill(self) -> None:
        """Ends its process, as a crash does."""
        self._output += self._host.output
        self._host.kill()
        self._host.stop()

    def start(self) -> None:
        """Starts it again, at the same address."""
        self._host = self._start()

    def close(self) -> None:
        self._host.stop()


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    with (
        Azurite(tmp_path_factory.mktemp("azurite")) as azurite,
        contextlib.closing(Limited(azurite.connection_string)) as registry,
    ):
        yield registry


Connect = Callable[..., AbstractAsyncContextManager[Upstream]]


@pytest.fixture
def connect(limited: Limited) -> Connect:
    """Signs in as the admin, at an address of the registry; does not wait between tries."""

    @asynccontextmanager
    async def call(url: str = "", chunk: int | None = None) -> AsyncIterator[Upstream]:
        found = Found(Credential("admin", limited.password), "a test")
        server = Server.parse(url or limited.url)
        async with Upstream.open(server, SignIn(found), told.append, chunk) as upstream:
            upstream.sleep = lambda _: asyncio.sleep(0)
            yield upstream

    told: list[str] = []
    return call


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository of the test's own."""
    return re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
