import pytest

from devhost.host.paths import BadPathError, decode_path, encode_path


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"/v2/", "/v2/"),
        (b"/v2/sha256%3Aabc", "/v2/sha256:abc"),
        (b"/v2/library%2Fapp", "/v2/library%2Fapp"),
        (b"/v2/library%2fapp", "/v2/library%2Fapp"),
        (b"/v2/library%252Fapp", "/v2/library%2Fapp"),
        (b"/%E4%BD%A0", "/\u4f60"),
        (b"/a%20b", "/a b"),
        (b"/%", "/%"),
        (b"/%4", "/%4"),
        (b"/%zz", "/%zz"),
        (b"/%FF%41", "/%FFA"),
        (b"//a//b/", "//a//b/"),
    ],
)
def test_a_path_is_decoded_once_and_keeps_its_encoded_slashes(raw: bytes, decoded: str) -> None:
    assert decode_path(raw) == decoded


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"/a/./b", "/a/b"),
        (b"/a/../b", "/b"),
        (b"/a/%2E%2E/b", "/b"),
        (b"/../../a", "/a"),
        (b"/a/..", "/"),
        (b"/a/b/.", "/a/b/"),
        (b"/a/...", "/a/..."),
        (b"/a%2F../b", "/a%2F../b"),
    ],
)
def test_dot_segments_are_resolved_after_decoding(raw: bytes, decoded: str) -> None:
    assert decode_path(raw) == decoded


@pytest.mark.parametrize("raw", [b"/a%00b", b"/\xff"])
def test_a_path_that_no_request_may_have_is_refused(raw: bytes) -> None:
    with pytest.raises(BadPathError):
        decode_path(raw)


def test_the_way_to_the_worker_escapes_the_percent_sign() -> None:
    assert encode_path("/a%2Fb:c \u4f60") == b"/a%252Fb:c%20%E4%BD%A0"
