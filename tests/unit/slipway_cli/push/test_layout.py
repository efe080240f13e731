"""Which image of an OCI layout is pushed, and what belongs to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.model.manifest import Manifest
from slipway_cli.command import UsageError
from slipway_cli.push.archives.contents import Held
from slipway_cli.push.archives.errors import ArchiveError
from slipway_cli.push.layout import MAX_MANIFESTS, Layout, is_layout
from slipway_cli.push.plan import Plan, Wanted
from tests.archives import LayoutFiles, blob_name
from tests.e2e.images import (
    OCI_FOREIGN_LAYER,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Layer,
    descriptor,
    digest_of,
    encode,
    tar,
)

ANYTHING = Wanted()


def image(seed: object, platform: str = "linux/amd64") -> Image:
    system, _, architecture = platform.partition("/")
    layers = [Layer(tar({"data": str(seed).encode()})), Layer(tar({}))]
    return Image(layers, {"architecture": architecture, "os": system})


def planned(files: LayoutFiles, wanted: Wanted = ANYTHING) -> Plan:
    return Layout(files.members()).plan(wanted)


def digests(plan: Plan) -> list[str]:
    return [str(manifest.digest) for manifest in plan.manifests]


def with_platform(entry: dict[str, Any], platform: str) -> dict[str, Any]:
    system, _, architecture = platform.partition("/")
    return {**entry, "platform": {"os": system, "architecture": architecture}}


def referrer(files: LayoutFiles, subject: dict[str, Any], seed: str = "") -> dict[str, Any]:
    config = files.blob(b"{}", "application/vnd.oci.empty.v1+json")
    return files.manifest(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/vnd.example.signature",
            "config": config,
            "layers": [files.blob(f"signature {seed}".encode())],
            "subject": subject,
        }
    )


def test_an_image_is_pushed_as_it_is_with_its_config_and_layers() -> None:
    files, one = LayoutFiles(), image(1)
    files.list(files.image(one), "v1")
    plan = planned(files)
    assert is_layout(files.members())
    assert digests(plan) == [one.digest]
    assert plan.root.file.document() == one.manifest
    assert {str(blob.digest) for blob in plan.blobs} == {digest_of(b) for b in one.blobs()}
    assert plan.names == ["v1"]


def test_an_index_comes_after_its_children_and_what_refers_to_them() -> None:
    files = LayoutFiles()
    amd, arm = files.image(image("amd")), files.image(image("arm", "linux/arm64"))
    inner = files.index(arm)
    whole = files.index(amd, inner)
    signature = referrer(files, amd)
    of_signature = referrer(files, signature)
    files.list(whole, "v1")
    files.list(signature)
    files.list(of_signature)
    order = digests(planned(files))
    assert set(order) == {
        each["digest"] for each in (amd, arm, inner, whole, signature, of_signature)
    }
    assert order[-1] == whole["digest"]
    assert order.index(arm["digest"]) < order.index(inner["digest"])


def test_referrers_are_found_by_the_tag_that_stands_for_their_list() -> None:
    files = LayoutFiles()
    one = files.image(image(1))
    signature = referrer(files, one)
    files.list(one, "v1")
    files.list(files.index(signature), one["digest"].replace(":", "-"))
    assert digests(planned(files)) == [signature["digest"], one["digest"]]


def test_signatures_that_are_found_by_a_tag_keep_it() -> None:
    """As cosign makes them."""
    files = LayoutFiles()
    one, signature, other = (files.image(image(seed)) for seed in range(3))
    tag = f"{one['digest'].replace(':', '-')}.sig"
    files.list(one, "v1")
    files.list(signature, tag)
    files.list(other, f"{other['digest'].replace(':', '-')}.sig")
    found = [(str(each.digest), each.tag) for each in planned(files).manifests]
    assert found == [(signature["digest"], tag), (one["digest"], "")]


def test_what_refers_to_other_images_stays() -> None:
    files = LayoutFiles()
    one, other = files.image(image(1)), files.image(image(2))
    files.list(one, "v1")
    files.list(other, "v2")
    files.list(referrer(files, other))
    assert digests(planned(files, Wanted("v1"))) == [one["digest"]]


@given(st.lists(st.lists(st.integers(0, 20), max_size=4), min_size=1, max_size=12))
def test_children_always_come_first_and_each_manifest_once(shape: list[list[int]]) -> None:
    """Indexes that share children in any way that digests allow."""
    files = LayoutFiles()
    made = [files.image(image(0))]
    for number, children in enumerate(shape):
        chosen = [made[child % len(made)] for child in children]
        made.append(files.index(*chosen, annotations={"n": str(number)}))
    files.list(made[-1])
    plan = planned(files)
    order = digests(plan)
    assert len(order) == len(set(order))
    assert order[-1] == made[-1]["digest"]
    for manifest in plan.manifests:
        parsed = Manifest.parse(manifest.file.document(), manifest.media_type)
        for child in parsed.children:
            assert order.index(str(child.digest)) < order.index(str(manifest.digest))


def test_indexes_that_double_at_each_level_are_read_once_each() -> None:
    files = LayoutFiles()
    entry = files.image(image(0))
    for _ in range(200):
        entry = files.index(entry, {**entry, "annotations": {"again": "yes"}})
    files.list(entry)
    assert len(planned(files).manifests) == 201


def test_a_chain_of_indexes_is_no_deeper_than_what_belongs_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("slipway_cli.push.layout.MAX_MANIFESTS", 1500)
    files = LayoutFiles()
    entry = files.image(image(0))
    for _ in range(1500):
        entry = files.index(entry)
    files.list(entry)
    with pytest.raises(ArchiveError, match="more than 1,500 manifests"):
        planned(files)
    assert MAX_MANIFESTS > 1500


def test_one_image_of_several_is_chosen_by_its_tag_its_name_or_its_digest() -> None:
    files = LayoutFiles()
    one, two = files.image(image(1)), files.image(image(2))
    files.list(one, "v1")
    name = {"io.containerd.image.name": "docker.io/library/web:v2"}
    files.entries.append({**two, "annotations": name})
    for wanted, entry in (
        ("v1", one),
        ("docker.io/library/web:v2", two),
        ("web:v2", two),
        (two["digest"], two),
    ):
        assert digests(planned(files, Wanted(wanted))) == [entry["digest"]]
    with pytest.raises(ArchiveError, match=r"several images.*--select: v1 \(.*web:v2"):
        planned(files)
    with pytest.raises(ArchiveError, match="v3 is not in the archive"):
        planned(files, Wanted("v3"))


def test_two_names_of_one_image_are_one_image() -> None:
    files = LayoutFiles()
    one = files.image(image(1))
    files.list(one, "v1")
    files.list(one, "latest")
    plan = planned(files)
    assert digests(plan) == [one["digest"]]
    assert plan.names == ["v1", "latest"]


def test_the_image_of_a_platform_is_taken_out_of_an_index_that_is_not_complete() -> None:
    files = LayoutFiles()
    amd = image("amd")
    absent = image("arm", "linux/arm64")
    away = descriptor(OCI_MANIFEST, absent.manifest)
    files.list(
        files.index(
            with_platform(files.image(amd), "linux/amd64"), with_platform(away, "linux/arm64")
        ),
        "v1",
    )
    assert digests(planned(files, Wanted(platform="linux/amd64"))) == [amd.digest]
    with pytest.raises(ArchiveError, match=r"for linux/arm64 is missing.*--platform"):
        planned(files)
    with pytest.raises(ArchiveError, match=r"no images for linux/s390x.*linux/amd64, linux/arm64"):
        planned(files, Wanted(platform="linux/s390x"))


def test_an_image_of_another_platform_is_refused() -> None:
    files = LayoutFiles()
    files.list(files.image(image(1)))
    assert digests(planned(files, Wanted(platform="linux/amd64")))
    with pytest.raises(ArchiveError, match="the image is for linux/amd64"):
        planned(files, Wanted(platform="linux/arm64"))
    with pytest.raises(UsageError, match="write it as"):
        Wanted(platform="amd64")


def test_layers_that_live_elsewhere_are_not_needed() -> None:
    files = LayoutFiles()
    foreign = Layer(tar({"windows": b""}), urls=("https://example.com/layer",))
    one = Image([Layer(tar({"own": b""})), foreign])
    files.list(files.image(one))
    assert OCI_FOREIGN_LAYER.encode() in one.manifest
    assert foreign.content not in [blob.file.document() for blob in planned(files).blobs]


def test_a_missing_or_shorter_layer_is_found_before_anything_is_sent() -> None:
    files, one = LayoutFiles(), image(1)
    files.list(files.image(one))
    name = blob_name(one.layers[0].content)
    content = files.blobs.pop(name)
    with pytest.raises(ArchiveError, match=f"not complete: {name} is missing"):
        planned(files)
    files.blobs[name] = content[:-1]
    with pytest.raises(ArchiveError, match="damaged"):
        planned(files)


def test_a_changed_manifest_is_found() -> None:
    files, one = LayoutFiles(), image(1)
    files.list(files.image(one))
    files.blobs[blob_name(one.manifest)] = one.manifest + b" "
    with pytest.raises(ArchiveError, match="another digest"):
        planned(files)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{",
        b'{"manifests": {}}',
        b'{"manifests": [1]}',
        b'{"manifests": [{"mediaType": "a", "size": 1, "digest": "sha256:../../../etc/passwd"}]}',
        b'{"manifests": [{"mediaType": "a", "size": 1}]}',
        b'{"manifests": [{"digest": "sha256:' + b"0" * 64 + b'"}]}',
        b"[" * 100_000,
    ],
)
def test_an_index_that_is_none_is_an_error_in_words(document: bytes) -> None:
    members = LayoutFiles().members()
    members.add("index.json", Held(document))
    with pytest.raises(ArchiveError, match=r"in the archive"):
        Layout(members).plan(ANYTHING)


def test_an_empty_layout_is_told_as_such() -> None:
    with pytest.raises(ArchiveError, match="holds no image"):
        planned(LayoutFiles())


def test_what_is_listed_is_what_the_registry_takes() -> None:
    files = LayoutFiles()
    files.list(files.manifest({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": {}}))
    with pytest.raises(ArchiveError, match="manifests is not a list"):
        planned(files)


def test_a_layout_of_another_version_is_refused() -> None:
    files = LayoutFiles()
    files.list(files.image(image(1)))
    members = files.members()
    members.add("oci-layout", Held(encode({"imageLayoutVersion": "2.0.0"})))
    with pytest.raises(ArchiveError, match=r"not of version 1\.0\.0"):
        Layout(members).plan(ANYTHING)
