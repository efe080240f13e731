"""A purge as the `acr` command does it: of 2,000 tags and their manifests goes what matches, alone.

What is old is what the registry took before the purge's moment; no clock is read or waited for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.acr_purge import PAGE, AcrCli
from tests.e2e.images import (
    EMPTY_LAYER,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    descriptor,
    digest_of,
    encode,
)
from tests.e2e.world import World

OLD = 2000
KEPT_EVERY = 20
NUMBER_OF_PUSHERS = 4
CONFIG = encode({"architecture": "amd64", "os": "linux"})


@dataclass
class Repository:
    """A repository, and what has to be in it in the end."""

    world: World
    name: str
    tags: set[str] = field(default_factory=set)
    manifests: set[str] = field(default_factory=set)

    def push(self, content: bytes, *tags: str, media_type: str = OCI_MANIFEST) -> bytes:
        """Push a manifest by its tags, or by its digest alone."""
        for reference in tags or (digest_of(content),):
            self.world.registry.push_manifest(self.name, reference, content, media_type)
        return content

    def keep(self, content: bytes, *tags: str, media_type: str = OCI_MANIFEST) -> bytes:
        """Push what no purge may take."""
        self.tags.update(tags)
        self.manifests.add(digest_of(content))
        return self.push(content, *tags, media_type=media_type)

    def lock(self, path: str, attribute: str) -> None:
        answer = self.world.registry.request(
            "PATCH", f"/acr/v1/{self.name}/{path}", encode({attribute: False})
        )
        assert answer.status == 200, answer

    def entries(self, kind: str) -> Iterator[dict[str, Any]]:
        """All tags or manifests that the registry lists."""
        path = f"/acr/v1/{self.name}/_{kind}?n=1000"
        while path:
            answer = self.world.registry.request("GET", path)
            assert answer.status == 200, answer
            yield from answer.json()[kind] or []
            path = answer.headers.get("link", "").partition(">")[0].lstrip("<")

    def assert_only_what_is_kept_is_there(self) -> None:
        assert {tag["name"] for tag in self.entries("tags")} == self.tags
        assert {each["digest"] for each in self.entries("manifests")} == self.manifests


def image(label: object, **also: object) -> bytes:
    """A manifest of its own: all of them have one config and one layer."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, CONFIG),
            "layers": [descriptor(OCI_LAYER, EMPTY_LAYER)],
            "annotations": {"label": str(label)},
            **also,
        }
    )


def index(child: bytes) -> bytes:
    """An index of one image."""
    children = [descriptor(OCI_MANIFEST, child)]
    return encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})


def a_repository(world: World, name: str) -> Repository:
    for content in (CONFIG, EMPTY_LAYER):
        world.registry.push_blob(name, content)
    return Repository(world, name)


def now(repository: Repository) -> datetime:
    """The time by the registry's clock, after all that was pushed before and before what comes."""
    repository.keep(image("now"), "now")
    answer = repository.world.registry.request("GET", f"/acr/v1/{repository.name}/_tags/now")
    return datetime.fromisoformat(answer.json()["tag"]["lastUpdateTime"])


async def test_a_purge_takes_all_that_matches_and_nothing_else(
    world: World, repository: str
) -> None:
    purged, neighbour = a_repository(world, repository), a_repository(world, f"{repository}-b")
    neighbour.keep(image("neighbour"), "old-1")

    def push(number: int) -> None:
        purged.push(image(number), f"old-{number}")
        if number % KEPT_EVERY == 0:
            purged.keep(image(f"kept {number}"), f"kept-{number}")

    with ThreadPoolExecutor(NUMBER_OF_PUSHERS) as pushers:
        list(pushers.map(push, range(OLD)))
    # A manifest that has another tag stays; so do one in a tagged index, and a referrer.
    shared = purged.keep(image("shared"), "kept-too")
    purged.push(shared, "old-shared")
    child = purged.keep(image("child"))
    purged.keep(index(child), "kept-index", media_type=OCI_INDEX)
    purged.keep(image("referrer", subject=descriptor(OCI_MANIFEST, shared)))
    # Locks hold: of a tag by either of them, and of a manifest without a tag.
    for attribute in ("deleteEnabled", "writeEnabled"):
        purged.keep(image(attribute), f"old-{attribute}")
        purged.lock(f"_tags/old-{attribute}", attribute)
        locked = purged.keep(image(f"untagged {attribute}"))
        purged.lock(f"_manifests/{digest_of(locked)}", attribute)
    # These go: an index with what is in it, and what never had a tag.
    purged.push(index(purged.push(image("old child"))), "old-index", media_type=OCI_INDEX)
    purged.push(image("untagged"))
    gone = {"tags": OLD + 2, "manifests": OLD + 3}

    moment = now(purged)
    purged.keep(image("new"), "old-but-new")
    purged.keep(image("untagged and new"))
    in_all = {kind: len(list(purged.entries(kind))) for kind in gone}

    registry = world.registry
    async with AcrCli(world, registry.username, registry.password) as acr:
        done = await acr.purge(repository, "^old-", moment, untagged=True)

    assert (done.tags, done.manifests) == (gone["tags"], gone["manifests"])
    purged.assert_only_what_is_kept_is_there()
    neighbour.assert_only_what_is_kept_is_there()
    for tag in ("kept-0", "kept-too", "kept-index", "old-but-new"):
        assert registry.has_manifest(repository, tag)
    # No page is asked for twice, and none is missed.
    assert done.sent["GET _tags 200"] == math.ceil(in_all["tags"] / PAGE)
    assert done.sent["DELETE _tags 202"] == gone["tags"]
    assert done.sent["GET _manifests 200"] == math.ceil(in_all["manifests"] / PAGE) + 1
    assert done.sent["DELETE manifests 202"] == gone["manifests"]


@pytest.mark.parametrize("keep", [0, 3, 150])
async def test_the_latest_that_match_are_kept_if_the_purge_is_told_to(
    world: World, repository: str, keep: int
) -> None:
    """With a refresh token, as after `az acr login`, for every repository there is."""
    purged = a_repository(world, repository)
    content = purged.keep(image("all"), "first")
    tags = [f"old-{number}" for number in range(250)]
    for tag in tags:
        purged.push(content, tag)
    purged.tags.update(tags[len(tags) - keep :])
    owner = world.issuer.token(world.assign("Owner", "*"))
    async with AcrCli(world, "", world.exchange(owner)) as acr:
        done = await acr.purge(repository, "^old-", now(purged), keep=keep)
    assert done.tags == len(tags) - keep
    purged.assert_only_what_is_kept_is_there()
