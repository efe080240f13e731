"""Signatures and attestations of cosign's, made and verified with keys alone.

By itself cosign keeps what it makes as artefacts that refer to the image, and on demand as it did
before, under tags named after the image's digest.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.artefact_clients import Cosign, Oras
from tests.e2e.artefacts import Subject, tags
from tests.e2e.images import Image, Layer, incompressible, tar
from tests.e2e.process import CommandError
from tests.e2e.registry import Registry

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

#: Keeps signatures under tags.
TAGGED = "--new-bundle-format=false"

both_ways = pytest.mark.parametrize("ways", [(), (TAGGED,)], ids=["referrers", "tags"])


@dataclass(frozen=True)
class Keys:
    private: Path
    public: Path


def make_keys(cosign: Cosign, folder: Path) -> Keys:
    folder.mkdir()
    cosign.call("generate-key-pair", cwd=folder)
    return Keys(folder / "cosign.key", folder / "cosign.pub")


@pytest.fixture
def keys(cosign: Cosign, scratch: Path) -> Keys:
    return make_keys(cosign, scratch / "keys")


@pytest.fixture
def other_keys(cosign: Cosign, scratch: Path) -> Keys:
    return make_keys(cosign, scratch / "other-keys")


def tag_of(subject: Subject, kind: str) -> str:
    """Return the tag that cosign keeps something of the subject under."""
    return f"{subject.image.digest.replace(':', '-')}.{kind}"


def assert_kept(subject: Subject, ways: tuple[str, ...], kind: str) -> None:
    """Check that what cosign made is where it is to be, and nowhere else."""
    if ways:
        assert tags(subject.registry, subject.repository) == ["1", tag_of(subject, kind)]
        assert subject.referrers() == []
        assert subject.registry.manifest(subject.repository, "1").digest == subject.image.digest
    else:
        (listed,) = subject.referrers()
        assert listed["artifactType"] == BUNDLE
        subject.assert_untouched()


@both_ways
def test_a_signature_is_valid_for_its_key_and_for_no_other(
    ways: tuple[str, ...], cosign: Cosign, keys: Keys, other_keys: Keys, subject: Subject
) -> None:
    cosign.write("sign", keys.private, *ways, subject.by_digest)

    assert_kept(subject, ways, "sig")
    (claim,) = json.loads(cosign.check("verify", keys.public, *ways, subject.by_digest).stdout)
    assert claim["critical"]["image"]["docker-manifest-digest"] == subject.image.digest
    with pytest.raises(CommandError) as refused:
        cosign.check("verify", other_keys.public, *ways, subject.by_digest)
    assert "no matching" in refused.value.result.output


@both_ways
def test_a_second_signature_leaves_the_first_one_valid(
    ways: tuple[str, ...], cosign: Cosign, keys: Keys, other_keys: Keys, subject: Subject
) -> None:
    for pair in (keys, other_keys):
        cosign.write("sign", pair.private, *ways, subject.by_digest)
    for pair in (keys, other_keys):
        cosign.check("verify", pair.public, *ways, subject.by_digest)


@both_ways
def test_another_image_under_the_tag_of_a_signed_one_is_not_signed(
    ways: tuple[str, ...], cosign: Cosign, keys: Keys, registry: Registry, subject: Subject
) -> None:
    cosign.write("sign", keys.private, *ways, subject.by_digest)
    cosign.check("verify", keys.public, *ways, subject.by_tag)

    other = Image([Layer(tar({"data": incompressible(1000, "another")}))])
    registry.push_image(subject.repository, "1", other)

    with pytest.raises(CommandError) as refused:
        cosign.check("verify", keys.public, *ways, subject.by_tag)
    assert "no signatures found" in refused.value.result.output
    cosign.check("verify", keys.public, *ways, subject.by_digest)


@both_ways
def test_an_attestation_is_valid_for_its_key_and_says_what_was_attested(
    ways: tuple[str, ...],
    cosign: Cosign,
    keys: Keys,
    other_keys: Keys,
    subject: Subject,
    scratch: Path,
) -> None:
    predicate = {"packages": [{"name": "ü", "files": 3}]}
    (scratch / "predicate").write_text(json.dumps(predicate))
    kind = ("--type", "spdxjson")
    attested = (*kind, "--predicate", scratch / "predicate")
    cosign.write("attest", keys.private, *ways, *attested, subject.by_digest)

    assert_kept(subject, ways, "att")
    told = cosign.check("verify-attestation", keys.public, *ways, *kind, subject.by_digest)
    statement = json.loads(base64.b64decode(json.loads(told.stdout)["payload"]))
    assert statement["predicate"] == predicate
    assert f"sha256:{statement['subject'][0]['digest']['sha256']}" == subject.image.digest
    with pytest.raises(CommandError) as refused:
        cosign.check("verify-attestation", other_keys.public, *ways, *kind, subject.by_digest)
    assert "no matching" in refused.value.result.output


def test_an_attached_sbom_comes_back_byte_for_byte(
    cosign: Cosign, subject: Subject, scratch: Path
) -> None:
    sbom = b'{"packages": []}\n'
    (scratch / "sbom").write_bytes(sbom)
    cosign.remote("attach", "sbom", "--sbom", scratch / "sbom", subject.by_digest)

    assert tags(subject.registry, subject.repository) == ["1", tag_of(subject, "sbom")]
    assert cosign.remote("download", "sbom", subject.by_digest).stdout == sbom


def test_a_signature_is_valid_where_the_image_was_copied_with_what_refers_to_it(
    cosign: Cosign, oras: Oras, keys: Keys, other_keys: Keys, subject: Subject
) -> None:
    cosign.write("sign", keys.private, subject.by_digest)

    oras.copy(subject.by_tag, f"{subject.name}/copy:1")

    cosign.check("verify", keys.public, f"{subject.name}/copy:1")
    with pytest.raises(CommandError):
        cosign.check("verify", other_keys.public, f"{subject.name}/copy:1")
