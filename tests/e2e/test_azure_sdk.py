"""The unmodified `azure-containerregistry` SDK, sync and async, with a registry over TLS.

It signs in by exchanging a token of Entra ID, percent-encodes names and digests, uploads in parts
of 4 MiB, and downloads by ranges. Every public method of it is called here.
"""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from azure.containerregistry import ArtifactManifestOrder, ArtifactTagOrder, ArtifactTagProperties
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from tests.e2e import azure_sdk
from tests.e2e.azure_sdk import FLAVOURS, Sdk, everything, pages, public_methods
from tests.e2e.images import DOCKER_MANIFEST, OCI_CONFIG, Image, digest_of, incompressible
from tests.e2e.process import CommandError, run
from tests.e2e.registry import ROOT, Registry
from tests.e2e.world import Somebody, World

LOCKS = ("can_delete", "can_write", "can_read", "can_list")
LOCKED, UNLOCKED = dict.fromkeys(LOCKS, False), dict.fromkeys(LOCKS, True)
MIB = 1024 * 1024


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def owner(world: World) -> Somebody:
    """Somebody who may do everything, everywhere."""
    return Somebody(world.issuer, world.assign("Owner", "*"))


# The SDK gives up answers before their end. When Python collects their connections is chance,
# perhaps within the test. What is left is collected after the test, so that no other one meets it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed (<ssl|<socket|transport|connection):ResourceWarning"
)


@pytest.fixture(autouse=True)
def _leftovers() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
async def sdk(
    request: pytest.FixtureRequest, flavour: str, world: World, owner: Somebody
) -> AsyncIterator[Sdk]:
    """The owner's client; what the test is marked to call, it has to have called at its end."""
    async with _sdk(world, flavour, owner) as client:
        yield client
        assert client.called >= _marked(request.function)


def _marked(function: Any) -> set[str]:
    """The methods of the SDK that a test is marked to call."""
    marks = getattr(function, "pytestmark", [])
    return {name for mark in marks if mark.name == "calls" for name in mark.args}


def test_every_public_method_of_the_sdk_is_called_by_a_test(flavour: str) -> None:
    tests = [each for name, each in vars(sys.modules[__name__]).items() if name.startswith("test_")]
    called = set[str]().union(*map(_marked, tests))
    assert len(called) > 10
    assert called == public_methods(flavour)


@pytest.fixture
def registry(world: World) -> Registry:
    return world.registry


@pytest.fixture
def repository() -> str:
    return f"library/{uuid.uuid4().hex[:8]}"


@pytest.fixture
def images(registry: Registry, repository: str) -> list[Image]:
    """Three images, which are tagged one after the other."""
    platform = {"architecture": "amd64", "os": "linux"}
    made = [Image([], {**platform, "os.version": str(number)}) for number in range(3)]
    for number, image in enumerate(made):
        registry.push_image(repository, f"v{number}", image)
    return made


def _sdk(world: World, flavour: str, somebody: Somebody, **options: str) -> Sdk:
    trusted = str(world.issuer.ca_file)
    address = world.registry.address
    return Sdk(flavour, address, somebody, connection_verify=trusted, **options)


def _locks(found: object) -> dict[str, bool]:
    return {lock: getattr(found, lock) for lock in LOCKS}


@pytest.mark.calls("list_repository_names")
async def test_repositories_are_listed_page_by_page(
    sdk: Sdk, registry: Registry, repository: str, images: list[Image]
) -> None:
    for name in ("a", "b", "c"):
        registry.push_image(f"{repository}/{name}", "v1", images[0])
    wanted = {repository, *(f"{repository}/{name}" for name in ("a", "b", "c"))}
    found = await pages(await sdk.list_repository_names(results_per_page=2))
    assert all(len(page) <= 2 for page in found)
    names = [name for page in found for name in page]
    assert names == sorted(names)
    assert wanted <= set(names)
    assert names == await everything(await sdk.list_repository_names())


@pytest.mark.calls("get_repository_properties", "update_repository_properties", "delete_repository")
async def test_a_repository_is_read_locked_unlocked_and_deleted(
    sdk: Sdk, repository: str, images: list[Image]
) -> None:
    found = await sdk.get_repository_properties(repository)
    assert (found.name, found.manifest_count, found.tag_count) == (repository, 3, 3)
    assert found.created_on < found.last_updated_on
    assert _locks(await sdk.update_repository_properties(repository, **LOCKED)) == LOCKED
    with pytest.raises(HttpResponseError) as raised:
        await sdk.delete_repository(repository)
    assert raised.value.status_code == 405
    assert _locks(await sdk.update_repository_properties(repository, **UNLOCKED)) == UNLOCKED
    await sdk.delete_repository(repository)
    with pytest.raises(ResourceNotFoundError):
        await sdk.get_repository_properties(repository)
    # One that is not there is as good as deleted to the SDK.
    await sdk.delete_repository(repository)
    assert images


@pytest.mark.calls("list_tag_properties")
@pytest.mark.parametrize("size", [None, 1, 2])
async def test_tags_are_listed_by_name_and_by_time(
    sdk: Sdk, repository: str, images: list[Image], size: int | None
) -> None:
    names = [f"v{number}" for number in range(len(images))]
    expected = {
        None: names,
        ArtifactTagOrder.LAST_UPDATED_ON_ASCENDING: names,
        ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING: names[::-1],
    }
    for order, wanted in expected.items():
        options = {"order_by": order} if order else {}
        listing = await sdk.list_tag_properties(repository, results_per_page=size, **options)
        found = await everything(listing)
        assert [each.name for each in found] == wanted
        times = [each.last_updated_on for each in found]
        assert len(set(times)) == len(times)
        assert times == sorted(times, reverse=wanted is not names)


@pytest.mark.calls("get_tag_properties", "update_tag_properties", "delete_tag")
async def test_a_tag_is_read_locked_unlocked_and_deleted(
    sdk: Sdk, repository: str, images: list[Image]
) -> None:
    found = await sdk.get_tag_properties(repository, "v1")
    assert (found.name, found.digest) == ("v1", images[1].digest)
    assert found.created_on == found.last_updated_on
    assert _locks(await sdk.update_tag_properties(repository, "v1", **LOCKED)) == LOCKED
    listed = await everything(await sdk.list_tag_properties(repository))
    assert [each.name for each in listed] == ["v0", "v2"]
    with pytest.raises(HttpResponseError) as raised:
        await sdk.delete_tag(repository, "v1")
    assert raised.value.status_code == 405
    # The other form of the call: what is set comes in an object.
    wanted = ArtifactTagProperties(**UNLOCKED)  # type: ignore[no-untyped-call]
    assert _locks(await sdk.update_tag_properties(repository, "v1", wanted)) == UNLOCKED
    await sdk.delete_tag(repository, "v1")
    with pytest.raises(ResourceNotFoundError):
        await sdk.get_tag_properties(repository, "v1")
    left = await sdk.get_manifest_properties(repository, images[1].digest)
    assert left.tags in (None, [])


@pytest.mark.calls("list_manifest_properties")
@pytest.mark.parametrize("size", [None, 1, 2])
async def test_manifests_are_listed_by_digest_and_by_time(
    sdk: Sdk, repository: str, images: list[Image], size: int | None
) -> None:
    digests = [image.digest for image in images]
    expected = {
        None: sorted(digests),
        ArtifactManifestOrder.LAST_UPDATED_ON_ASCENDING: digests,
        ArtifactManifestOrder.LAST_UPDATED_ON_DESCENDING: digests[::-1],
    }
    for order, wanted in expected.items():
        options = {"order_by": order} if order else {}
        listing = await sdk.list_manifest_properties(repository, results_per_page=size, **options)
        assert [(each.digest, each.tags) for each in await everything(listing)] == [
            (digest, [f"v{digests.index(digest)}"]) for digest in wanted
        ]


@pytest.mark.calls("get_manifest_properties", "update_manifest_properties", "delete_manifest")
async def test_a_manifest_is_read_locked_unlocked_and_deleted(
    sdk: Sdk, repository: str, images: list[Image]
) -> None:
    """By tag as well: the SDK asks for the tag's digest first."""
    digest = images[2].digest
    by_tag = await sdk.get_manifest_properties(repository, "v2")
    found = await sdk.get_manifest_properties(repository, digest)
    assert (found.digest, found.tags, found.repository_name) == (digest, ["v2"], repository)
    assert (by_tag.digest, by_tag.last_updated_on) == (digest, found.last_updated_on)
    assert (found.architecture, found.operating_system) == ("amd64", "linux")
    assert _locks(await sdk.update_manifest_properties(repository, "v2", **LOCKED)) == LOCKED
    with pytest.raises(HttpResponseError) as raised:
        await sdk.delete_manifest(repository, "v2")
    assert raised.value.status_code == 405
    assert _locks(await sdk.update_manifest_properties(repository, digest, **UNLOCKED)) == UNLOCKED
    await sdk.delete_manifest(repository, "v2")
    with pytest.raises(ResourceNotFoundError):
        await sdk.get_manifest_properties(repository, digest)
    assert (await sdk.get_repository_properties(repository)).manifest_count == 2


@pytest.mark.calls("upload_blob", "download_blob", "delete_blob")
@pytest.mark.parametrize("size", [1, 4 * MIB, 9 * MIB], ids=["a byte", "one part", "three parts"])
async def test_a_blob_is_uploaded_downloaded_and_deleted(
    sdk: Sdk, repository: str, size: int
) -> None:
    content = incompressible(size, repository)
    assert await sdk.upload_blob(repository, io.BytesIO(content)) == (digest_of(content), size)
    found = await sdk.download_blob(repository, digest_of(content))
    assert b"".join(await everything(found)) == content
    await sdk.delete_blob(repository, digest_of(content))
    with pytest.raises(ResourceNotFoundError):
        await sdk.download_blob(repository, digest_of(content))
    # One that is not there is as good as deleted to the SDK.
    await sdk.delete_blob(repository, digest_of(content))


@pytest.mark.calls("set_manifest", "get_manifest")
async def test_a_manifest_is_pushed_and_pulled_by_tag_and_by_digest(
    sdk: Sdk, repository: str
) -> None:
    digest, size = await sdk.upload_blob(repository, io.BytesIO(b"blob"))
    part = {"digest": digest, "size": size, "mediaType": "application/octet-stream"}
    # As the SDK's own tests have it: a config without a size, and no mediaType.
    config = {"digest": digest, "sizeInBytes": size, "mediaType": OCI_CONFIG}
    manifest = {"schemaVersion": 2, "config": config, "layers": [part]}
    tagged = await sdk.set_manifest(repository, manifest, tag="1")
    found = await sdk.get_manifest(repository, "1")
    assert (found.digest, found.manifest) == (tagged, manifest)

    image = Image([], docker_format=True)
    await sdk.upload_blob(repository, io.BytesIO(image.config))
    untagged = await sdk.set_manifest(
        repository, io.BytesIO(image.manifest), media_type=DOCKER_MANIFEST
    )
    assert untagged == image.digest
    found = await sdk.get_manifest(repository, untagged)
    assert (found.media_type, found.manifest) == (DOCKER_MANIFEST, json.loads(image.manifest))

    with pytest.raises(HttpResponseError) as raised:
        await sdk.set_manifest(repository, io.BytesIO(image.manifest), tag="1")
    assert raised.value.status_code == 400


@pytest.mark.calls("close")
async def test_a_client_that_is_closed_asks_nothing_more(
    sdk: Sdk, repository: str, images: list[Image]
) -> None:
    assert (await sdk.get_tag_properties(repository, "v0")).digest == images[0].digest
    await sdk.close()
    with pytest.raises(ValueError, match="closed"):
        await sdk.get_tag_properties(repository, "v0")


async def test_an_older_version_of_the_api_is_the_same(
    world: World, owner: Somebody, flavour: str, repository: str, images: list[Image]
) -> None:
    async with _sdk(world, flavour, owner, api_version="2019-08-15-preview") as client:
        assert (await client.get_tag_properties(repository, "v0")).digest == images[0].digest


async def test_those_who_may_only_pull_push_or_nothing_are_held_to_it(
    world: World, flavour: str, repository: str, images: list[Image]
) -> None:
    pusher = Somebody(world.issuer, world.assign("AcrPush", repository))
    puller = Somebody(world.issuer, world.assign("AcrPull", repository))
    stranger = Somebody(world.issuer, str(uuid.uuid4()))
    async with _sdk(world, flavour, pusher) as client:
        await client.upload_blob(repository, io.BytesIO(b"x"))
        with pytest.raises(ClientAuthenticationError):
            await client.delete_tag(repository, "v0")
    async with _sdk(world, flavour, puller) as client:
        assert (await client.get_manifest(repository, "v0")).digest == images[0].digest
        with pytest.raises(ClientAuthenticationError):
            await client.upload_blob(repository, io.BytesIO(b"x"))
    async with _sdk(world, flavour, stranger) as client:
        with pytest.raises(ClientAuthenticationError):
            await client.get_manifest(repository, "v0")


def test_without_a_credential_only_what_is_open_is_pulled(
    world: World, flavour: str, repository: str, images: list[Image]
) -> None:
    world.registry.push_image(f"public/{repository}", "v0", images[0])
    trusted = str(world.issuer.ca_file)
    trusting = {**os.environ, "SSL_CERT_FILE": trusted, "REQUESTS_CA_BUNDLE": trusted}
    pull = (sys.executable, "-m", azure_sdk.__name__, flavour, world.registry.address)
    pulled = run([*pull, f"public/{repository}", "v0"], env=trusting, cwd=ROOT)
    assert pulled.text == images[0].digest
    with pytest.raises(CommandError, match="ClientAuthenticationError"):
        run([*pull, repository, "v0"], env=trusting, cwd=ROOT)
