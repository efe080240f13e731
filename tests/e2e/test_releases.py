"""The package beside the one of the release before, on the same storage, and back again.

While a deployment rolls through the instances, and after it was taken back, each of the two serves
what the other wrote. Both run as packages, unpacked, under today's development host.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from infra import package
from tests.e2e.images import (
    EMPTY_LAYER,
    OCI_MANIFEST,
    Image,
    Layer,
    descriptor,
    digest_of,
    encode,
    incompressible,
    index_of,
    tar,
)
from tests.e2e.registry import ROOT, Answer, Registry, send
from tests.release_before import FIRST, release_before, unpack_package

SETTINGS = {
    # Tokens are for a registry of one name, and what one deletes the other sees at once.
    "REGISTRY_LOGIN_SERVERS": "registry.example",
    "REGISTRY_CACHE_TTL": "0s",
}
MIB = 1024 * 1024


class Turns(Registry):
    """Two registries on one storage account, of which each request goes to the next."""

    def __init__(self, registries: Sequence[Registry]) -> None:
        self._turns = itertools.cycle(registries)
        self.certificates = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return next(self._turns).request(method, path, body, headers)


@dataclass
class Written:
    """What was acknowledged, and has to be served from now on."""

    images: dict[tuple[str, str], Image] = field(default_factory=dict)
    """By repository and tag."""
    referrers: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """The digests that refer to one, by repository and digest."""
    deleted: list[tuple[str, str]] = field(default_factory=list)
    """Repositories with tags and digests that are gone."""


@dataclass
class Deployment:
    """The old package and the new one, and what was written through both."""

    sources: dict[str, Path]
    registries: dict[str, Registry]
    written: Written = field(default_factory=Written)

    def in_order(self, first: str) -> tuple[Registry, Registry]:
        """Both, beginning with the one that is named."""
        second = next(name for name in self.registries if name != first)
        return self.registries[first], self.registries[second]

    def command(self, name: str, *arguments: str) -> Any:
        """What the command line of one of the releases answers, on this storage."""
        done = subprocess.run(
            [sys.executable, "-m", "slipway_cli", *arguments, "--output", "json"],
            cwd=self.sources[name],
            env=os.environ | {"RegistryStorage": self.registries["new"].storage},
            capture_output=True,
            check=True,
            text=True,
        )
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def apps(workspace: Path) -> dict[str, Path]:
    folder = workspace / "releases"
    folder.mkdir()
    revision = release_before(ROOT, FIRST.read_text().strip())
    old = unpack_package(ROOT, revision, folder / "old")
    _label(old, "the release before")
    package.build(ROOT, folder / "new.zip")
    new = folder / "new"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", folder / "new.zip", new], check=True)
    return {"old": old, "new": new}


def _label(app: Path, version: str) -> None:
    """Has an app tell another version: between releases, all have the same."""
    file = app / "registry_core/__init__.py"
    line = f'__version__ = "{version}"'
    file.write_text(re.sub("^__version__ = .*$", line, file.read_text(), flags=re.MULTILINE))


@pytest.fixture(scope="module")
def deployment(workspace: Path, apps: dict[str, Path]) -> Iterator[Deployment]:
    """The old one has been there, and the new one comes beside it."""
    old = Registry(workspace / "releases/data", app_dir=apps["old"], settings=SETTINGS)
    try:
        beginning = image_of("before the upgrade")
        old.push_image("team/before", "1", beginning)
        new = Registry(
            workspace / "releases/data",
            app_dir=apps["new"],
            storage=old.storage,
            password=old.password,
            settings=SETTINGS,
        )
        try:
            written = Written(images={("team/before", "1"): beginning})
            sources = {"old": apps["old"].with_name("sources"), "new": ROOT}
            yield Deployment(sources, {"old": old, "new": new}, written)
        finally:
            new.stop()
    finally:
        old.stop()


def image_of(text: str) -> Image:
    """A small image of its own, with a layer that all have."""
    data = tar({"data": incompressible(50_000, text)})
    return Image([Layer(EMPTY_LAYER), Layer(data)])


def token(registry: Registry, username: str, password: str, repository: str) -> Mapping[str, str]:
    """The header of who has signed in for a repository."""
    form = {
        "grant_type": "password",
        "service": "registry.example",
        "username": username,
        "password": password,
        "scope": f"repository:{repository}:pull,push,delete",
    }
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    address = f"http://{registry.address}/oauth2/token"
    answer = send(address, "POST", urlencode(form).encode(), kind)
    assert answer.status == 200, answer
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def assert_serves(registry: Registry, written: Written) -> None:
    """Everything that was acknowledged, by tag and by digest, down to the bytes."""
    for (repository, tag), image in written.images.items():
        for reference in (tag, image.digest):
            assert registry.manifest(repository, reference).content == image.manifest
        for blob in image.blobs():
            assert registry.blob(repository, digest_of(blob)) == blob
        listed = registry.request("GET", f"/v2/{repository}/tags/list").json()["tags"]
        assert tag in listed
    for (repository, subject), digests in written.referrers.items():
        listed = registry.request("GET", f"/v2/{repository}/referrers/{subject}").json()
        assert {each["digest"] for each in listed["manifests"]} == digests
        for digest in digests:
            assert registry.manifest(repository, digest).digest == digest
    for repository, reference in written.deleted:
        assert not registry.has_manifest(repository, reference)
    catalog = registry.request("GET", "/v2/_catalog").json()["repositories"]
    assert {repository for repository, _ in written.images} <= set(catalog)


@pytest.fixture(params=["old", "new"])
def first(request: pytest.FixtureRequest) -> str:
    """Which of the two begins; the other goes on."""
    name: str = request.param
    return name


def test_each_of_the_two_runs_the_package_that_it_is_given(deployment: Deployment) -> None:
    """Else nothing here would be proved."""
    new = deployment.registries["new"].version()
    old = deployment.registries["old"].version()
    assert (old, new) == ("the release before", package.version(ROOT))


def test_a_push_and_a_pull_whose_requests_alternate(deployment: Deployment, first: str) -> None:
    repository = f"team/{first}/turns"
    turns = Turns(deployment.in_order(first))
    images = {f"linux/{number}": image_of(f"{repository}{number}") for number in range(2)}
    for tag, image in zip(("1", "2"), images.values(), strict=True):
        turns.push_image(repository, tag, image)
        deployment.written.images[repository, tag] = image
    index, media_type = index_of(images)
    turns.push_manifest(repository, "all", index, media_type)
    for registry in deployment.registries.values():
        assert_serves(registry, deployment.written)
        assert registry.manifest(repository, "all").content == index


def test_an_upload_that_begins_on_one_goes_on_and_ends_on_the_other(
    deployment: Deployment, first: str
) -> None:
    one, two = deployment.in_order(first)
    repository = f"team/{first}/upload"
    # More than a block, so that the session has a state of its hash to hand over.
    content = incompressible(9 * MIB + 12_345, repository)
    location = one.request("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    for registry, part in ((two, content[:MIB]), (one, content[MIB:-100])):
        answer = registry.request("PATCH", location, part)
        assert answer.status == 202, answer
        location = answer.headers["location"]
    two.commit(location, content, body=content[-100:])
    for registry in (one, two):
        assert registry.blob(repository, digest_of(content)) == content


def test_a_layer_that_one_has_is_mounted_by_the_other(deployment: Deployment, first: str) -> None:
    one, two = deployment.in_order(first)
    source, target = f"team/{first}/source", f"team/{first}/target"
    image = image_of(source)
    one.push_image(source, "1", image)
    for blob in image.blobs():
        query = urlencode({"mount": digest_of(blob), "from": source})
        answer = two.request("POST", f"/v2/{target}/blobs/uploads/?{query}")
        assert answer.status == 201, answer
    one.push_manifest(target, "1", image.manifest, image.media_type)
    deployment.written.images |= {(source, "1"): image, (target, "1"): image}
    for registry in (one, two):
        assert_serves(registry, deployment.written)


def test_tags_that_both_move_and_delete_are_where_the_last_one_put_them(
    deployment: Deployment, first: str
) -> None:
    one, two = deployment.in_order(first)
    repository = f"team/{first}/tags"
    before, after = image_of(f"{repository} before"), image_of(f"{repository} after")
    for registry, image in ((one, before), (two, after)):
        for tag in ("latest", "gone"):
            registry.push_image(repository, tag, image)
    assert one.manifest(repository, "latest").digest == after.digest
    assert one.request("DELETE", f"/v2/{repository}/manifests/gone").status == 202
    assert not two.has_manifest(repository, "gone")
    assert two.request("DELETE", f"/v2/{repository}/manifests/{before.digest}").status == 202
    assert not one.has_manifest(repository, before.digest)
    deployment.written.images[repository, "latest"] = after
    deployment.written.deleted += [(repository, "gone"), (repository, before.digest)]
    for registry in (one, two):
        assert_serves(registry, deployment.written)


def test_a_repository_that_one_deletes_to_the_last_manifest_is_made_again_by_the_other(
    deployment: Deployment, first: str
) -> None:
    one, two = deployment.in_order(first)
    repository = f"team/{first}/again"
    image = image_of(repository)
    one.push_image(repository, "1", image)
    assert two.request("DELETE", f"/v2/{repository}/manifests/{image.digest}").status == 202
    assert not one.has_manifest(repository, "1")
    # The same bytes: rows that one left behind for what is gone are in the other's way here.
    one.push_image(repository, "1", image)
    deployment.written.images[repository, "1"] = image
    for registry in (one, two):
        assert_serves(registry, deployment.written)


def test_what_refers_to_an_image_is_listed_by_the_other(deployment: Deployment, first: str) -> None:
    one, two = deployment.in_order(first)
    repository = f"team/{first}/referrers"
    image, empty = image_of(repository), b"{}"
    one.push_image(repository, "1", image)
    one.push_blob(repository, empty)
    digests = set()
    for registry, kind in ((one, "sbom"), (two, "signature")):
        content = encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": f"application/vnd.example.{kind}",
                "config": descriptor("application/vnd.oci.empty.v1+json", empty),
                "layers": [descriptor("application/vnd.oci.empty.v1+json", empty)],
                "subject": descriptor(image.media_type, image.manifest),
            }
        )
        registry.push_manifest(repository, digest_of(content), content, OCI_MANIFEST)
        digests.add(digest_of(content))
    deployment.written.images[repository, "1"] = image
    deployment.written.referrers[repository, image.digest] = digests
    for registry in (one, two):
        assert_serves(registry, deployment.written)


def test_who_signs_in_at_one_is_known_to_the_other(deployment: Deployment, first: str) -> None:
    one, two = deployment.in_order(first)
    name = f"{first}-token"
    made = deployment.command(
        first, "token", "create", "--name", name, "--repository", "team/*", "content/read"
    )
    # The release before lists the passwords alone.
    made = made["credentials"]["passwords"] if isinstance(made, dict) else made
    for username, password in ((one.username, one.password), (name, made[0]["value"])):
        header = token(one, username, password, "team/before")
        for registry in (one, two):
            answer = send(f"http://{registry.address}/v2/team/before/manifests/1", headers=header)
            assert answer.status == 200, answer


def test_keys_that_one_rotates_sign_for_both(deployment: Deployment, first: str) -> None:
    one, two = deployment.in_order(first)
    before = token(two, two.username, two.password, "team/before")
    keys = deployment.command(first, "key", "rotate", "--force")
    assert len(keys) >= 2
    after = token(one, one.username, one.password, "team/before")
    for registry, header in itertools.product((one, two), (before, after)):
        answer = send(f"http://{registry.address}/v2/team/before/manifests/1", headers=header)
        assert answer.status == 200, answer


def test_after_going_back_the_release_before_serves_all_that_was_written(
    deployment: Deployment,
) -> None:
    """The last test here: the new one is ended, and the old one started anew."""
    old, new = deployment.in_order("old")
    content = incompressible(9 * MIB, "left unfinished")
    repository = "team/unfinished"
    began = new.request("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    sent = new.request("PATCH", began, content[:-1000])
    assert sent.status == 202, sent
    header = token(new, new.username, new.password, "team/before")
    new.stop()
    old.crash()

    assert_serves(old, deployment.written)
    old.commit(sent.headers["location"], content, body=content[-1000:])
    assert old.blob(repository, digest_of(content)) == content
    answer = send(f"http://{old.address}/v2/team/before/manifests/1", headers=header)
    assert answer.status == 200, answer
    last = image_of("after going back")
    old.push_image("team/before", "2", last)
    assert old.manifest("team/before", "2").content == last.manifest
