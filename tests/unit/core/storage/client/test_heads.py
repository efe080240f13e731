"""Heads of HTTP messages, and bodies in every division."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.storage.client.body import Body, ChunkedBody, TooLarge
from registry_core.storage.client.heads import (
    Origin,
    ProtocolError,
    origin,
    request_head,
    response_head,
)

LINE = b"HTTP/1.1 200 OK\r\n"


def divided(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def chunked(chunks: Sequence[bytes], trailer: bytes = b"") -> bytes:
    parts = [b"%x;note=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join(parts) + b"0\r\n" + trailer + b"\r\n"


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(0)),
    st.booleans(),
)
def test_a_body_in_chunks_is_the_same_in_whatever_pieces_it_comes(
    chunks: list[bytes], cuts: list[int], has_trailer: bool
) -> None:
    body = ChunkedBody()
    *before, last = divided(chunked(chunks, b"a: b\r\n" if has_trailer else b""), cuts)
    assert not any(body.feed(piece) for piece in before)
    assert body.feed(last)
    assert body.content == b"".join(chunks)


@given(st.binary(), st.lists(st.integers(0)))
def test_a_body_of_known_size_ends_there(content: bytes, cuts: list[int]) -> None:
    body = Body(len(content))
    pieces = divided(content, cuts) or [b""]
    assert [body.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert body.content == content
    assert not body.end()


@pytest.mark.parametrize(
    "data",
    [b"x\r\n", b"\r\n", b"-1\r\n", b"0x1\r\na\r\n", b"1\r\nab\r\n", b"0\r\n\r\nmore", b"9" * 2000],
)
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        ChunkedBody().feed(data)


def test_more_than_was_announced_is_refused() -> None:
    with pytest.raises(ProtocolError):
        Body(2).feed(b"abc")


@pytest.mark.parametrize(
    "body", [Body(None, 3), Body(4, 3), ChunkedBody(3)], ids=["open", "known", "chunks"]
)
def test_more_than_the_caller_takes_is_refused(body: Body) -> None:
    with pytest.raises(TooLarge):
        body.feed(b"4\r\nabcd\r\n" if isinstance(body, ChunkedBody) else b"abcd")


def test_fields_are_found_in_any_case_and_keep_their_spelling() -> None:
    head = response_head(LINE + b"ETag: \t0x1 \r\nx-ms-meta-AbC: d\r\nVia: a\r\nvia: b", "HEAD")
    assert head.headers["etag"] == head.headers.get("ETAG") == "0x1"
    assert list(head.headers) == ["ETag", "x-ms-meta-AbC", "Via"]
    assert head.headers["Via"] == "a, b"
    assert head.headers.get("absent") is None


@pytest.mark.parametrize(
    ("fields", "method", "size", "is_last"),
    [
        (b"Content-Length: 5", "GET", 5, False),
        (b"Content-Length: 5\r\nConnection: close", "GET", 5, True),
        (b"Content-Length: 5", "HEAD", 0, False),
        (b"Server: x", "GET", None, True),
    ],
)
def test_a_head_tells_where_its_response_ends(
    fields: bytes, method: str, size: int | None, is_last: bool
) -> None:
    head = response_head(LINE + fields, method)
    assert (head.size, head.is_last, head.is_chunked) == (size, is_last, False)


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_some_responses_have_no_body_whatever_they_say(status: bytes) -> None:
    assert response_head(b"HTTP/1.1 " + status + b" x\r\nContent-Length: 5", "GET").size == 0


def test_chunks_go_before_a_length() -> None:
    head = response_head(LINE + b"Content-Length: 5\r\nTransfer-Encoding: Chunked", "GET")
    assert (head.is_chunked, head.size) == (True, None)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200",
        b"200 OK",
        LINE + b"no field",
        LINE + b": none",
        LINE + b"a : b",
        LINE + b" folded: b",
        LINE + b"Content-Length: 1, 1",
        LINE + b"Content-Length: -1",
        LINE + b"Content-Length: \xb2",
        LINE + b"Transfer-Encoding: gzip",
    ],
)
def test_what_is_no_head_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        response_head(data, "GET")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/b?c=d", (Origin(True, "a.example", 443), "a.example", "/b?c=d")),
        ("http://127.0.0.1:10000/x", (Origin(False, "127.0.0.1", 10000), "127.0.0.1:10000", "/x")),
        ("http://[::1]:81", (Origin(False, "::1", 81), "[::1]:81", "/")),
        ("http://[::1]/", (Origin(False, "::1", 80), "[::1]", "/")),
    ],
)
def test_an_address_tells_where_it_leads(url: str, expected: tuple[Origin, str, str]) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize("url", ["ftp://a/b", "https://", "/b", "https://u:p@a/b", "http://a:x/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|literal"):
        origin(url)


@pytest.mark.parametrize(
    ("target", "value"), [("/a", "b\r\nc: d"), ("/a", "b\nc"), ("/a b", "c"), ("/a\r\n", "c")]
)
def test_nothing_in_a_request_ends_a_line(target: str, value: str) -> None:
    with pytest.raises(ValueError, match="divides"):
        request_head("GET", "a", target, {"x": value}, 0)


def test_a_write_without_a_body_says_so_and_a_read_does_not() -> None:
    assert request_head("PUT", "a", "/b", {}, 0) == (
        b"PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    )
    assert request_head("GET", "a", "/b", {"x": "ä"}, 0) == (
        "GET /b HTTP/1.1\r\nHost: a\r\nx: ä\r\n\r\n".encode()
    )
