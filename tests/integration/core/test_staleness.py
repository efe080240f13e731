"""What one instance has changed counts on another within `REGISTRY_CACHE_TTL`.

The other has everything in its memory: it answers a pull by digest without a storage call.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry_core.access.generation import new_generation
from registry_core.access.store import Access
from registry_core.access.tokens import StoredToken, new_password
from registry_core.model.digest import Digest
from registry_core.storage.cache import Cache
from tests.integration.core.auth.test_sign_in import Guest, basic, make_token
from tests.integration.core.repositories.test_lock import set_attributes
from tests.integration.core.support import Client, Image


@dataclass
class Scene:
    """An image and a blob, somebody with a token of their own, and who changes what is there."""

    client: Client
    access: Access
    repository: str
    name: str
    image: Image
    loose: str
    """The digest of a blob that no manifest needs."""

    async def stored(self) -> StoredToken:
        token = await self.access.token(self.name)
        assert token
        return token

    async def lock(self, target: Digest | None = None) -> None:
        await set_attributes(self.client, self.repository, target, ReadEnabled=False)

    async def delete(self, path: str) -> None:
        answer = await self.client.send("DELETE", f"/v2/{self.repository}/{path}")
        assert answer.status_code == 202, answer.text


async def _disable_the_token(scene: Scene) -> None:
    disabled = replace(await scene.stored(), enabled=False, generation=new_generation())
    await scene.access.replace_token(disabled)


async def _delete_the_token(scene: Scene) -> None:
    await scene.access.delete_token(await scene.stored())


async def _renew_the_password(scene: Scene) -> None:
    password, _ = new_password("password1", None, datetime.now(UTC))
    await scene.access.replace_token(replace(await scene.stored(), passwords=(password,)))


async def _narrow_the_scope_map(scene: Scene) -> None:
    found = await scene.access.scope_map(f"{scene.name}-map")
    assert found
    narrow = replace(found.scope_map, actions=(f"repositories/{scene.repository}/metadata/read",))
    await scene.access.replace_scope_map(found, narrow)


async def _remove_the_scope_map(scene: Scene) -> None:
    found = await scene.access.scope_map(f"{scene.name}-map")
    assert found
    await scene.access.delete_scope_map(found)


async def _lock_the_repository(scene: Scene) -> None:
    await scene.lock()


async def _lock_the_manifest(scene: Scene) -> None:
    await scene.lock(Digest.parse(scene.image.digest))


async def _delete_the_manifest(scene: Scene) -> None:
    await scene.delete(f"manifests/{scene.image.digest}")


async def _delete_the_blob(scene: Scene) -> None:
    await scene.delete(f"blobs/{scene.loose}")


MANIFEST, BLOB = "a manifest", "a blob"
CHANGES: dict[Callable[[Scene], Awaitable[None]], dict[str, int]] = {
    _disable_the_token: {MANIFEST: 401, BLOB: 401},
    _delete_the_token: {MANIFEST: 401, BLOB: 401},
    _renew_the_password: {MANIFEST: 401, BLOB: 401},
    _narrow_the_scope_map: {MANIFEST: 401, BLOB: 401},
    _remove_the_scope_map: {MANIFEST: 401, BLOB: 401},
    _lock_the_repository: {MANIFEST: 405, BLOB: 405},
    _lock_the_manifest: {MANIFEST: 405, BLOB: 307},
    _delete_the_manifest: {MANIFEST: 404, BLOB: 307},
    _delete_the_blob: {MANIFEST: 200, BLOB: 404},
}
"""What the other instance answers to a pull, once the cache's life is over."""


@pytest.fixture
async def scene(client: Client, repository: str) -> Scene:
    access = Access(client.services.connection, Cache(timedelta(0)))
    image = await client.push_image(repository)
    loose = await client.push_blob(repository, b"loose " + repository.encode())
    name = "token-" + repository.replace("/", "-")
    return Scene(client, access, repository, name, image, loose)


def caches_of(value: Any, depth: int = 4) -> Iterator[Cache[Any]]:
    """Every cache that an instance's services hold, theirs and those of what they are made of."""
    for each in vars(value).values():
        if isinstance(each, Cache):
            yield each
        elif (
            depth
            and type(each).__module__.startswith("registry_core")
            and hasattr(each, "__dict__")
        ):
            yield from caches_of(each, depth - 1)


@pytest.mark.rule("S2", "S10", "R1", "L6")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
@pytest.mark.parametrize("means", ["a password", "an access token"])
async def test_what_is_changed_on_one_instance_counts_on_another_within_the_caches_life(
    scene: Scene, other: Client, change: Callable[[Scene], Awaitable[None]], means: str
) -> None:
    password = await make_token(
        scene.access, scene.name, f"repositories/{scene.repository}/content/read"
    )
    guest = Guest(other, basic(scene.name, password))
    if means == "an access token":
        guest = await guest.with_token(f"repository:{scene.repository}:pull")
    paths = {
        MANIFEST: f"/v2/{scene.repository}/manifests/{scene.image.digest}",
        BLOB: f"/v2/{scene.repository}/blobs/{scene.loose}",
    }
    for _ in range(2):
        answers = [await guest.ask("GET", path) for path in paths.values()]
        assert [answer.status_code for answer in answers] == [200, 307]
    assert [trace.count for trace in other.traces[-2:]] == [0, 0]
    await change(scene)
    later = time.monotonic() + other.services.settings.cache_ttl.total_seconds()
    caches = list(caches_of(other.services))
    assert {other.services.manifests._cache, other.services.blobs._cache} <= set(caches)
    for cache in caches:
        cache._now = lambda: later
    found = {what: (await guest.ask("GET", path)).status_code for what, path in paths.items()}
    expected = CHANGES[change]
    if means == "a password" and change in (_narrow_the_scope_map, _remove_the_scope_map):
        expected = dict.fromkeys(paths, 403)  # It is right still; there is nothing it may do.
    assert found == expected


async def test_every_cache_of_an_instance_is_found(other: Client) -> None:
    services = other.services
    expected = {
        services.manifests._cache,
        services.manifests._attributes,
        services.blobs._cache,
        services.signer._kept,
        services.sign_in._access._cache,
        services.sign_in._tokens._remembered,
    }
    assert expected <= set(caches_of(services))
