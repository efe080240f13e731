"""Archives of docker and podman: which layers they hold, and the manifest that is made."""

from __future__ import annotations

import gzip
import json
import tarfile
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.model.manifest import Manifest
from slipway_cli.push.archives.contents import Held, Members
from slipway_cli.push.archives.errors import ArchiveError
from slipway_cli.push.archives.measure import Compression, Measure
from slipway_cli.push.docker_archive import is_docker_archive, plan
from slipway_cli.push.plan import Wanted
from tests.archives import members_of, written
from tests.e2e.images import OCI_CONFIG, Image, Layer, digest_of, encode, tar

ANYTHING = Wanted()
MIB = 1024 * 1024
ONE, TWO = tar({"one": b"1"}), tar({"two": b"2"})
IMAGE = Image([Layer(ONE), Layer(TWO), Layer(ONE)])


def archive(
    files: dict[str, bytes],
    layers: list[str],
    image: Image = IMAGE,
    links: dict[str, tuple[bytes, str]] | None = None,
    names: list[str] | None = None,
) -> Members:
    entry = {"Config": "config.json", "RepoTags": names or ["web:v1"], "Layers": layers}
    whole = {**files, "config.json": image.config, "manifest.json": encode([entry])}
    return members_of(written(whole, links or {}))


def layers_of(content: bytes) -> list[tuple[str, str]]:
    return [(each["mediaType"], each["digest"]) for each in json.loads(content)["layers"]]


def test_layers_stay_as_they_are_and_a_link_is_what_it_leads_to() -> None:
    """As docker before 25 writes it: the third layer is the first one again."""
    members = archive(
        {"a/layer.tar": ONE, "b/layer.tar": TWO},
        ["a/layer.tar", "b/layer.tar", "c/layer.tar"],
        links={"c/layer.tar": (tarfile.SYMTYPE, "../a/layer.tar")},
    )
    assert is_docker_archive(members)
    made = plan(members, ANYTHING)
    content = made.root.file.document()
    kind = "application/vnd.oci.image.layer.v1.tar"
    assert layers_of(content) == [(kind, digest_of(each)) for each in (ONE, TWO, ONE)]
    parsed = Manifest.parse(content, made.root.media_type)
    assert parsed.config is not None
    assert (str(parsed.config.digest), parsed.config.media_type) == (
        IMAGE.config_digest,
        OCI_CONFIG,
    )
    assert {str(blob.digest): blob.file.document() for blob in made.blobs} == {
        digest_of(content): content for content in (ONE, TWO, IMAGE.config)
    }
    assert made.names == ("web:v1",)


def test_the_same_archive_gives_the_same_manifest() -> None:
    made = [
        plan(archive({"a": ONE, "b": TWO}, ["a", "b", "a"]), ANYTHING).root.digest for _ in range(2)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_compressed_layer_is_held_against_the_config(parts: int) -> None:
    half = len(ONE) // parts
    compressed = b"".join(gzip.compress(ONE[at : at + half]) for at in range(0, len(ONE), half))
    image = Image([Layer(ONE)])
    made = plan(archive({"a.tar.gz": compressed}, ["a.tar.gz"], image), ANYTHING)
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    assert layers_of(made.root.file.document()) == [(kind, digest_of(compressed))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TWO, "not the layer that the config names"),
        (gzip.compress(TWO), "not the layer that the config names"),
        (gzip.compress(ONE)[:-1], "ends too early"),
        (gzip.compress(ONE)[:20] + b"x" * 50, "cannot decompress"),
    ],
    ids=["another", "another-compressed", "cut", "damaged"],
)
def test_a_layer_that_is_another_or_damaged_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ArchiveError, match=said):
        plan(archive({"a": content}, ["a"], Image([Layer(ONE)])), ANYTHING)


@given(st.sampled_from([b"", b"abc", ONE]), st.booleans(), st.data())
def test_a_layer_is_measured_the_same_in_any_pieces(
    layer: bytes, is_compressed: bool, data: st.DataObject
) -> None:
    content = gzip.compress(layer) if is_compressed else layer
    cuts = data.draw(st.lists(st.integers(0, min(len(content), 30)), max_size=5).map(sorted))
    measure = Measure()
    for begin, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        measure.update(content[begin:end])
    assert (measure.size, measure.digest) == (len(content), digest_of(content))
    assert (measure.compression is Compression.GZIP) == is_compressed
    assert measure.diff_id() == digest_of(layer)


def test_a_bomb_of_compressed_zeros_takes_time_but_no_memory() -> None:
    members = archive({"a": gzip.compress(bytes(64 * MIB))}, ["a"], Image([Layer(ONE)]))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="not the layer"):
            plan(members, ANYTHING)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_a_missing_layer_or_config_is_named() -> None:
    with pytest.raises(ArchiveError, match="not complete: b is missing"):
        plan(archive({"a": ONE}, ["a", "b", "a"]), ANYTHING)
    with pytest.raises(ArchiveError, match=r"has 3 layers, but manifest\.json has 1"):
        plan(archive({"a": ONE}, ["a"]), ANYTHING)
    links = {"a": (tarfile.SYMTYPE, "/etc/passwd")}
    with pytest.raises(ArchiveError, match="not complete: a is missing"):
        plan(archive({}, ["a"], Image([Layer(ONE)]), links), ANYTHING)


def test_one_image_of_several_is_chosen_by_its_name() -> None:
    first, second = Image([Layer(ONE)]), Image([Layer(TWO)])
    entries = [
        {"Config": "1.json", "RepoTags": ["docker.io/team/web:v1", "web:old"], "Layers": ["1"]},
        {"Config": "2.json", "RepoTags": None, "Layers": ["2"]},
    ]
    members = members_of(
        written(
            {
                "1": ONE,
                "2": TWO,
                "1.json": first.config,
                "2.json": second.config,
                "manifest.json": encode(entries),
            }
        )
    )
    for name in ("docker.io/team/web:v1", "team/web:v1", "web:old"):
        made = plan(members, Wanted(name))
        assert digest_of(first.config) in [str(blob.digest) for blob in made.blobs]
    with pytest.raises(ArchiveError, match=r"--select: docker\.io/team/web:v1, web:old, 2\.json"):
        plan(members, ANYTHING)
    with pytest.raises(ArchiveError, match="b:v1 is not in the archive"):
        plan(members, Wanted("b:v1"))


def test_an_image_of_another_platform_is_refused() -> None:
    members = archive({"a": ONE}, ["a"], Image([Layer(ONE)]))
    assert plan(members, Wanted(platform="linux/amd64")).blobs
    with pytest.raises(ArchiveError, match="the image is for linux/amd64"):
        plan(members, Wanted(platform="linux/arm64"))


@pytest.mark.parametrize(
    "listed",
    [
        b"",
        b"{}",
        b"[1]",
        b'[{"Config": 1, "Layers": []}]',
        b'[{"Config": "config.json", "Layers": [1]}]',
        b'[{"Config": "config.json", "Layers": {"a": 1}}]',
        b'[{"Config": "config.json", "Layers": [], "RepoTags": "web"}]',
    ],
)
def test_a_list_that_is_none_is_an_error_in_words(listed: bytes) -> None:
    members = archive({}, [])
    members.add("manifest.json", Held(listed))
    with pytest.raises(ArchiveError, match=r"manifest\.json in the archive"):
        plan(members, ANYTHING)


@pytest.mark.parametrize("rootfs", [None, [], {"diff_ids": {}}, {"diff_ids": [1]}])
def test_a_config_that_is_none_is_an_error_in_words(rootfs: Any) -> None:
    members = archive({"a": ONE}, ["a"])
    members.add("config.json", Held(encode({"rootfs": rootfs})))
    with pytest.raises(ArchiveError, match=r"config\.json"):
        plan(members, ANYTHING)
