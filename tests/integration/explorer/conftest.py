"""A storage account of the explorer's own: it fills it with thousands of repositories."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from devhost.processes.azurite import Azurite
from registry_core.settings import AdminSettings, Settings, StorageSettings


@pytest.fixture(scope="module")
def module_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with Azurite(tmp_path_factory.mktemp("explorer")) as azurite:
        yield Settings(
            storage=StorageSettings(azurite.connection_string),
            admin=AdminSettings("admin", (secrets.token_urlsafe(32),)),
            rate_limits=None,  # More requests a minute than any client makes.
        )
