import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import ManifestInvalid
from registry_core.model import media_types
from registry_core.model.digest import Digest
from registry_core.model.manifest import (
    MAX_MANIFEST_BYTES,
    Descriptor,
    Manifest,
    Platform,
    References,
    parse_platform,
)
from registry_core.model.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

IMAGES = [OCI_MANIFEST, DOCKER_MANIFEST]
INDEXES = [OCI_INDEX, DOCKER_LIST]
FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
SBOM = "application/spdx+json"


def digest(name: str) -> str:
    return str(Digest.of(name.encode()))


def descriptor(name: str = "layer", size: object = 10, **changes: Any) -> dict[str, Any]:
    return {"mediaType": "application/x", "digest": digest(name), "size": size, **changes}


def image(**changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "config": descriptor("config", 3, mediaType=media_types.OCI_CONFIG),
        "layers": [descriptor("one"), descriptor("two", 20)],
        **changes,
    }


def index(**changes: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "manifests": [descriptor("a"), descriptor("b")], **changes}


def document_of(media_type: str, **changes: Any) -> dict[str, Any]:
    return index(**changes) if media_type in INDEXES else image(**changes)


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def parse(document: object, content_type: str | None = None) -> Manifest:
    return Manifest.parse(encoded(document), content_type)


def refused(content: bytes, content_type: str | None = None) -> str:
    """The reason why `content` is refused."""
    with pytest.raises(ManifestInvalid) as raised:
        Manifest.parse(content, content_type)
    assert len(raised.value.body()) < 1000
    return raised.value.text


@pytest.mark.parametrize("media_type", IMAGES)
def test_an_image_manifest_needs_its_config_and_layers(media_type: str) -> None:
    manifest = parse(image(mediaType=media_type), media_type)
    assert manifest.media_type == media_type
    assert [str(blob.digest) for blob in manifest.blobs] == [
        digest(name) for name in ("config", "one", "two")
    ]
    assert manifest.children == ()
    assert manifest.image_size == 33


@pytest.mark.parametrize("media_type", INDEXES)
def test_an_index_has_children_and_needs_no_blob(media_type: str) -> None:
    manifest = parse(index(mediaType=media_type), media_type)
    assert manifest.media_type == media_type
    assert [str(child.digest) for child in manifest.children] == [digest("a"), digest("b")]
    assert manifest.blobs == ()
    assert manifest.image_size == 0


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("whitespace", [b"", b"\n", b" \t\r\n"])
def test_the_digest_is_that_of_the_very_bytes(algorithm: str, whitespace: bytes) -> None:
    content = encoded(image()) + whitespace
    manifest = Manifest.parse(content, None, algorithm)
    assert manifest.content == content
    assert manifest.digest == Digest(algorithm, hashlib.new(algorithm, content).hexdigest())


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("suffix", ["", "; charset=utf-8", " ;x=y"])
@pytest.mark.parametrize("media_type", IMAGES + INDEXES)
def test_the_media_type_is_the_headers_and_parameters_do_not_count(
    media_type: str, suffix: str, declared: bool
) -> None:
    changes = {"mediaType": media_type} if declared else {}
    manifest = parse(document_of(media_type, **changes), media_type + suffix)
    assert manifest.media_type == media_type


@pytest.mark.parametrize("header", [None, "", " ", ";charset=utf-8"])
@pytest.mark.parametrize("media_type", IMAGES + INDEXES)
def test_without_a_header_the_body_says_the_media_type(media_type: str, header: str | None) -> None:
    assert parse(document_of(media_type, mediaType=media_type), header).media_type == media_type


@pytest.mark.parametrize(
    ("document", "media_type"), [(image(), OCI_MANIFEST), (index(), OCI_INDEX)]
)
def test_where_nothing_says_the_media_type_it_is_ocis(
    document: dict[str, Any], media_type: str
) -> None:
    assert parse(document).media_type == media_type


@pytest.mark.parametrize("sent", IMAGES + INDEXES)
@pytest.mark.parametrize("declared", IMAGES + INDEXES)
def test_header_and_body_must_agree(sent: str, declared: str) -> None:
    for document in (image(mediaType=declared), index(mediaType=declared)):
        if sent != declared:
            assert "Content-Type" in refused(encoded(document), sent)


@pytest.mark.parametrize("content_type", [None, *IMAGES, *INDEXES])
def test_a_manifest_is_an_image_or_an_index_and_never_both(content_type: str | None) -> None:
    refused(encoded(image() | index()), content_type)


@pytest.mark.parametrize("foreign", ["config", "layers", "fsLayers"])
@pytest.mark.parametrize("media_type", INDEXES)
def test_an_index_has_no_property_of_an_image(media_type: str, foreign: str) -> None:
    value = descriptor() if foreign == "config" else [descriptor()]
    assert foreign in refused(encoded(index(**{foreign: value})), media_type)


@pytest.mark.parametrize("foreign", ["manifests", "fsLayers"])
@pytest.mark.parametrize("media_type", IMAGES)
def test_an_image_has_no_property_of_another_kind(media_type: str, foreign: str) -> None:
    assert foreign in refused(encoded(image(**{foreign: [descriptor()]})), media_type)


@pytest.mark.parametrize(
    ("media_type", "missing"),
    [(OCI_MANIFEST, "config"), (DOCKER_MANIFEST, "layers"), (OCI_INDEX, "manifests")],
)
def test_what_a_media_type_requires_must_be_there(media_type: str, missing: str) -> None:
    document = document_of(media_type)
    del document[missing]
    assert missing in refused(encoded(document), media_type)


@pytest.mark.parametrize("version", [1, 3, "2", None, [], 1.5])
def test_only_schema_version_2_is_known(version: object) -> None:
    assert "schemaVersion" in refused(encoded(image(schemaVersion=version)))


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/json",
        "text/plain",
        "*/*",
        media_types.OCI_CONFIG,
        "x" * 100_000,
    ],
)
def test_any_other_media_type_is_refused(media_type: str) -> None:
    refused(encoded(image(mediaType=media_type)), None)
    refused(encoded(image()), media_type)


def test_a_schema_1_manifest_is_refused() -> None:
    refused(encoded({"schemaVersion": 1, "name": "x", "tag": "y", "fsLayers": [], "history": []}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"{",
        b"null",
        b"[]",
        b"2",
        b'"x"',
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'{"schemaVersion": 2,}',
        b"<html></html>",
        b"{'schemaVersion': 2}",
    ],
)
def test_what_is_not_a_json_object_is_refused(content: bytes) -> None:
    assert "JSON" in refused(content, OCI_MANIFEST)


@pytest.mark.parametrize("content", [b'{"a": "\xff"}', b"\x80", encoded(image()) + b"\xc3"])
def test_what_is_not_utf_8_is_refused(content: bytes) -> None:
    assert "UTF-8" in refused(content, OCI_MANIFEST)


def test_json_in_utf_16_is_refused() -> None:
    refused(json.dumps(image()).encode("utf-16"), OCI_MANIFEST)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(constant: str) -> None:
    content = encoded(image(x=0)).replace(b'"x": 0', f'"x": {constant}'.encode())
    assert "JSON" in refused(content, OCI_MANIFEST)


def test_a_number_of_a_million_digits_is_refused() -> None:
    content = encoded(image(x=0)).replace(b'"x": 0', b'"x": ' + b"9" * 1_000_000)
    refused(content, OCI_MANIFEST)


def test_json_with_more_members_than_any_image_has_is_refused_before_it_is_read() -> None:
    many = ",".join(f'"{number:x}":0' for number in range(100_002))
    refused(f"{{{many}}}".encode(), OCI_MANIFEST)
    long = b'"x": [' + b"0," * 100_001 + b"0]"
    refused(encoded(image(x=0)).replace(b'"x": 0', long), OCI_MANIFEST)


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b"[", b""), (b'{"a":[', b"]}")]
)
def test_json_nested_10_000_deep_is_refused(opening: bytes, closing: bytes) -> None:
    deep = opening * 10_000 + (b"1" if closing else b"") + closing * 10_000
    refused(deep, OCI_MANIFEST)
    refused(encoded(image(x=0)).replace(b'"x": 0', b'"x": ' + deep), OCI_MANIFEST)


def test_a_manifest_of_the_largest_size_is_read() -> None:
    padding = "x" * (MAX_MANIFEST_BYTES - len(encoded(image(annotations={"a": ""}))))
    content = encoded(image(annotations={"a": padding}))
    assert len(content) == MAX_MANIFEST_BYTES == 4 * 1024 * 1024
    assert Manifest.parse(content, OCI_MANIFEST).annotations == {"a": padding}


@pytest.mark.parametrize(
    "value",
    [
        7,
        "x",
        [],
        {},
        descriptor(digest="sha256:x"),
        descriptor(digest="sha256:" + "0" * 63),
        descriptor(digest="SHA384:" + "0" * 96),
        descriptor(digest="sha384:" + "0" * 256),
        descriptor(digest="sha384:00/00"),
        descriptor(digest=None),
        descriptor(digest=7),
        descriptor(digest=digest("x").upper()),
        descriptor(mediaType=7),
        descriptor(size="10"),
        descriptor(size=-1),
        descriptor(size=1.5),
        descriptor(size=True),
        descriptor(size=2**63),
        descriptor(urls="https://example.com"),
        descriptor(urls=[7]),
        descriptor(urls={"a": "b"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["layers", "manifests", "config", "subject"])
def test_a_bad_descriptor_is_refused_and_named(where: str, value: object) -> None:
    changed: object = value if where in {"config", "subject"} else [descriptor(), value]
    build = index if where == "manifests" else image
    reason = refused(encoded(build(**{where: changed})))
    assert (where if where in {"config", "subject"} else f"{where}[1]") in reason


@pytest.mark.parametrize("where", ["layers", "manifests"])
@pytest.mark.parametrize("value", ["x", 7, {"a": 1}, True])
def test_a_list_of_descriptors_is_a_list(where: str, value: object) -> None:
    build = index if where == "manifests" else image
    assert where in refused(encoded(build(**{where: value})))


def test_a_descriptor_without_a_size_is_let_pass() -> None:
    layer = descriptor()
    del layer["size"]
    assert parse(image(layers=[layer])).layers == (
        Descriptor("application/x", Digest.parse(layer["digest"]), None),
    )


def test_a_blob_that_a_manifest_names_twice_is_needed_once_and_counts_twice() -> None:
    manifest = parse(image(layers=[descriptor("one", 5), descriptor("one", 5)]))
    assert [str(blob.digest) for blob in manifest.blobs] == [digest("config"), digest("one")]
    assert manifest.image_size == 13


@pytest.mark.parametrize(
    ("layer", "elsewhere"),
    [
        (descriptor(), False),
        (descriptor(urls=[]), False),
        (descriptor(urls=["https://example.com/x"]), True),
        *((descriptor(mediaType=kind), True) for kind in sorted(media_types.NOT_PUSHED_LAYERS)),
        (descriptor(mediaType=FOREIGN_LAYER, urls=["https://example.com/x"]), True),
    ],
    ids=str,
)
def test_layers_that_lie_elsewhere_need_not_be_pushed(
    layer: dict[str, Any], elsewhere: bool
) -> None:
    (parsed,) = parse(image(layers=[layer])).layers
    assert parsed.need_not_be_pushed is elsewhere


@pytest.mark.parametrize("build", [image, index])
def test_a_manifest_may_name_its_subject(build: Any) -> None:
    manifest = parse(build(subject=descriptor("base", 7)))
    assert manifest.subject == Descriptor("application/x", Digest.parse(digest("base")), 7)
    assert manifest.subject not in manifest.blobs
    assert parse(build()).subject is None
    assert parse(build(subject=None)).subject is None


@pytest.mark.parametrize(
    ("document", "artifact_type"),
    [
        # distribution-spec, "Listing Referrers": an image's config type stands in.
        (image(), media_types.OCI_CONFIG),
        (image(artifactType=""), media_types.OCI_CONFIG),
        (image(artifactType=SBOM), SBOM),
        (image(artifactType=SBOM, config=descriptor(mediaType=media_types.OCI_EMPTY)), SBOM),
        (index(), ""),
        (index(artifactType=SBOM), SBOM),
    ],
)
def test_the_artifact_type_falls_back_to_that_of_an_images_config(
    document: dict[str, Any], artifact_type: str
) -> None:
    assert parse(document).artifact_type == artifact_type


@pytest.mark.parametrize("key", ["artifactType", "mediaType"])
@pytest.mark.parametrize("value", [7, [], {}])
def test_a_type_is_a_string(key: str, value: object) -> None:
    assert key in refused(encoded(image(**{key: value})))


@pytest.mark.parametrize("annotations", [{}, {"a": "b"}, {"": ""}, {"é\n\x00": "😀"}])
def test_annotations_are_kept_as_they_are(annotations: dict[str, str]) -> None:
    assert parse(image(annotations=annotations)).annotations == annotations


@pytest.mark.parametrize("annotations", ["x", ["a"], {"a": 1}, {"a": {"b": "c"}}, 7])
def test_annotations_are_a_map_of_strings(annotations: object) -> None:
    assert "annotations" in refused(encoded(image(annotations=annotations)))


OPTIONAL = ["mediaType", "artifactType", "subject", "annotations"]
OPTIONAL_OF_DESCRIPTORS = ["mediaType", "size", "urls", "data", "annotations", "artifactType"]


@pytest.mark.parametrize("build", [image, index])
@pytest.mark.parametrize("key", OPTIONAL)
def test_null_is_a_member_that_is_absent(build: Any, key: str) -> None:
    absent = build()
    absent.pop(key, None)
    nulled, plain = parse(absent | {key: None}), parse(absent)
    assert replace(nulled, content=b"", digest=plain.digest) == replace(plain, content=b"")


@pytest.mark.parametrize("where", ["layers", "manifests", "config", "subject"])
@pytest.mark.parametrize("key", OPTIONAL_OF_DESCRIPTORS)
def test_null_in_a_descriptor_is_a_member_that_is_absent(where: str, key: str) -> None:
    build = index if where == "manifests" else image
    absent = descriptor("x")
    absent.pop(key, None)

    def held(value: dict[str, Any]) -> Manifest:
        return parse(build(**{where: value if where in {"config", "subject"} else [value]}))

    nulled, plain = held(absent | {key: None}), held(absent)
    assert replace(nulled, content=b"", digest=plain.digest) == replace(plain, content=b"")


@pytest.mark.parametrize(
    "changes",
    [{"schemaVersion": None}, {"config": None}, {"layers": [descriptor(digest=None)]}],
    ids=["schemaVersion", "config", "digest"],
)
def test_null_is_not_what_is_required(changes: dict[str, Any]) -> None:
    refused(encoded(image(**changes)))


def test_an_annotation_without_a_value_is_none() -> None:
    annotations = {"a": None, "b": "c"}
    assert parse(image(annotations=annotations)).annotations == {"b": "c"}


FOREIGN_DIGESTS = ["sha384:" + "0" * 96, "md5:" + "a" * 32, "multihash+base58:QmRZxt2b1FVZPNqd8hsi"]


@pytest.mark.parametrize("text", FOREIGN_DIGESTS)
def test_a_digest_of_another_algorithm_is_kept_in_children_and_subjects(text: str) -> None:
    held = parse(index(manifests=[descriptor(digest=text)], subject=descriptor(digest=text)))
    assert [str(child.digest) for child in held.children] == [text]
    assert held.subject is not None
    assert str(held.subject.digest) == text
    references = References.read(held.content)
    assert [str(child) for child in references.children] == [text]
    assert str(references.subject) == text


@pytest.mark.parametrize("text", FOREIGN_DIGESTS)
@pytest.mark.parametrize("where", ["layers", "config"])
def test_content_that_must_be_here_has_a_registered_digest(where: str, text: str) -> None:
    value = descriptor(digest=text)
    assert where in refused(encoded(image(**{where: value if where == "config" else [value]})))


@pytest.mark.parametrize("media_type", IMAGES + INDEXES)
def test_the_case_of_a_media_type_does_not_count(media_type: str) -> None:
    odd = media_type.replace("application", "Application").replace("json", "JSON")
    for declared, sent in ((odd, media_type), (media_type, odd), (odd, None), (None, odd)):
        assert parse(document_of(media_type, mediaType=declared), sent).media_type == media_type
    layer = descriptor(mediaType=FOREIGN_LAYER.upper())
    assert parse(image(layers=[layer])).layers[0].need_not_be_pushed
    config = parse(image(config=descriptor(mediaType=media_types.OCI_CONFIG.upper()))).config
    assert config is not None
    assert config.is_image_config


def test_absent_annotations_are_none() -> None:
    assert parse(image(annotations=None)).annotations == {}
    assert parse(image()).annotations == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
properties = st.sampled_from(
    ["config", "layers", "manifests", "subject", "mediaType", "artifactType", "annotations"]
)


@given(st.sampled_from([image(), index()]), st.dictionaries(properties, json_values, max_size=3))
def test_an_arbitrary_manifest_is_parsed_or_refused_as_invalid(
    document: dict[str, Any], changes: dict[str, Any]
) -> None:
    try:
        manifest = parse(document | changes)
    except ManifestInvalid:
        return
    assert manifest.digest == Digest.of(manifest.content)
    assert manifest.image_size >= 0


any_text = st.text(st.characters(exclude_categories=()), max_size=8)


@given(st.dictionaries(any_text, any_text, max_size=3), any_text, any_text)
def test_whatever_text_is_accepted_can_be_answered(
    annotations: dict[str, str], artifact_type: str, config_type: str
) -> None:
    config = descriptor(mediaType=config_type)
    document = image(annotations=annotations, artifactType=artifact_type, config=config)
    try:
        manifest = parse(document)
    except ManifestInvalid:
        return
    for text in (*annotations, *annotations.values(), artifact_type, config_type):
        assert text.encode().decode() == text
    assert manifest.annotations == annotations
    assert manifest.artifact_type == (artifact_type or config_type)


@pytest.mark.parametrize("where", ["layers", "manifests"])
def test_a_manifest_has_at_most_2000_entries(where: str) -> None:
    build = index if where == "manifests" else image
    many = [descriptor(str(number)) for number in range(2001)]
    manifest = parse(build(**{where: many[:-1]}))
    assert len(manifest.layers + manifest.children) == 2000
    assert where in refused(encoded(build(**{where: many})))


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused_as_invalid(content: bytes) -> None:
    refused(content, OCI_MANIFEST)


@pytest.mark.parametrize(
    ("config", "platform"),
    [
        ({}, Platform()),
        ({"os": "\ud800", "architecture": "a\x00", "variant": "v8"}, Platform(variant="v8")),
        ({"os": "linux", "architecture": "amd64"}, Platform("linux", "amd64")),
        (
            {"os": "linux", "architecture": "arm", "variant": "v7"},
            Platform("linux", "arm", "", "v7"),
        ),
        (
            {"os": "windows", "architecture": "amd64", "os.version": "10.0.1"},
            Platform("windows", "amd64", "10.0.1"),
        ),
        ({"os": 7, "architecture": None, "variant": ["v8"]}, Platform()),
        ({"os": "x" * 10_000}, Platform("x" * 256)),
        ([], Platform()),
        ("linux", Platform()),
    ],
)
def test_the_platform_is_what_the_config_says(config: object, platform: Platform) -> None:
    assert parse_platform(encoded(config)) == platform


@pytest.mark.parametrize("config", [b"", b"{", b"\xff\xfe\xff", b"[" * 10_000, b"\x1f\x8b\x08"])
def test_a_config_that_is_not_json_has_no_platform(config: bytes) -> None:
    assert parse_platform(config) == Platform()


def test_sizes_that_add_up_to_more_than_a_row_can_hold_are_capped() -> None:
    layers = [
        {"mediaType": "a/b", "digest": f"sha256:{number:064x}", "size": 2**62}
        for number in range(4)
    ]
    document = {"schemaVersion": 2, "config": layers[0], "layers": layers}
    manifest = Manifest.parse(json.dumps(document).encode(), media_types.OCI_MANIFEST)
    assert manifest.image_size == 2**63 - 1


@pytest.mark.parametrize(
    "change",
    [
        {"config": None},
        {"layers": {}},
        {"layers": 0},
        {"layers": ""},
        {"annotations": []},
        {"annotations": ""},
        {"annotations": {"a": "\ud800"}},
        {"artifactType": "\ud800"},
        {"artifactType": "a/" + "x" * 300},
        {"layers": [{"mediaType": "a/b", "digest": "sha256:" + "0" * 64}] * 2001},
    ],
    ids=lambda change: str(change)[:40],
)
def test_what_no_row_can_hold_or_has_the_wrong_shape_is_refused(change: dict[str, Any]) -> None:
    descriptor = {"mediaType": "a/b", "digest": "sha256:" + "0" * 64, "size": 1}
    document = {"schemaVersion": 2, "config": descriptor, "layers": [descriptor], **change}
    with pytest.raises(ManifestInvalid):
        Manifest.parse(json.dumps(document).encode(), media_types.OCI_MANIFEST)
