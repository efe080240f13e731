import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import RangeInvalid
from registry_core.model.ranges import ByteRange, parse_chunk_range, parse_read_range

SIZE = 10_000


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        # The examples of RFC 9110, 14.1.2, for a representation of 10,000 bytes.
        ("bytes=0-499", 0, 499),
        ("bytes=500-999", 500, 999),
        ("bytes=-500", 9500, 9999),
        ("bytes=9500-", 9500, 9999),
        ("bytes=0-0", 0, 0),
        ("bytes=-1", 9999, 9999),
        ("bytes=5-", 5, 9999),
        ("bytes=0-", 0, 9999),
        ("bytes=9999-9999", 9999, 9999),
        # A range may reach past the end (14.1.2), a suffix may be longer than the whole.
        ("bytes=0-99999", 0, 9999),
        ("bytes=9999-10000", 9999, 9999),
        ("bytes=-10000", 0, 9999),
        ("bytes=-99999", 0, 9999),
        # Units are case-insensitive (14.1).
        ("Bytes=1-2", 1, 2),
        (" bytes=1-2 ", 1, 2),
        ("bytes=000-01", 0, 1),
    ],
)
def test_one_range_that_begins_in_the_blob_is_cut_to_it(header: str, start: int, end: int) -> None:
    assert parse_read_range(header, SIZE) == ByteRange(start, end)


@pytest.mark.parametrize(
    "header", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 1}", "bytes=-0", "bytes=99999999999-"]
)
def test_a_range_that_no_byte_lies_in_is_answered_with_the_size(header: str) -> None:
    with pytest.raises(RangeInvalid) as raised:
        parse_read_range(header, SIZE)
    assert raised.value.headers == {"Content-Range": f"bytes */{SIZE}"}


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"])
def test_no_range_lies_in_an_empty_blob(header: str) -> None:
    with pytest.raises(RangeInvalid) as raised:
        parse_read_range(header, 0)
    assert raised.value.headers == {"Content-Range": "bytes */0"}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=1-2,4-5",
        "bytes=0-0, -1",
        "bytes= 1-2",
        "bytes=1 - 2",
        "bytes=+1-2",
        "bytes=--1",
        "bytes=0x1-0x2",
        "items=0-1",
        "bytes:0-1",
    ],
)
def test_a_header_that_is_not_one_range_of_bytes_is_ignored(header: str | None) -> None:
    assert parse_read_range(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=2-1", "bytes=500-0", "bytes=1-0"])
def test_a_range_that_ends_before_it_begins_is_refused(header: str) -> None:
    with pytest.raises(RangeInvalid):
        parse_read_range(header, SIZE)


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_range_never_leaves_the_blob(size: int, first: int, length: int) -> None:
    try:
        found = parse_read_range(f"bytes={first}-{first + length}", size)
    except RangeInvalid:
        assert first >= size
    else:
        assert found == ByteRange(first, min(first + length, size - 1))
        assert 1 <= found.length <= size


@given(st.text("bytes=0123456789-, ", max_size=30), st.integers(0, 50))
def test_an_arbitrary_header_is_ignored_refused_or_lies_in_the_blob(text: str, size: int) -> None:
    try:
        found = parse_read_range(text, size)
    except RangeInvalid:
        return
    assert found is None or 0 <= found.start <= found.end < size


@pytest.mark.parametrize(
    ("header", "start", "end", "length"),
    [
        ("0-0", 0, 0, 1),
        ("0-9", 0, 9, 10),
        ("10-19", 10, 19, 10),
        (" 10-19 ", 10, 19, 10),
        # What clients send that follow RFC 9110, 14.4, to the letter.
        ("bytes 0-9/*", 0, 9, 10),
        ("bytes 0-9/100", 0, 9, 10),
        ("bytes=0-9", 0, 9, 10),
    ],
)
def test_a_chunks_range_includes_both_ends(header: str, start: int, end: int, length: int) -> None:
    found = parse_chunk_range(header)
    assert (found.start, found.end, found.length) == (start, end, length)


@pytest.mark.parametrize(
    "header",
    ["", "-", "0", "0-", "-1", "1-0", "a-b", "0-9,10-19", "0 - 9", "items 0-9", "0-9/", "9" * 30],
)
def test_a_chunks_range_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(RangeInvalid):
        parse_chunk_range(header)
