"""What is changed by one process counts in another within `REGISTRY_CACHE_TTL`, by the clock.

The other is a server of its own that has everything in its memory. No pull that it was sent later
than that after the change may be answered as before.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from tests.integration.core.auth.test_sign_in import basic, make_token
from tests.integration.core.support import Client
from tests.integration.core.test_staleness import BLOB, CHANGES, MANIFEST, Scene, scene

__all__ = ["scene"]

ROOT = Path(__file__).resolve().parents[3]
TTL = 1.0
"""Seconds."""


@pytest.fixture(scope="module")
def server(azurite: Azurite) -> Iterator[HostProcess]:
    environment = {
        "RegistryStorage": azurite.connection_string,
        "REGISTRY_ADMIN_PASSWORD": secrets.token_urlsafe(32),
        "REGISTRY_CACHE_TTL": f"{TTL:.0f}s",
        "REGISTRY_RATE_LIMITS": "off",
    }
    with HostProcess(ROOT, environment) as running:
        yield running


@pytest.mark.rule("S2", "S10", "R1", "L6")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
async def test_no_pull_is_answered_as_before_once_the_caches_life_is_over(
    scene: Scene, client: Client, server: HostProcess, change: Callable[[Scene], Awaitable[None]]
) -> None:
    password = await make_token(
        scene.access, scene.name, f"repositories/{scene.repository}/content/read"
    )
    paths = {
        MANIFEST: f"/v2/{scene.repository}/manifests/{scene.image.digest}",
        BLOB: f"/v2/{scene.repository}/blobs/{scene.loose}",
    }
    before = {MANIFEST: 200, BLOB: 307}
    async with httpx.AsyncClient(base_url=server.base_url, timeout=60) as http:
        signed_in = await http.get(
            f"/oauth2/token?scope=repository:{scene.repository}:pull",
            headers={"Authorization": basic(scene.name, password)},
        )
        assert signed_in.status_code == 200, signed_in.text
        bearer = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}

        async def pull() -> dict[str, int]:
            return {
                what: (await http.get(path, headers=bearer)).status_code
                for what, path in paths.items()
            }

        assert await pull() == before
        await change(scene)
        changed = time.monotonic()
        while True:
            begun = time.monotonic()
            found = await pull()
            if begun - changed > TTL:
                break
            # Nothing between the two: as before, or as it is now.
            for what, status in found.items():
                assert status in (before[what], CHANGES[change][what])
    assert found == CHANGES[change]
