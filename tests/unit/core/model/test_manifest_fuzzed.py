"""Manifests that are nearly right, that are anything but, and that take their time."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from registry_core.errors import DigestInvalid, ManifestInvalid
from registry_core.model import media_types
from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest, Platform, References, parse_platform
from tests.unit.core.grammars import mutated, mutated_bytes

MANY = settings(max_examples=5 * settings().max_examples)
HOSTILE_BYTES = 1024 * 1024
SECONDS = 3
"""More than ten times what it takes; what grows with the square would take minutes."""

any_text = st.text(st.characters(exclude_categories=()), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)
types = st.sampled_from(sorted(media_types.MANIFESTS))
sent = st.none() | types | mutated(types) | st.just("application/json")
digests = st.builds(Digest.of, st.binary(max_size=2), st.sampled_from(("sha256", "sha512"))).map(
    str
)


def _sized(descriptor: dict[str, Any]) -> dict[str, Any]:
    """With a size that belongs to the digest: one content has one."""
    return {**descriptor, "size": int(descriptor["digest"][-15:], 16) << 3}


descriptors = st.fixed_dictionaries(
    {
        "mediaType": st.sampled_from(("application/x", media_types.OCI_CONFIG)),
        "digest": digests,
    },
    optional={
        "urls": st.lists(st.just("https://example.com"), max_size=2),
        "annotations": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        "artifactType": st.just("application/y"),
    },
).map(_sized)
common = {
    "subject": descriptors,
    "artifactType": st.just("application/vnd.example"),
    "annotations": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
}
images = st.fixed_dictionaries(
    {
        "schemaVersion": st.just(2),
        "config": descriptors,
        "layers": st.lists(descriptors, max_size=3),
    },
    optional={"mediaType": st.just(media_types.OCI_MANIFEST), **common},
)
indexes = st.fixed_dictionaries(
    {"schemaVersion": st.just(2), "manifests": st.lists(descriptors, max_size=3)},
    optional={"mediaType": st.just(media_types.OCI_INDEX), **common},
)
documents = images | indexes
spacings = st.sampled_from((None, 0, 2))


def written(document: object, spacing: int | None = None) -> bytes:
    return json.dumps(document, indent=spacing).encode()


def parsed(content: bytes, media_type: str | None, algorithm: str = "sha256") -> Manifest | None:
    """What `parse` makes of it; None if it is refused, which is the only way to fail."""
    refusal: ManifestInvalid | DigestInvalid
    try:
        manifest = Manifest.parse(content, media_type, algorithm)
    except (ManifestInvalid, DigestInvalid) as error:
        refusal = error
    else:
        assert manifest.content == content
        return manifest
    assert len(refusal.body()) < 3000
    return None


@MANY
@given(documents, spacings, st.sampled_from(("sha256", "sha512")))
def test_a_manifest_of_the_spec_is_taken_and_says_what_it_says(
    document: dict[str, Any], spacing: int | None, algorithm: str
) -> None:
    content = written(document, spacing)
    manifest = parsed(content, None, algorithm)
    assert manifest
    assert manifest.digest.hex == hashlib.new(algorithm, content).hexdigest()
    assert [str(d.digest) for d in manifest.layers] == [
        d["digest"] for d in document.get("layers", [])
    ]
    assert [str(d.digest) for d in manifest.children] == [
        d["digest"] for d in document.get("manifests", [])
    ]
    subject = document.get("subject")
    assert (manifest.subject and str(manifest.subject.digest)) == (subject and subject["digest"])
    assert manifest.annotations == document.get("annotations", {})


unknown = st.dictionaries(
    st.from_regex(r"x[a-z]{0,5}", fullmatch=True),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
    min_size=1,
    max_size=3,
)


@MANY
@given(documents, unknown, spacings)
def test_what_is_not_known_is_kept_byte_for_byte_and_changes_nothing(
    document: dict[str, Any], extra: dict[str, Any], spacing: int | None
) -> None:
    content = written(extra | document, spacing)
    manifest, plain = parsed(content, None), parsed(written(document), None)
    assert manifest
    assert plain
    assert manifest.content == content
    assert manifest.blobs == plain.blobs
    assert (manifest.children, manifest.subject) == (plain.children, plain.subject)


@MANY
@given(mutated_bytes(documents.map(written)), sent)
def test_a_manifest_with_wrong_bytes_is_taken_or_refused(content: bytes, sent: str | None) -> None:
    manifest = parsed(content, sent)
    if manifest:
        assert manifest.media_type in media_types.MANIFESTS
        assert isinstance(json.loads(content.decode()), dict)


@st.composite
def damaged(draw: st.DrawFn) -> object:
    """A manifest in which some value, at whatever depth, is another."""
    document = draw(documents)
    here: Any = document
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = draw(st.sampled_from(keys))
        inner = here[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
            here = inner
            continue
        here[key] = draw(json_values)
        return document


@MANY
@given(damaged() | json_values, sent)
def test_a_manifest_with_a_wrong_value_is_taken_or_refused(
    document: object, sent: str | None
) -> None:
    manifest = parsed(written(document), sent)
    if manifest:
        assert 0 <= manifest.image_size < 2**63
        for text in (manifest.artifact_type, manifest.media_type, *manifest.annotations.values()):
            text.encode()


@MANY
@given(st.binary(max_size=60) | mutated_bytes(damaged().map(written)))
def test_references_and_platforms_of_anything_can_be_read(content: bytes) -> None:
    references, platform = References.read(content), parse_platform(content)
    assert all(isinstance(digest, Digest) for digest in references.blobs + references.children)
    assert isinstance(platform, Platform)


@MANY
@given(documents | damaged())
def test_what_is_read_back_to_delete_a_manifest_is_what_it_was_pushed_with(
    document: object,
) -> None:
    content = written(document)
    manifest = parsed(content, None)
    if manifest is None:
        return
    references = References.read(content)
    assert references.blobs == tuple(blob.digest for blob in manifest.blobs)
    assert references.children == tuple(dict.fromkeys(d.digest for d in manifest.children))
    assert references.subject == (manifest.subject and manifest.subject.digest)


fragments = st.sampled_from(
    (
        "[",
        "{",
        "]",
        "}",
        '"',
        "\\",
        '\\"',
        '{"a":',
        "[[",
        "[1,",
        '"a":1,',
        "1",
        "9",
        "-",
        ".",
        "e9",
        " ",
        "\n",
        "null,",
        "é",
        "\\ud800",
        "/*",
        '{"layers":[',
    )
)


@settings(max_examples=30)
@given(st.lists(fragments, min_size=1, max_size=3).map("".join), st.booleans(), st.booleans())
def test_no_megabyte_takes_long_to_refuse(fragment: str, is_inside: bool, is_text: bool) -> None:
    filling = fragment.encode() * (HOSTILE_BYTES // len(fragment.encode()))
    if is_text:
        filling = b'"' + filling + b'"'
    content = written({"schemaVersion": 2, "layers": 0})
    content = content.replace(b": 0", b": " + filling) if is_inside else filling
    started = time.thread_time()
    parsed(content, media_types.OCI_MANIFEST)
    References.read(content)
    assert time.thread_time() - started < SECONDS
