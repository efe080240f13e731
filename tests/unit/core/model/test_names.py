import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import (
    DigestInvalid,
    ManifestUnknown,
    NameInvalid,
    TagInvalid,
)
from registry_core.model.digest import Digest
from registry_core.model.names import (
    RepositoryName,
    Tag,
    parse_known_reference,
    parse_reference,
)

DIGEST = "sha256:" + "0" * 64

# The grammar, said again in other words than the code's: levels of words joined by separators.
words = st.text("abz059", min_size=1, max_size=4)
separators = st.sampled_from([".", "_", "__", "-", "--", "---"])


def joined(parts: list[tuple[str, str]]) -> str:
    return "".join(separator + word for separator, word in parts).lstrip("._-")


levels = st.lists(st.tuples(separators, words), min_size=1, max_size=4).map(joined)
names = st.lists(levels, min_size=1, max_size=4).map("/".join)


@given(names)
def test_every_name_of_the_grammar_is_a_name_and_keeps_its_text(text: str) -> None:
    assert str(RepositoryName.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "A",
        "Team/app",
        "a//b",
        "/a",
        "a/",
        "a/.",
        "..",
        "../x",
        "a/../b",
        "a..b",
        "a._b",
        "a___b",
        "-a",
        "a-",
        "_a",
        "a_",
        ".a",
        "a.",
        "a/-b",
        "a-/b",
        "a b",
        "a\n",
        "\na",
        "a\x00",
        "%00",
        "a%2fb",
        "a:b",
        "a@b",
        "a\\b",
        "a#b",
        "a?b",
        "é",
        "٣",
        "ß",
        "a,b",
    ],
)
def test_a_name_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(NameInvalid):
        RepositoryName.parse(text)


@pytest.mark.parametrize("text", ["a" * 255, "a/" * 127 + "b"])
def test_255_characters_are_a_name_and_256_are_not(text: str) -> None:
    assert len(text) == 255
    assert RepositoryName.parse(text).text == text
    with pytest.raises(NameInvalid):
        RepositoryName.parse(text + "a")


@pytest.mark.parametrize("evil", ["a-" * 200_000, "a" * 1_000_000, "a__" * 80 + "!"])
def test_a_hostile_name_is_refused_without_being_echoed_whole(evil: str) -> None:
    with pytest.raises(NameInvalid) as raised:
        RepositoryName.parse(evil)
    assert len(raised.value.body()) < 1000


@given(st.text(max_size=300))
def test_arbitrary_text_is_no_name_or_comes_back_unchanged(text: str) -> None:
    try:
        name = RepositoryName.parse(text)
    except NameInvalid:
        return
    assert str(name) == text


@pytest.mark.parametrize(
    "text", ["latest", "_", "v1.0-rc.1_x", "A", "9", "a" * 128, "manifests", "_._-"]
)
def test_every_tag_of_the_grammar_is_a_tag(text: str) -> None:
    assert str(Tag.parse(text)) == text
    assert parse_reference(text) == parse_known_reference(text) == Tag(text)


@pytest.mark.parametrize(
    "text", ["", "-a", ".a", "a" * 129, "a/b", "a b", "a\n", "a+b", "é", "٣", "a%20", "a\x00"]
)
def test_a_tag_outside_the_grammar_is_invalid_to_write_and_unknown_to_read(text: str) -> None:
    with pytest.raises(TagInvalid):
        Tag.parse(text)
    with pytest.raises(TagInvalid):
        parse_reference(text)
    with pytest.raises(ManifestUnknown):
        parse_known_reference(text)


def test_a_reference_that_is_a_digest_is_read_as_one() -> None:
    assert parse_reference(DIGEST) == parse_known_reference(DIGEST) == Digest.parse(DIGEST)


@pytest.mark.parametrize("text", ["sha256:", "sha256:xyz", "a:b", ":", "md5:" + "0" * 32])
def test_a_malformed_digest_is_invalid_to_write_and_unknown_to_read(text: str) -> None:
    with pytest.raises(DigestInvalid):
        parse_reference(text)
    with pytest.raises(ManifestUnknown):
        parse_known_reference(text)


@given(st.text(max_size=200))
def test_an_arbitrary_reference_is_refused_or_comes_back_unchanged(text: str) -> None:
    try:
        reference = parse_known_reference(text)
    except ManifestUnknown:
        return
    assert str(reference) == text
