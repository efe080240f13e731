"""The unmodified `azure-containerregistry` SDK with a registry over TLS: what is below `/acr/v1`.

It signs in by exchanging a token of Entra ID, and percent-encodes names and digests.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator

import pytest
from azure.containerregistry import (
    ArtifactManifestOrder,
    ArtifactTagOrder,
    ContainerRegistryClient,
)
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from devhost.cert import CertificateDirectory
from tests.e2e.images import Image
from tests.e2e.process import run
from tests.e2e.registry import ROOT, Registry
from tests.entra_issuer import ACR, EntraIssuer

LOCKS = ("can_delete", "can_write", "can_read", "can_list")


class Somebody(TokenCredential):
    """A credential of azure-identity's kind, for an object id in Entra ID."""

    def __init__(self, issuer: EntraIssuer, object_id: str) -> None:
        self._issuer = issuer
        self._object_id = object_id

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        assert scopes == (f"{ACR}/.default",)
        return AccessToken(self._issuer.token(self._object_id), int(time.time()) + 3600)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EntraIssuer]:
    folder = tmp_path_factory.mktemp("certificates")
    CertificateDirectory(folder).ensure()
    with EntraIssuer(folder) as started:
        yield started


@pytest.fixture(scope="module")
def registry(issuer: EntraIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    started = Registry(
        tmp_path_factory.mktemp("registry"),
        certificates=CertificateDirectory(issuer.ca_file.parent),
        settings={
            "REGISTRY_ENTRA_TENANT_ID": issuer.tenant,
            "REGISTRY_ENTRA_AUTHORITY": issuer.url,
        },
    )
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def client(registry: Registry, issuer: EntraIssuer) -> Iterator[ContainerRegistryClient]:
    """The SDK's client, of somebody who owns the registry."""
    owner = str(uuid.uuid4())
    role = ("--assignee", owner, "--role", "Owner", "--repository", "*")
    env = {
        **os.environ,
        "RegistryStorage": registry.storage,
        "SSL_CERT_FILE": str(issuer.ca_file),
    }
    run([ROOT / "slipway", "role-assignment", "create", *role], env=env)
    with ContainerRegistryClient(
        f"https://{registry.address}",
        Somebody(issuer, owner),
        audience=ACR,
        connection_verify=str(issuer.ca_file),
    ) as connected:
        yield connected


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


def test_repositories_are_listed_page_by_page(
    client: ContainerRegistryClient, registry: Registry, repository: str, images: list[Image]
) -> None:
    for name in ("a", "b", "c"):
        registry.push_image(f"{repository}/{name}", "v1", images[0])
    wanted = {repository, *(f"{repository}/{name}" for name in ("a", "b", "c"))}
    pages = [list(page) for page in client.list_repository_names(results_per_page=2).by_page()]
    assert all(len(page) <= 2 for page in pages)
    names = [name for page in pages for name in page]
    assert names == sorted(names)
    assert wanted <= set(names)
    assert names == list(client.list_repository_names())


def test_a_repository_is_read_locked_unlocked_and_deleted(
    client: ContainerRegistryClient, repository: str, images: list[Image]
) -> None:
    found = client.get_repository_properties(repository)
    assert (found.name, found.manifest_count, found.tag_count) == (repository, 3, 3)
    assert found.created_on < found.last_updated_on
    changed = client.update_repository_properties(repository, **dict.fromkeys(LOCKS, False))
    assert [getattr(changed, lock) for lock in LOCKS] == [False] * 4
    with pytest.raises(HttpResponseError) as raised:
        client.delete_repository(repository)
    assert raised.value.status_code == 405
    changed = client.update_repository_properties(repository, **dict.fromkeys(LOCKS, True))
    assert [getattr(changed, lock) for lock in LOCKS] == [True] * 4
    client.delete_repository(repository)
    with pytest.raises(ResourceNotFoundError):
        client.get_repository_properties(repository)
    client.delete_repository(repository)  # One that is not there is as good as deleted to the SDK.
    assert images


@pytest.mark.parametrize("size", [None, 1, 2])
def test_tags_are_listed_by_name_and_by_time(
    client: ContainerRegistryClient, repository: str, images: list[Image], size: int | None
) -> None:
    names = [f"v{number}" for number in range(len(images))]
    expected = {
        None: names,
        ArtifactTagOrder.LAST_UPDATED_ON_ASCENDING: names,
        ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING: names[::-1],
    }
    for order, wanted in expected.items():
        options = {"order_by": order} if order else {}
        found = list(client.list_tag_properties(repository, results_per_page=size, **options))
        assert [each.name for each in found] == wanted
        times = [each.last_updated_on for each in found]
        assert len(set(times)) == len(times)
        assert times == sorted(times, reverse=wanted is not names)


def test_a_tag_is_read_locked_unlocked_and_deleted(
    client: ContainerRegistryClient, repository: str, images: list[Image]
) -> None:
    found = client.get_tag_properties(repository, "v1")
    assert (found.name, found.digest) == ("v1", images[1].digest)
    assert found.created_on == found.last_updated_on
    changed = client.update_tag_properties(repository, "v1", **dict.fromkeys(LOCKS, False))
    assert [getattr(changed, lock) for lock in LOCKS] == [False] * 4
    assert [each.name for each in client.list_tag_properties(repository)] == ["v0", "v2"]
    with pytest.raises(HttpResponseError):
        client.delete_tag(repository, "v1")
    client.update_tag_properties(repository, "v1", **dict.fromkeys(LOCKS, True))
    client.delete_tag(repository, "v1")
    with pytest.raises(ResourceNotFoundError):
        client.get_tag_properties(repository, "v1")
    assert client.get_manifest_properties(repository, images[1].digest).tags in (None, [])


@pytest.mark.parametrize("size", [None, 1, 2])
def test_manifests_are_listed_by_digest_and_by_time(
    client: ContainerRegistryClient, repository: str, images: list[Image], size: int | None
) -> None:
    digests = [image.digest for image in images]
    expected = {
        None: sorted(digests),
        ArtifactManifestOrder.LAST_UPDATED_ON_ASCENDING: digests,
        ArtifactManifestOrder.LAST_UPDATED_ON_DESCENDING: digests[::-1],
    }
    for order, wanted in expected.items():
        options = {"order_by": order} if order else {}
        found = client.list_manifest_properties(repository, results_per_page=size, **options)
        assert [(each.digest, each.tags) for each in found] == [
            (digest, [f"v{digests.index(digest)}"]) for digest in wanted
        ]


def test_a_manifest_is_read_locked_unlocked_and_deleted(
    client: ContainerRegistryClient, repository: str, images: list[Image]
) -> None:
    """By tag as well: the SDK asks for the tag's digest first."""
    digest = images[2].digest
    by_tag = client.get_manifest_properties(repository, "v2")
    found = client.get_manifest_properties(repository, digest)
    assert (found.digest, found.tags, found.repository_name) == (digest, ["v2"], repository)
    assert (by_tag.digest, by_tag.last_updated_on) == (digest, found.last_updated_on)
    assert (found.architecture, found.operating_system) == ("amd64", "linux")
    changed = client.update_manifest_properties(repository, "v2", **dict.fromkeys(LOCKS, False))
    assert [getattr(changed, lock) for lock in LOCKS] == [False] * 4
    with pytest.raises(HttpResponseError):
        client.delete_manifest(repository, "v2")
    client.update_manifest_properties(repository, digest, **dict.fromkeys(LOCKS, True))
    client.delete_manifest(repository, "v2")
    with pytest.raises(ResourceNotFoundError):
        client.get_manifest_properties(repository, digest)
    assert client.get_repository_properties(repository).manifest_count == 2
