"""Signatures of notation's, made and verified with a certificate of the tests' own."""

from __future__ import annotations

import json

import pytest

from tests.e2e.artefact_clients import Notation
from tests.e2e.artefacts import Subject, referrers, tags
from tests.e2e.images import digest_of
from tests.e2e.process import CommandError
from tests.e2e.registry import Registry

SIGNATURE = "application/vnd.cncf.notary.signature"
ENVELOPES = {"jws": "application/jose+json", "cose": "application/cose"}

#: The certificates: one that verification trusts, and one that it does not.
TRUSTED, STRANGER = "trusted.example", "stranger.example"

POLICY = {
    "version": "1.0",
    "trustPolicies": [
        {
            "name": "e2e",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": [f"ca:{TRUSTED}"],
            "trustedIdentities": ["*"],
        }
    ],
}


@pytest.fixture(scope="module")
def signer(notation: Notation) -> Notation:
    """Give notation two keys to sign with, and the policy that tells which it trusts."""
    for name in (TRUSTED, STRANGER):
        notation.call("certificate", "generate-test", name)
    policy = notation.scratch()
    policy.write_text(json.dumps(POLICY))
    notation.call("policy", "import", policy)
    return notation


def sign(signer: Notation, key: str, reference: str, *more: str) -> None:
    """Sign, and leave it to the registry to find the signature."""
    signer.remote("sign", "--key", key, "--force-referrers-tag=false", *more, reference)


def assert_listed(signer: Notation, subject: Subject, count: int = 1) -> None:
    """Check that the tool finds as many signatures as there are, and those that there are."""
    found = [r["digest"] for r in subject.referrers() if r["artifactType"] == SIGNATURE]
    assert len(found) == count
    listed = signer.remote("list", subject.by_digest).text
    assert all(digest in listed for digest in found), listed
    assert listed.count("sha256:") == count + 1, listed


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_signature_is_found_and_valid(
    envelope: str, signer: Notation, registry: Registry, subject: Subject
) -> None:
    sign(signer, TRUSTED, subject.by_digest, "--signature-format", envelope)

    assert_listed(signer, subject)
    assert "Successfully verified" in signer.remote("verify", subject.by_digest).output
    (listed,) = referrers(registry, subject.repository, subject.image.digest, SIGNATURE)
    content = registry.manifest(subject.repository, listed["digest"]).json()
    assert content["subject"] == subject.descriptor
    (layer,) = content["layers"]
    assert layer["mediaType"] == ENVELOPES[envelope]
    assert digest_of(registry.blob(subject.repository, layer["digest"])) == layer["digest"]
    subject.assert_untouched()


def test_a_signature_listed_under_a_tag_is_found_and_valid(
    signer: Notation, registry: Registry, subject: Subject
) -> None:
    """What notation does by itself, for registries that do not list what refers to an image."""
    signer.remote("sign", "--key", TRUSTED, subject.by_digest)

    assert_listed(signer, subject)
    assert "Successfully verified" in signer.remote("verify", subject.by_digest).output
    tag = subject.image.digest.replace(":", "-")
    assert tags(registry, subject.repository) == ["1", tag]
    under_tag = registry.manifest(subject.repository, tag).json()["manifests"]
    assert [r["digest"] for r in under_tag] == [r["digest"] for r in subject.referrers()]


def test_both_signatures_of_an_image_are_found(signer: Notation, subject: Subject) -> None:
    for key in (STRANGER, TRUSTED):
        sign(signer, key, subject.by_digest)
    assert_listed(signer, subject, count=2)
    signer.remote("verify", subject.by_digest)


def test_a_signature_of_a_stranger_is_not_trusted(signer: Notation, subject: Subject) -> None:
    sign(signer, STRANGER, subject.by_digest)
    assert_listed(signer, subject)
    with pytest.raises(CommandError) as refused:
        signer.remote("verify", subject.by_digest)
    assert "signature verification failed" in refused.value.result.output


def test_an_image_without_a_signature_is_not_valid(signer: Notation, subject: Subject) -> None:
    with pytest.raises(CommandError) as refused:
        signer.remote("verify", subject.by_digest)
    assert "no signature is associated" in refused.value.result.output


def test_a_deleted_signature_no_longer_counts(
    signer: Notation, registry: Registry, subject: Subject
) -> None:
    sign(signer, TRUSTED, subject.by_digest)
    signer.remote("verify", subject.by_digest)
    (listed,) = subject.referrers()

    deleted = registry.request("DELETE", f"/v2/{subject.repository}/manifests/{listed['digest']}")

    assert deleted.status == 202, deleted
    with pytest.raises(CommandError) as refused:
        signer.remote("verify", subject.by_digest)
    assert "no signature is associated" in refused.value.result.output
