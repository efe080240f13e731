"""The unmodified Azure CLI with a registry over TLS: `az acr repository` and `az acr manifest`.

A command takes seconds, so one test asks much.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.azure_cli import Az
from tests.e2e.images import OCI_MANIFEST, Image, descriptor, encode
from tests.e2e.process import CommandError
from tests.e2e.world import World
from tests.patience import PATIENCE

PAGE = 100
LOCKS = ("deleteEnabled", "listEnabled", "readEnabled", "writeEnabled")
FLAGS = ("--delete-enabled", "--list-enabled", "--read-enabled", "--write-enabled")


@pytest.fixture(scope="module")
def az(world: World, workspace: Path) -> Az:
    """The Azure CLI, as the admin user."""
    folder = workspace / "az"
    folder.mkdir()
    return Az(world.registry, folder, world.environment)


@pytest.fixture
def images(world: World, repository: str) -> list[Image]:
    """Three images, which are tagged one after the other."""
    platform = {"architecture": "amd64", "os": "linux"}
    made = [Image([], {**platform, "os.version": str(number)}) for number in range(3)]
    for number, image in enumerate(made):
        world.registry.push_image(repository, f"v{number}", image)
    return made


def test_repositories_are_listed_over_more_than_one_page(
    world: World, az: Az, repository: str
) -> None:
    names = [f"{repository}/{number:03}" for number in range(PAGE + 1)]
    for name in names:
        world.registry.push_image(name, "v1", Image([]))
    found = az.repository("list")
    assert found == sorted(found)
    assert set(names) <= set(found)
    assert az.repository("list", "--top", "2") == found[:2]


def test_tags_and_manifests_are_listed_over_more_than_one_page_in_every_order(
    world: World, az: Az, repository: str
) -> None:
    image = Image([])
    world.registry.push_image(repository, "v000", image)
    digests = [image.digest]
    for number in range(1, PAGE + 5):
        content = encode({**json.loads(image.manifest), "annotations": {"number": str(number)}})
        world.registry.push_manifest(repository, f"v{number:03}", content, OCI_MANIFEST)
        digests.append(descriptor(OCI_MANIFEST, content)["digest"])
    tags = [f"v{number:03}" for number in range(PAGE + 5)]

    def shown(*options: str) -> object:
        return az.repository("show-tags", "--repository", repository, *options)

    assert shown() == tags
    assert shown("--orderby", "time_asc") == tags
    assert shown("--orderby", "time_desc") == tags[::-1]
    detailed = az.repository("show-tags", "--repository", repository, "--top", "2", "--detail")
    assert [(each["name"], each["digest"]) for each in detailed] == [
        (tags[0], digests[0]),
        (tags[1], digests[1]),
    ]
    listed = az.manifest("list-metadata", repository)
    assert [each["digest"] for each in listed] == sorted(digests)
    listed = az.manifest("list-metadata", repository, "--orderby", "time_desc")
    assert [(each["digest"], each["tags"]) for each in listed] == [
        (digest, [tag]) for digest, tag in zip(digests[::-1], tags[::-1], strict=True)
    ]


def test_repositories_and_images_are_shown_locked_untagged_and_deleted(
    world: World, az: Az, repository: str, images: list[Image]
) -> None:
    whole = az.repository("show", "--repository", repository)
    assert (whole["imageName"], whole["manifestCount"], whole["tagCount"]) == (repository, 3, 3)
    assert whole["registry"] == world.registry.address
    tag, digest = f"{repository}:v1", f"{repository}@{images[1].digest}"
    assert az.repository("show", "--image", tag)["digest"] == images[1].digest
    assert az.repository("show", "--image", digest)["tags"] == ["v1"]

    for of in (("--repository", repository), ("--image", tag), ("--image", digest)):
        for word in ("false", "true"):
            flags = [part for name in FLAGS for part in (name, word)]
            changed = az.repository("update", *of, *flags)
            assert changed["changeableAttributes"] == dict.fromkeys(LOCKS, word == "true")

    az.repository("update", "--image", tag, "--write-enabled", "false")
    with pytest.raises(CommandError, match="locked: writeEnabled is false"):
        az.repository("untag", "--image", tag)
    az.repository("update", "--image", tag, "--write-enabled", "true")
    az.repository("untag", "--image", tag)
    assert az.repository("show", "--image", digest).get("tags") is None

    az.repository("update", "--image", f"{repository}:v0", "--delete-enabled", "false")
    with pytest.raises(CommandError, match="locked: deleteEnabled is false"):
        az.repository("delete", "--image", f"{repository}:v0", "--yes")
    az.repository("update", "--image", f"{repository}:v0", "--delete-enabled", "true")
    az.repository("delete", "--image", f"{repository}:v0", "--yes")
    assert not world.registry.has_manifest(repository, images[0].digest)

    deleted = az.repository("delete", "--repository", repository, "--yes")
    assert deleted["tagsDeleted"] == ["v2"]
    assert set(deleted["manifestsDeleted"]) == {images[1].digest, images[2].digest}
    with pytest.raises(CommandError, match="repository name not known to registry"):
        az.repository("show", "--repository", repository)


def test_manifests_are_shown_locked_and_deleted_with_what_refers_to_them_listed(
    world: World, az: Az, repository: str, images: list[Image]
) -> None:
    tag, digest = f"{repository}:v1", f"{repository}@{images[1].digest}"
    assert az.manifest("show", tag) == json.loads(images[1].manifest)
    by_tag, by_digest = az.manifest("show-metadata", tag), az.manifest("show-metadata", digest)
    assert (by_tag["name"], by_tag["digest"]) == ("v1", images[1].digest)
    assert (by_digest["tags"], by_digest["mediaType"]) == (["v1"], OCI_MANIFEST)
    assert (by_digest["architecture"], by_digest["os"]) == ("amd64", "linux")

    changed = az.manifest("update-metadata", digest, "--delete-enabled", "false")
    assert changed["changeableAttributes"] == {
        **dict.fromkeys(LOCKS, True),
        "deleteEnabled": False,
    }
    with pytest.raises(CommandError, match="locked: deleteEnabled is false"):
        az.manifest("delete", tag, "--yes")
    az.manifest("update-metadata", digest, "--delete-enabled", "true")

    subject = descriptor(OCI_MANIFEST, images[1].manifest)
    referrer = encode({**json.loads(images[0].manifest), "subject": subject})
    referring = descriptor(OCI_MANIFEST, referrer)["digest"]
    world.registry.push_manifest(repository, referring, referrer, OCI_MANIFEST)
    for of in (tag, digest):
        (found,) = az.manifest("list-referrers", of)["manifests"]
        assert found["digest"] == referring

    az.manifest("delete", tag, "--yes")
    assert not world.registry.has_manifest(repository, "v1")
    # What refers to it stays: it can be pushed before what it refers to, so it may be needed yet.
    assert world.registry.has_manifest(repository, referring)
    with pytest.raises(CommandError, match="is not found"):
        az.manifest("show-metadata", digest)


def test_a_token_is_held_to_its_repository_and_a_wrong_password_is_refused(
    world: World, az: Az, repository: str, images: list[Image], scratch: Path
) -> None:
    other = f"{repository}-b"
    world.registry.push_image(other, "v1", images[0])
    name, password = world.token((repository, "metadata/read"))
    token = Az(world.registry.as_user(name), scratch, world.environment)
    with pytest.raises(CommandError, match="Response code: 401"):
        token.sign_in(f"not {password}")
    with pytest.raises(CommandError, match="authentication required"):
        token.sign_in(password)  # Which lists the repositories, and no token may.
    assert token.repository("show-tags", "--repository", repository) == ["v0", "v1", "v2"]
    with pytest.raises(CommandError, match="authentication required"):
        token.repository("untag", "--image", f"{repository}:v1")
    with pytest.raises(CommandError, match="authentication required"):
        token.repository("show-tags", "--repository", other)
    assert world.registry.has_manifest(repository, "v1")


@pytest.fixture
def keeping(world: World, az: Az) -> Iterator[None]:
    """What is deleted can be restored meanwhile."""
    world.slipway("soft-delete", "enable", "--days", "7")
    name, deadline = f"probe-{secrets.token_hex(4)}", time.monotonic() + PATIENCE
    try:
        # An instance remembers for a while that it was off.
        while name not in (az.repository("list-deleted") or []):
            assert time.monotonic() < deadline
            world.registry.push_image(name, "v1", Image([]))
            az.repository("delete", "--image", f"{name}:v1", "--yes")
        yield
    finally:
        world.slipway("soft-delete", "disable")


@pytest.mark.usefixtures("keeping")
def test_what_was_deleted_is_listed_and_restored(
    world: World, az: Az, repository: str, images: list[Image]
) -> None:
    az.repository("delete", "--image", f"{repository}:v1", "--yes")
    az.repository("untag", "--image", f"{repository}:v2")
    assert repository in az.repository("list-deleted")

    # By a tag alone, az asks for those that were deleted, and takes the manifest that had it last.
    restored = az.manifest("restore", f"{repository}:v1")
    assert (restored["digest"], restored["tags"]) == (images[1].digest, ["v1"])
    assert world.registry.has_manifest(repository, "v1")
    restored = az.manifest("restore", f"{repository}:v2", "--digest", images[2].digest)
    assert restored["tags"] == ["v2"]

    az.repository("untag", "--image", f"{repository}:v2")
    world.registry.push_image(repository, "v2", images[0])
    with pytest.raises(CommandError, match="the tag exists and points at another manifest"):
        az.manifest("restore", f"{repository}:v2")
    az.manifest("restore", f"{repository}:v2", "--force")
    assert az.repository("show", "--image", f"{repository}:v2")["digest"] == images[2].digest
    with pytest.raises(CommandError, match="No deleted manifests found for tag: v9"):
        az.manifest("restore", f"{repository}:v9")

    az.repository("delete", "--repository", repository, "--yes")
    assert not world.registry.has_manifest(repository, images[0].digest)
    az.manifest("restore", f"{repository}:v0")
    assert az.repository("show-tags", "--repository", repository) == ["v0"]


@pytest.mark.usefixtures("keeping")
def test_az_asks_azure_for_the_days_once_it_has_the_list_of_what_was_deleted(
    world: World, az: Az, repository: str, images: list[Image]
) -> None:
    """So these two commands work with registries of Azure alone, whatever we answer."""
    az.repository("delete", "--image", f"{repository}:v1", "--yes")
    assert not world.registry.has_manifest(repository, images[1].digest)
    position = world.registry.log_position()
    for verb in ("list-deleted", "list-deleted-tags"):
        with pytest.raises(CommandError, match="az login"):
            az.manifest(verb, repository)
    asked = world.registry.traffic_since(position, repository).requests
    answered = [(each.kind, each.status) for each in asked if each.status != 401]
    assert answered == [("acr-deleted-manifests", 200), ("acr-deleted-tags", 200)]
