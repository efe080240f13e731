"""oras keeps files and other artefacts in the registry, by themselves or attached to an image."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.artefact_clients import Oras
from tests.e2e.artefacts import EMPTY, EMPTY_TYPE, Subject, referrers, tags
from tests.e2e.images import OCI_MANIFEST, Image, digest_of, incompressible
from tests.e2e.process import CommandError
from tests.e2e.registry import Registry

MIB = 1024 * 1024
SBOM = "application/vnd.example.sbom.v1"
NOTE = "application/vnd.example.note.v1+json"


@dataclass(frozen=True)
class Attached:
    """A subject with two artefacts, of which the first has one itself."""

    subject: Subject
    sbom: str
    note: str
    sbom_note: str


def attach(oras: Oras, subject: str, artifact_type: str, *more: str, cwd: Path) -> str:
    """Attach an artefact and return its digest."""
    told = oras.ask("attach", subject, "--artifact-type", artifact_type, *more, cwd=cwd)
    return str(told["digest"])


@pytest.fixture
def attached(oras: Oras, subject: Subject, scratch: Path) -> Attached:
    (scratch / "sbom.json").write_text('{"packages": []}')
    sbom = attach(oras, subject.by_digest, SBOM, "sbom.json:application/json", cwd=scratch)
    by_whom = ("--annotation", "example.by=oras")
    note = attach(oras, subject.by_tag, NOTE, *by_whom, cwd=scratch)
    sbom_note = attach(oras, f"{subject.name}@{sbom}", NOTE, *by_whom, cwd=scratch)
    return Attached(subject, sbom, note, sbom_note)


def test_an_artefact_keeps_its_type_and_annotations_byte_for_byte(
    oras: Oras, registry: Registry, repository: str, scratch: Path
) -> None:
    annotations = {"example.text": 'ü "quoted" <&> \\ 日本\n two lines ', "example.empty": ""}
    (scratch / "text").write_text("hello")
    reference = f"{registry.address}/{repository}:1"
    told = oras.ask(
        *("push", reference, "text:text/plain", "--artifact-type", NOTE),
        *(f"--annotation={name}={value}" for name, value in annotations.items()),
        *("--export-manifest", "sent"),
        cwd=scratch,
    )

    stored = registry.manifest(repository, "1")
    assert stored.content == (scratch / "sent").read_bytes()
    assert (stored.media_type, stored.digest) == (OCI_MANIFEST, told["digest"])
    assert oras.remote("manifest", "fetch", reference).stdout == stored.content
    content = stored.json()
    assert content["artifactType"] == NOTE
    assert content["annotations"].items() >= annotations.items()


def test_an_artefact_without_a_config_has_the_empty_one(
    oras: Oras, registry: Registry, repository: str, scratch: Path
) -> None:
    (scratch / "text").write_text("hello")
    reference = f"{registry.address}/{repository}:1"
    oras.ask("push", reference, "text", "--artifact-type", NOTE, cwd=scratch)

    config = registry.manifest(repository, "1").json()["config"]
    assert (config["mediaType"], config["digest"]) == (EMPTY_TYPE, digest_of(EMPTY))
    assert registry.blob(repository, config["digest"]) == EMPTY
    assert oras.remote("manifest", "fetch-config", reference).stdout == EMPTY


def test_pulled_files_are_the_pushed_ones(
    oras: Oras, registry: Registry, repository: str, scratch: Path
) -> None:
    files = {
        "text": b"hello",
        "empty": b"",
        "data": incompressible(3 * MIB, repository),
        "folder/inside": b"in a folder, which travels as an archive",
    }
    source, target = scratch / "source", scratch / "target"
    (source / "folder").mkdir(parents=True)
    for name, content in files.items():
        (source / name).write_bytes(content)
    reference = f"{registry.address}/{repository}:1"
    oras.ask("push", reference, "text", "empty", "data", "folder", cwd=source)

    oras.ask("pull", reference, "--output", target)

    pulled = {
        str(file.relative_to(target)): file.read_bytes()
        for file in target.rglob("*")
        if file.is_file()
    }
    assert pulled == files


def test_what_is_attached_to_an_image_is_discovered_by_its_type(
    oras: Oras, registry: Registry, attached: Attached
) -> None:
    subject = attached.subject
    both = {(SBOM, attached.sbom), (NOTE, attached.note)}
    told = oras.ask("discover", subject.by_tag, "--depth", "1")
    assert {(r["artifactType"], r["digest"]) for r in told["referrers"]} == both
    assert {(r["artifactType"], r["digest"]) for r in subject.referrers()} == both

    (note,) = oras.ask("discover", subject.by_digest, "--artifact-type", NOTE)["referrers"]
    assert note["digest"] == attached.note
    assert note["annotations"]["example.by"] == "oras"
    (listed,) = referrers(registry, subject.repository, subject.image.digest, NOTE)
    stored = registry.manifest(subject.repository, attached.note)
    assert listed["annotations"] == note["annotations"] == stored.json()["annotations"]
    assert (listed["digest"], listed["size"]) == (attached.note, len(stored.content))


def test_what_is_attached_to_an_artefact_is_discovered_through_it(
    oras: Oras, attached: Attached
) -> None:
    told = oras.ask("discover", attached.subject.by_digest)
    below = {r["digest"]: [n["digest"] for n in r["referrers"]] for r in told["referrers"]}
    assert below == {attached.sbom: [attached.sbom_note], attached.note: []}


def test_annotations_of_any_size_are_listed_with_what_refers_to_an_image(
    oras: Oras, registry: Registry, subject: Subject, scratch: Path
) -> None:
    annotations = {"example.long": 'ü "<&>" ' * 40_000}
    (scratch / "annotations").write_text(json.dumps({"$manifest": annotations}))
    digest = attach(oras, subject.by_tag, NOTE, "--annotation-file", "annotations", cwd=scratch)

    (found,) = oras.ask("discover", subject.by_tag)["referrers"]
    assert found["digest"] == digest
    assert found["annotations"].items() >= annotations.items()
    stored = registry.manifest(subject.repository, digest).json()
    assert stored["annotations"] == found["annotations"]


def test_attaching_changes_neither_the_image_nor_its_tags(attached: Attached) -> None:
    """The registry tells that it lists referrers, so no tag takes their place."""
    attached.subject.assert_untouched()


def test_a_deleted_artefact_no_longer_refers_to_its_subject(
    oras: Oras, registry: Registry, attached: Attached
) -> None:
    subject = attached.subject
    oras.remote("manifest", "delete", "--force", f"{subject.name}@{attached.note}")

    assert not registry.has_manifest(subject.repository, attached.note)
    (left,) = oras.ask("discover", subject.by_digest, "--depth", "1")["referrers"]
    assert left["digest"] == attached.sbom
    assert [r["digest"] for r in subject.referrers()] == [attached.sbom]
    subject.assert_untouched()


def test_an_image_is_copied_with_all_that_refers_to_it_without_moving_a_byte(
    oras: Oras, registry: Registry, attached: Attached
) -> None:
    subject, copy = attached.subject, f"{attached.subject.repository}/copy"
    position = registry.log_position()

    oras.copy(subject.by_tag, f"{registry.address}/{copy}:2")

    traffic = registry.traffic_since(position, copy)
    assert traffic.mounted
    assert traffic.uploaded == 0, traffic
    assert tags(registry, copy) == ["2"]
    assert registry.manifest(copy, "2").content == subject.image.manifest
    copied = referrers(registry, copy, subject.image.digest)
    assert copied == subject.referrers()
    assert len(copied) == 2
    (below,) = referrers(registry, copy, attached.sbom)
    assert below["digest"] == attached.sbom_note
    for digest in (attached.sbom, attached.note, attached.sbom_note):
        stored = registry.manifest(copy, digest)
        assert stored == registry.manifest(subject.repository, digest)
        for blob in (stored.json()["config"], *stored.json()["layers"]):
            assert registry.has_blob(copy, blob["digest"])


def test_tags_are_listed_in_order_and_from_any_of_them_on(
    oras: Oras, registry: Registry, subject: Subject
) -> None:
    oras.remote("tag", subject.by_tag, "5", "3", "4", "2")

    assert oras.remote("repo", "tags", subject.name).text.split() == ["1", "2", "3", "4", "5"]
    assert oras.remote("repo", "tags", "--last", "2", subject.name).text.split() == ["3", "4", "5"]
    for tag in ("1", "2", "3", "4", "5"):
        assert registry.manifest(subject.repository, tag).digest == subject.image.digest


def test_repositories_are_listed_by_what_their_names_begin_with(
    oras: Oras, registry: Registry, subject: Subject, image: Image
) -> None:
    registry.push_image(f"{subject.repository}/one", "1", image)
    registry.push_image(f"{subject.repository}/two/deep", "1", image)

    assert subject.repository in oras.remote("repo", "ls", registry.address).text.split()
    assert oras.remote("repo", "ls", subject.name).text.split() == ["one", "two/deep"]


def test_a_deleted_manifest_is_gone_under_all_its_names_and_no_other_is(
    oras: Oras, registry: Registry, subject: Subject, image: Image
) -> None:
    oras.remote("tag", subject.by_tag, "2")
    registry.push_image(subject.repository, "other", image)

    oras.remote("manifest", "delete", "--force", subject.by_digest)

    for reference in (subject.by_digest, subject.by_tag, f"{subject.name}:2"):
        with pytest.raises(CommandError) as gone:
            oras.remote("manifest", "fetch", reference)
        assert "not found" in gone.value.result.output
    assert oras.remote("repo", "tags", subject.name).text.split() == ["other"]
    assert oras.remote("manifest", "fetch", f"{subject.name}:other").stdout == image.manifest


def test_a_blob_is_pushed_fetched_and_deleted(
    oras: Oras, registry: Registry, repository: str, scratch: Path
) -> None:
    content, file = incompressible(MIB, repository), scratch / "blob"
    file.write_bytes(content)
    name = f"{registry.address}/{repository}"
    blob = f"{name}@{digest_of(content)}"
    oras.remote("blob", "push", name, file)

    assert oras.remote("blob", "fetch", "--output", "-", blob).stdout == content
    assert registry.blob(repository, digest_of(content)) == content

    oras.remote("blob", "delete", "--force", blob)

    with pytest.raises(CommandError) as gone:
        oras.remote("blob", "fetch", "--output", "-", blob)
    assert "not found" in gone.value.result.output
    assert not registry.has_blob(repository, digest_of(content))


def test_a_blob_that_an_image_needs_is_not_deleted(
    oras: Oras, registry: Registry, subject: Subject
) -> None:
    (layer,) = subject.image.layers
    digest = digest_of(layer.content)
    with pytest.raises(CommandError) as refused:
        oras.remote("blob", "delete", "--force", f"{subject.name}@{digest}")
    assert "cannot be deleted" in refused.value.result.output
    assert registry.blob(subject.repository, digest) == layer.content
