import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import DigestInvalid
from registry_core.model.digest import ALGORITHMS, Digest

algorithms = st.sampled_from(sorted(ALGORITHMS))


@given(algorithm=algorithms, content=st.binary())
def test_the_digest_of_content_is_hashlibs_and_survives_its_text(
    algorithm: str, content: bytes
) -> None:
    digest = Digest.of(content, algorithm)
    assert digest.hex == hashlib.new(algorithm, content).hexdigest()
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(("algorithm", "length"), [("sha256", 64), ("sha512", 128)])
def test_a_digest_has_exactly_the_digits_of_its_algorithm(algorithm: str, length: int) -> None:
    assert Digest.parse(f"{algorithm}:{'a' * length}") == Digest(algorithm, "a" * length)
    for wrong in (0, 32, length - 1, length + 1, 192 - length):
        with pytest.raises(DigestInvalid):
            Digest.parse(f"{algorithm}:{'a' * wrong}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        "a" * 64,
        "sha256:" + "A" * 64,
        "SHA256:" + "a" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "a" * 64 + "\n",
        " sha256:" + "a" * 64,
        "sha256:" + "٣" * 64,
        "sha256:" + "a" * 63 + "/",
        "sha256:../" + "a" * 61,
        "sha384:" + "a" * 96,
        "md5:" + "a" * 32,
        "sha256:sha256:" + "a" * 64,
        "sha256+b64:" + "a" * 64,
    ],
)
def test_what_is_not_a_registered_digest_is_refused(text: str) -> None:
    with pytest.raises(DigestInvalid):
        Digest.parse(text)


@given(st.text())
def test_arbitrary_text_is_refused_or_comes_back_unchanged(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except DigestInvalid:
        return
    assert str(digest) == text


@pytest.mark.parametrize(("text", "looks"), [("sha256:x", True), (":", True), ("latest", False)])
def test_whatever_holds_a_colon_is_meant_as_a_digest(text: str, looks: bool) -> None:
    assert Digest.looks_like(text) is looks
