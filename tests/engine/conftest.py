"""The real function app under the production engine, on a real Azurite."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from devhost.processes.azurite import Azurite
from tests.engine.host import EngineHost
from tests.engine.process import ROOT

TRIGGERS_APP = Path(__file__).parent / "app"
PASSWORD = secrets.token_urlsafe(32)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The app settings of a registry on storage of its own."""
    with Azurite(tmp_path_factory.mktemp("azurite")) as azurite:
        yield {
            "RegistryStorage": azurite.connection_string,
            "REGISTRY_LOGIN_SERVERS": "registry.test,we.registry.test",
            "REGISTRY_ADMIN_USER_ENABLED": "on",
            "REGISTRY_ADMIN_USERNAME": "admin",
            "REGISTRY_ADMIN_PASSWORD": PASSWORD,
        }


@pytest.fixture(scope="session")
def registry(
    settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineHost]:
    """The function app as it is deployed."""
    with EngineHost(ROOT, settings, tmp_path_factory.mktemp("registry") / "engine.log") as host:
        yield host


@pytest.fixture(scope="session")
def triggers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineHost]:
    """The app beside this file: triggers and faults that the registry does not have."""
    log = tmp_path_factory.mktemp("triggers") / "engine.log"
    with EngineHost(TRIGGERS_APP, {}, log) as host:
        yield host


@pytest.fixture
def client(registry: EngineHost) -> Iterator[httpx.Client]:
    """A client of the registry, signed in. Whatever it asks for, no invocation may fail."""
    with httpx.Client(
        base_url=registry.base_url, auth=("admin", PASSWORD), timeout=60.0
    ) as connected:
        yield connected
    assert registry.failures == []
