"""Names, tags, digests and ranges against their grammars, as the specifications print them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_core.errors import (
    DigestInvalid,
    ManifestUnknown,
    NameInvalid,
    RangeInvalid,
    RegistryError,
    TagInvalid,
)
from registry_core.model.digest import Digest
from registry_core.model.names import (
    RepositoryName,
    Tag,
    parse_known_reference,
    parse_reference,
)
from registry_core.model.ranges import ByteRange, parse_chunk_range, parse_read_range
from tests.unit.core.grammars import DIGEST, NAME, TAG, anything, digests, mutated, names, tags

MANY = settings(max_examples=5 * settings().max_examples)


def is_of(grammar: str, text: str) -> bool:
    return re.fullmatch(grammar, text) is not None


def check(
    parse: Callable[[str], object], text: str, is_right: bool, error: type[Exception]
) -> None:
    """A value that spells the same text, or the one error that names what is wrong."""
    if is_right:
        assert str(parse(text)) == text
        return
    with pytest.raises(error) as raised:
        parse(text)
    assert type(raised.value) is error
    assert isinstance(raised.value, RegistryError)
    assert len(raised.value.body()) < 4000


@MANY
@given(names | mutated(names) | anything)
def test_a_name_is_what_the_spec_says_and_at_most_255_long(text: str) -> None:
    check(RepositoryName.parse, text, is_of(NAME, text) and len(text) <= 255, NameInvalid)


@MANY
@given(tags | mutated(tags) | anything)
def test_a_tag_is_what_the_spec_says(text: str) -> None:
    check(Tag.parse, text, is_of(TAG, text), TagInvalid)


@MANY
@given(digests | mutated(digests) | anything)
def test_a_digest_is_what_the_spec_says(text: str) -> None:
    check(Digest.parse, text, is_of(DIGEST, text), DigestInvalid)


@MANY
@given(tags | digests | mutated(tags | digests) | anything)
def test_a_reference_is_a_tag_or_a_digest_and_never_both(text: str) -> None:
    is_digest, is_tag = is_of(DIGEST, text), is_of(TAG, text)
    assert not (is_digest and is_tag)
    error = DigestInvalid if ":" in text else TagInvalid
    check(parse_reference, text, is_digest or is_tag, error)
    check(parse_known_reference, text, is_digest or is_tag, ManifestUnknown)
    if is_digest or is_tag:
        assert isinstance(parse_reference(text), Digest if is_digest else Tag)


numbers = st.integers(0, 60).map(str) | st.from_regex(r"[0-9]{1,18}", fullmatch=True)
read_ranges = st.builds(
    "{}={}-{}".format,
    st.sampled_from(("bytes", "Bytes", "items")),
    numbers | st.just(""),
    numbers | st.just(""),
)
chunk_ranges = st.builds("{}-{}".format, numbers, numbers)


def asked_of(header: str, size: int) -> range | None:
    """RFC 9110, 14.1.2 and 14.2: the bytes asked for, which may be none; None: all of them.

    Of a range that ends before it begins a server may make either; here it is none.
    """
    match = re.fullmatch(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))", header, re.IGNORECASE)
    if not match:
        return None
    first, last, suffix = match.groups()
    if suffix:
        return range(max(0, size - int(suffix)), size)
    if last and int(last) < int(first):
        return range(0)
    return range(int(first), min(int(last) + 1, size) if last else size)


def is_header(text: str) -> bool:
    """Whether it can come: header fields are decoded as Latin-1."""
    return all(ord(character) < 256 for character in text)


@MANY
@given((read_ranges | mutated(read_ranges, 1)).filter(is_header), st.integers(0, 50))
def test_a_range_is_read_as_rfc_9110_says(header: str, size: int) -> None:
    wanted = asked_of(header.strip(), size)
    if re.search("[0-9]{41}", header):
        wanted = None  # Any range may be ignored.
    if wanted is not None and not wanted:
        with pytest.raises(RangeInvalid) as raised:
            parse_read_range(header, size)
        assert raised.value.headers == {"Content-Range": f"bytes */{size}"}
        return
    found = parse_read_range(header, size)
    assert found == (None if wanted is None else ByteRange(wanted.start, wanted.stop - 1))


@MANY
@given((chunk_ranges | mutated(chunk_ranges) | anything).filter(is_header))
def test_a_chunks_range_is_two_numbers_in_order_or_refused(header: str) -> None:
    # The spec's own form, and the same two numbers in the dress of RFC 9110, 14.4.
    match = re.fullmatch(
        r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]{1,18}|\*))?", header.strip()
    )
    if match and int(match[1]) <= int(match[2]):
        found = parse_chunk_range(header)
        assert (found.start, found.end) == (int(match[1]), int(match[2]))
        assert found.length == int(match[2]) - int(match[1]) + 1
        return
    with pytest.raises(RangeInvalid) as raised:
        parse_chunk_range(header)
    assert len(raised.value.body()) < 1000
