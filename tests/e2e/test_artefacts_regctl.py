"""regctl copies whole trees of manifests, and reads and writes the parts of a registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.artefact_clients import Regctl
from tests.e2e.artefacts import EMPTY, Subject, artefact, referrers, tags
from tests.e2e.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Layer,
    descriptor,
    digest_of,
    incompressible,
    index_of,
    tar,
)
from tests.e2e.process import CommandError
from tests.e2e.registry import Registry

SBOM = "application/vnd.example.sbom.v1"
NOTE = "application/vnd.example.note.v1+json"


@dataclass(frozen=True)
class Tree:
    """An index, its images, what refers to them, and what is named after them."""

    repository: str
    #: The manifests, the index first.
    manifests: list[bytes]
    #: The digests of the subjects, each with that of the artefact that refers to it.
    referrers: Mapping[str, str]
    digest_tag: str


@pytest.fixture
def tree(registry: Registry, repository: str) -> Tree:
    images = {
        architecture: Image(
            [Layer(tar({"data": incompressible(1000, (repository, architecture))}))],
            {"architecture": architecture, "os": "linux"},
        )
        for architecture in ("amd64", "arm64")
    }
    for image in images.values():
        registry.push_image(repository, image.digest, image)
    index, media_type = index_of(images)
    registry.push_manifest(repository, "both", index, media_type)
    registry.push_blob(repository, EMPTY)
    manifests = [index, *(image.manifest for image in images.values())]
    found = {}
    for subject in (descriptor(OCI_INDEX, index), descriptor(OCI_MANIFEST, manifests[1])):
        content = artefact(subject, SBOM)
        registry.push_manifest(repository, digest_of(content), content, OCI_MANIFEST)
        manifests.append(content)
        found[subject["digest"]] = digest_of(content)
    digest_tag = f"{digest_of(index).replace(':', '-')}.sig"
    registry.push_manifest(repository, digest_tag, manifests[2], OCI_MANIFEST)
    return Tree(repository, manifests, found, digest_tag)


def put_artefact(regctl: Regctl, subject: str, artifact_type: str, *more: str) -> str:
    """Put an artefact that refers to a subject and return its digest."""
    what = ("--subject", subject, "--artifact-type", artifact_type, *more)
    told = "{{.Manifest.GetDescriptor.Digest}}"
    return regctl.call("artifact", "put", *what, "--format", told, stdin=b"content").text


def test_a_tree_is_copied_whole_without_changing_a_byte(
    regctl: Regctl, registry: Registry, tree: Tree
) -> None:
    """Both ways to find what belongs to an image: by what refers to it, and by tags' names."""
    source = f"{registry.address}/{tree.repository}"
    copy = f"{tree.repository}/copy"
    position = registry.log_position()

    whole = ("--referrers", "--digest-tags")
    regctl.call("image", "copy", *whole, f"{source}:both", f"{registry.address}/{copy}:both")

    traffic = registry.traffic_since(position, copy)
    assert traffic.mounted
    assert traffic.uploaded == 0, traffic
    for content in tree.manifests:
        assert registry.manifest(copy, digest_of(content)).content == content
    assert registry.manifest(copy, "both").content == tree.manifests[0]
    assert registry.manifest(copy, tree.digest_tag).content == tree.manifests[2]
    assert tags(registry, copy) == ["both", tree.digest_tag]
    for subject, artefact_digest in tree.referrers.items():
        (listed,) = referrers(registry, copy, subject)
        assert listed["digest"] == artefact_digest
        assert [listed] == referrers(registry, tree.repository, subject)


def test_artefacts_of_a_subject_are_listed_by_their_type(
    regctl: Regctl, registry: Registry, subject: Subject
) -> None:
    sbom = put_artefact(regctl, subject.by_tag, SBOM)
    note = put_artefact(regctl, subject.by_digest, NOTE, "--annotation", "example.by=ü <&>")

    listed = ("artifact", "list", subject.by_tag, "--format", "raw-body")
    found = json.loads(regctl.call(*listed).stdout)["manifests"]
    assert {(r["artifactType"], r["digest"]) for r in found} == {(SBOM, sbom), (NOTE, note)}
    (only,) = json.loads(regctl.call(*listed, "--filter-artifact-type", NOTE).stdout)["manifests"]
    assert (only["digest"], only["annotations"]) == (note, {"example.by": "ü <&>"})
    assert [only] == referrers(registry, subject.repository, subject.image.digest, NOTE)
    assert regctl.call("artifact", "get", f"{subject.name}@{note}").stdout == b"content"
    subject.assert_untouched()


def test_deleting_a_tag_deletes_that_tag_only(
    regctl: Regctl, registry: Registry, subject: Subject
) -> None:
    registry.push_image(subject.repository, "2", subject.image)
    position = registry.log_position()

    regctl.call("tag", "delete", f"{subject.name}:2")

    # Where a registry cannot delete a tag, the tool puts a manifest of its own there first.
    asked = registry.traffic_since(position, subject.repository).requests
    deleted = [(r.kind, r.status) for r in asked if r.method == "DELETE" and r.status != 401]
    assert deleted == [("manifest", 202)]
    assert not [r for r in asked if r.method == "PUT"]
    assert regctl.call("tag", "ls", subject.name).text.split() == ["1"]
    with pytest.raises(CommandError) as gone:
        regctl.call("manifest", "head", f"{subject.name}:2")
    assert "404" in gone.value.result.output
    subject.assert_untouched()


def test_the_last_tag_of_a_manifest_leaves_it_there_by_its_digest(
    regctl: Regctl, registry: Registry, subject: Subject
) -> None:
    regctl.call("tag", "delete", subject.by_tag)

    raw = ("manifest", "get", "--format", "raw-body")
    assert regctl.call(*raw, subject.by_digest).stdout == subject.image.manifest
    assert regctl.call("tag", "ls", subject.name).text == ""
    assert not registry.has_manifest(subject.repository, "1")


def test_a_manifest_is_told_of_and_read_by_tag_and_by_digest(
    regctl: Regctl, subject: Subject
) -> None:
    for reference in (subject.by_tag, subject.by_digest):
        assert regctl.call("manifest", "head", reference).text == subject.image.digest
        read = regctl.call("manifest", "get", "--format", "raw-body", reference)
        assert read.stdout == subject.image.manifest


def test_a_blob_is_told_of_and_read(regctl: Regctl, subject: Subject) -> None:
    for content in subject.image.blobs():
        digest = digest_of(content)
        headers = regctl.call("blob", "head", subject.name, digest).text.splitlines()
        assert f"Content-Length: {len(content)}" in headers
        assert f"Docker-Content-Digest: {digest}" in headers
        assert regctl.call("blob", "get", subject.name, digest).stdout == content


def test_tags_come_in_pages_that_miss_none(
    regctl: Regctl, registry: Registry, subject: Subject
) -> None:
    for tag in ("5", "3", "4", "2"):
        registry.push_image(subject.repository, tag, subject.image)
    for last, page in {"": ["1", "2"], "2": ["3", "4"], "4": ["5"], "5": []}.items():
        listed = regctl.call("tag", "ls", "--limit", "2", "--last", last, subject.name)
        assert listed.text.split() == page


def test_repositories_come_in_pages(regctl: Regctl, registry: Registry, subject: Subject) -> None:
    names = [f"{subject.repository}/{number}" for number in range(3)]
    for name in names:
        registry.push_image(name, "1", subject.image)
    listed = ("repo", "ls", registry.address)
    assert set(regctl.call(*listed).text.split()) >= {subject.repository, *names}
    page = regctl.call(*listed, "--limit", "2", "--last", subject.repository).text.split()
    assert page == names[:2]


def test_a_blob_in_many_chunks_arrives_whole(
    registry: Registry, repository: str, scratch: Path, environment: dict[str, str]
) -> None:
    regctl = Regctl(registry, scratch, environment)
    regctl.sign_in(registry.password)
    wanted, size = 300_000, 4 * 1024 * 1024
    chunked = ("--blob-chunk", str(wanted), "--blob-max", str(wanted))
    regctl.call("registry", "set", *chunked, "--skip-check", registry.address)
    content = incompressible(2 * size + size // 2, repository)
    name = f"{registry.address}/{repository}"
    position = registry.log_position()

    assert regctl.call("blob", "put", name, stdin=content).text == digest_of(content)

    asked = registry.traffic_since(position, repository).requests
    # As long as the registry asks for, with OCI-Chunk-Min-Length.
    sent = [r.bytes_in for r in asked if (r.method, r.status) == ("PATCH", 202)]
    assert sent == [size, size, size // 2]
    assert registry.blob(repository, digest_of(content)) == content
    assert regctl.call("blob", "get", name, digest_of(content)).stdout == content
