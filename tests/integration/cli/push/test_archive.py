"""`slipway push --archive`: whatever the archive is and however it comes, the same is pushed."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archives import LayoutFiles, blob_name, docker_files, write_folder, written
from tests.e2e.images import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Layer,
    descriptor,
    digest_of,
    encode,
    incompressible,
    tar,
)
from tests.integration.cli.conftest import Run
from tests.integration.cli.shelf import Shelf

MIB = 1024 * 1024
Push = Callable[..., tuple[int, str, str]]
WAYS = ("folder", "file", "compressed", "standard input", "compressed standard input")


@pytest.fixture
def push(run: Run, admin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Push:
    """Pushes files as an archive, in the way that is named."""

    def call(way: str, files: dict[str, bytes] | bytes, *words: str) -> tuple[int, str, str]:
        if way == "folder":
            assert isinstance(files, dict)
            return run("push", "--archive", str(write_folder(tmp_path / "folder", files)), *words)
        content = files if isinstance(files, bytes) else written(files)
        if way.startswith("compressed"):
            content = gzip.compress(content, 1)
        if "standard input" in way:
            stdin = io.TextIOWrapper(io.BytesIO(content))
            monkeypatch.setattr(sys, "stdin", stdin)
            return run("push", "--archive", "-", *words)
        path = tmp_path / "archive"
        path.write_bytes(content)
        return run("push", "--archive", str(path), *words)

    return call


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"push/{name[:120].strip('-')}"


def image(seed: object, architecture: str = "amd64", size: int = 1000) -> Image:
    layers = [
        Layer(tar({"data": incompressible(size, f"{seed} 1")})),
        Layer(tar({"more": incompressible(size, f"{seed} 2")})),
    ]
    return Image(layers, {"architecture": architecture, "os": "linux"})


def manifest(shelf: Shelf, repository: str, reference: str) -> tuple[int, bytes]:
    return shelf.send("GET", f"/v2/{repository}/manifests/{reference}")


def has_blob(shelf: Shelf, repository: str, content: bytes) -> bool:
    return shelf.send("HEAD", f"/v2/{repository}/blobs/{digest_of(content)}")[0] == 200


def summary(said: str) -> str:
    """What was done with blobs, without how long it took."""
    return next(line for line in said.splitlines() if " in " in line and "blob" in line)


@pytest.mark.parametrize("way", WAYS)
def test_a_layout_arrives_byte_for_byte_however_it_comes(
    push: Push, shelf: Shelf, repository: str, way: str
) -> None:
    """One layer is of several chunks, one is small, and the config is JSON."""
    files, one = LayoutFiles(), image(way, size=9 * MIB)
    files.list(files.image(one), "v1")
    status, out, err = push(way, files.files(), f"{shelf.netloc}/{repository}:v1")
    assert status == 0, err
    assert out == f"{shelf.netloc}/{repository}@{one.digest}\n"
    assert manifest(shelf, repository, "v1") == (200, one.manifest)
    assert all(has_blob(shelf, repository, content) for content in one.blobs())
    assert summary(err).startswith("3 blobs sent (18.9 MB) in ")
    assert err.splitlines()[-1] == f"FROM {shelf.netloc}/{repository}@{one.digest}"


@pytest.mark.parametrize("way", WAYS[1:])
def test_an_archive_of_docker_arrives_with_its_layers_as_they_are(
    push: Push, shelf: Shelf, repository: str, way: str
) -> None:
    one = image(way, size=5 * MIB)
    status, out, err = push(way, docker_files(one, "web:dev"), f"{repository}:v1")
    assert status == 0, err
    found, content = manifest(shelf, repository, "v1")
    assert found == 200
    assert out == f"{shelf.netloc}/{repository}@{digest_of(content)}\n"
    document = json.loads(content)
    assert document["config"]["digest"] == one.config_digest
    assert [each["digest"] for each in document["layers"]] == [
        layer.diff_id for layer in one.layers
    ]
    assert all(has_blob(shelf, repository, layer.archive) for layer in one.layers)
    # What is no part of the image is not there, wherever it came in the archive.
    assert not has_blob(shelf, repository, b"1.0")


@pytest.mark.parametrize("way", WAYS)
def test_an_index_arrives_with_its_children_and_what_refers_to_them(
    push: Push, shelf: Shelf, repository: str, way: str
) -> None:
    files = LayoutFiles()
    amd = files.image(image(f"{way} amd"))
    arm = files.image(image(f"{way} arm", "arm64"))
    whole = files.index(amd, arm)
    empty = files.blob(b"{}", "application/vnd.oci.empty.v1+json")
    signature = files.manifest(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/vnd.example.signature",
            "config": empty,
            "layers": [files.blob(b"signature")],
            "subject": amd,
        }
    )
    by_tag = files.image(image(f"{way} by tag"))
    tag = f"{whole['digest'].replace(':', '-')}.sig"
    files.list(whole, "v1")
    files.list(signature)
    files.list(by_tag, tag)
    status, out, err = push(way, files.files(), f"{repository}:v1")
    assert status == 0, err
    assert out == f"{shelf.netloc}/{repository}@{whole['digest']}\n"
    for each in (whole, amd, arm, signature, by_tag):
        name = f"blobs/{each['digest'].replace(':', '/')}"
        assert manifest(shelf, repository, each["digest"]) == (200, files.blobs[name])
    referrers = shelf.send("GET", f"/v2/{repository}/referrers/{amd['digest']}")[1]
    assert [each["digest"] for each in json.loads(referrers)["manifests"]] == [signature["digest"]]
    assert shelf.tags(repository) == [tag, "v1"]


@pytest.mark.parametrize("way", ["folder", "standard input"])
def test_what_is_there_is_not_sent_again_and_what_can_be_mounted_is_not_sent_at_all(
    push: Push, shelf: Shelf, repository: str, way: str
) -> None:
    files, one = LayoutFiles(), image(way, size=MIB)
    files.list(files.image(one))
    assert push(way, files.files(), f"{repository}/first:v1")[0] == 0
    err = push(way, files.files(), f"{repository}/first:v2")[2]
    assert summary(err).startswith("3 blobs there already (2.1 MB) in ")
    assert manifest(shelf, f"{repository}/first", "v2")[0] == 200
    words = ("--mount-from", f"{repository}/none", "--mount-from", f"{repository}/first")
    status, _, err = push(way, files.files(), f"{repository}/second:v1", *words)
    assert status == 0, err
    assert summary(err).startswith("3 blobs mounted (2.1 MB) in ")
    assert manifest(shelf, f"{repository}/second", "v1") == (200, one.manifest)


def test_layers_are_mounted_from_where_the_archive_says_that_it_is_from(
    push: Push, shelf: Shelf, repository: str
) -> None:
    one = image(repository)
    files = docker_files(one, f"{shelf.netloc}/{repository}/first:v1")
    assert push("file", files, f"{repository}/first:v1")[0] == 0
    status, _, err = push("file", files, f"{repository}/second:v1")
    assert status == 0, err
    assert "3 blobs mounted" in summary(err)


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_file_that_no_manifest_needs_is_no_blob(
    push: Push, shelf: Shelf, repository: str, way: str
) -> None:
    one, other = image(way), incompressible(5 * MIB, repository)
    files = {"other/layer.tar": other, **docker_files(one)}
    status, _, err = push(way, files, f"{repository}:v1")
    assert status == 0, err
    assert not has_blob(shelf, repository, other)


def test_of_an_archive_that_breaks_off_only_the_rest_is_sent_when_it_comes_again(
    push: Push, shelf: Shelf, repository: str
) -> None:
    """As it comes from standard input: layers that are named by their digest stay."""
    files, one = LayoutFiles(), image(repository, size=5 * MIB)
    files.list(files.image(one))
    whole = written(files.files())
    first, second = (layer.content for layer in one.layers)
    assert whole.index(first) < whole.index(second)
    status, _, err = push("standard input", whole[: whole.index(second) + MIB], f"{repository}:v1")
    assert (status, "cut off" in err) == (1, True), err
    status, _, err = push("standard input", whole, f"{repository}:v1")
    assert status == 0, err
    assert "2 blobs sent (5.2 MB)" in summary(err)
    assert "1 blob there already (5.2 MB)" in summary(err)
    assert manifest(shelf, repository, "v1") == (200, one.manifest)


def damaged(kind: str, files: LayoutFiles, one: Image) -> bytes:
    name = blob_name(one.layers[1].content)
    if kind == "missing":
        del files.blobs[name]
    elif kind == "changed":
        files.blobs[name] = bytes(len(files.blobs[name]))
    elif kind == "longer":
        files.blobs[name] += b" "
    elif kind == "without an index":
        return written(files.blobs)
    whole = written(files.files())
    return whole[: len(whole) // 2] if kind == "cut off" else whole


@pytest.mark.parametrize("way", ["file", "compressed", "standard input"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "not complete"),
        ("changed", "damaged"),
        ("longer", "damaged"),
        ("without an index", "neither an OCI layout nor one of docker"),
        ("cut off", "cut off"),
    ],
)
def test_of_an_archive_that_is_damaged_nothing_is_published(
    push: Push, shelf: Shelf, repository: str, way: str, kind: str, said: str
) -> None:
    files, one = LayoutFiles(), image(f"{way} {kind}", size=MIB)
    files.list(files.index(files.image(one)), "v1")
    status, out, err = push(way, damaged(kind, files, one), f"{repository}:v1")
    assert (status, out) == (1, "")
    assert said in err
    assert manifest(shelf, repository, "v1")[0] == 404
    assert manifest(shelf, repository, one.digest)[0] == 404


def test_a_damaged_layer_of_docker_is_refused_by_the_registry(
    push: Push, shelf: Shelf, repository: str
) -> None:
    """It is not read before it is sent: the config says what it has to be."""
    one = image(repository)
    files = docker_files(one)
    name = next(name for name in files if name.endswith("layer.tar"))
    files[name] = bytes(len(files[name]))
    status, _, err = push("file", files, f"{repository}:v1")
    assert (status, "damaged" in err) == (1, True), err
    assert manifest(shelf, repository, "v1")[0] == 404


def test_a_digest_in_the_reference_has_to_be_that_of_the_archive(
    push: Push, shelf: Shelf, repository: str
) -> None:
    files, one = LayoutFiles(), image(repository)
    files.list(files.image(one))
    wrong = digest_of(b"")
    status, _, err = push("folder", files.files(), f"{repository}@{wrong}")
    assert (status, "and not what" in err) == (1, True), err
    status, out, err = push("folder", files.files(), f"{repository}@{one.digest}")
    assert (status, out) == (0, f"{shelf.netloc}/{repository}@{one.digest}\n"), err
    assert shelf.tags(repository) == []


def test_programs_get_the_digest_in_json(push: Push, shelf: Shelf, repository: str) -> None:
    files, one = LayoutFiles(), image(repository)
    files.list(files.image(one))
    _, out, _ = push("folder", files.files(), repository, "-o", "json")
    assert json.loads(out) == {
        "name": f"{shelf.netloc}/{repository}@{one.digest}",
        "digest": one.digest,
        "mediaType": OCI_MANIFEST,
        "tag": "latest",
    }


def test_what_to_paste_is_what_the_artefact_is_for(
    push: Push, shelf: Shelf, repository: str
) -> None:
    def artefact(config_type: str) -> dict[str, bytes]:
        files = LayoutFiles()
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}
        files.list(files.manifest({**document, "config": files.blob(b"{}", config_type)}))
        return files.files()

    chart = artefact("application/vnd.cncf.helm.config.v1+json")
    err = push("file", chart, f"{repository}:1.0.0_a")[2]
    place = f"{shelf.netloc}/{repository}"
    assert err.splitlines()[-1] == f"helm pull oci://{place} --version 1.0.0+a"
    err = push("file", artefact("application/vnd.example"), f"{repository}:2")[2]
    assert err.splitlines()[-1].startswith(f"oras pull {place}@sha256:")


def test_a_wrong_password_is_told_before_anything_is_sent(
    push: Push, shelf: Shelf, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, one = LayoutFiles(), image(repository)
    files.list(files.image(one))
    monkeypatch.setenv("SLIPWAY_PASSWORD", "another")
    for way in ("folder", "standard input"):
        status, out, err = push(way, files.files(), f"{repository}:v1")
        assert (status, out) == (4, "")
        assert "Sign in again" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--archive", "nowhere.tar", "team/web:v1"], "nowhere.tar is not there"),
        (["--archive", "/etc/passwd", "team/web"], "no tar archive"),
        (["--archive", "-", "--password-stdin", "-u", "a", "team/web"], "has the archive already"),
        (["--archive", "/tmp", "app:v1", "team/web"], "no image or engine"),
        (["--archive", "/tmp", "--platform", "arm", "team/web"], "write it as linux/amd64"),
        (["--archive", "/tmp", "Team/Web"], "Team/Web"),
    ],
)
def test_wrong_arguments_are_told_in_words(
    run: Run, admin: Path, words: list[str], said: str
) -> None:
    status, out, err = run("push", *words)
    assert status in (1, 2)
    assert out == ""
    assert said in err


def test_an_index_that_is_not_complete_is_pushed_by_platform(
    push: Push, shelf: Shelf, repository: str
) -> None:
    """As docker saves an image of several platforms, of which it has one."""
    files, amd = LayoutFiles(), image(repository)
    here = {**files.image(amd), "platform": {"os": "linux", "architecture": "amd64"}}
    away = descriptor(OCI_MANIFEST, image("arm", "arm64").manifest)
    files.list(files.index(here, {**away, "platform": {"os": "linux", "architecture": "arm64"}}))
    for way in ("file", "standard input"):
        status, _, err = push(way, files.files(), f"{repository}:v1")
        assert (status, "use --platform" in err) == (1, True), err
        words = ("--platform", "linux/amd64")
        status, out, err = push(way, files.files(), f"{repository}:v1", *words)
        assert (status, out) == (0, f"{shelf.netloc}/{repository}@{amd.digest}\n"), err
    assert OCI_INDEX.encode() not in manifest(shelf, repository, "v1")[1]


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_what_docker_saves_since_version_25_is_a_layout_and_is_pushed_as_one(
    push: Push, shelf: Shelf, repository: str, way: str
) -> None:
    """It has a list for older versions too, and layers that are not compressed."""
    archives = [tar({"data": incompressible(5 * MIB, f"{way} {n}")}) for n in range(2)]
    files, one = LayoutFiles(), Image([Layer(each) for each in archives])
    config = files.blob(one.config, OCI_CONFIG)
    layers = [files.blob(each, "application/vnd.oci.image.layer.v1.tar") for each in archives]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": layers,
    }
    entry = files.manifest(document)
    # One image that has two names is listed twice.
    for tag in ("v1", "latest"):
        files.list(entry, tag)
    listed = {
        "Config": blob_name(one.config),
        "RepoTags": ["app:v1", "app:latest"],
        "Layers": [blob_name(each) for each in archives],
    }
    older = {"manifest.json": encode([listed]), "repositories": b"{}"}
    status, out, err = push(way, {**files.files(), **older}, f"{repository}:v1")
    assert status == 0, err
    assert out == f"{shelf.netloc}/{repository}@{entry['digest']}\n"
    assert manifest(shelf, repository, "v1") == (200, encode(document))
