import pytest

from devhost.host import headers


def test_hop_by_hop_headers_reach_neither_side() -> None:
    sent = [
        (b"Connection", b"x"),
        (b"TE", b"trailers"),
        (b"Proxy-Authorization", b"x"),
        (b"a", b"1"),
    ]
    assert headers.to_client(sent) == [(b"a", b"1")]
    assert headers.to_function(sent, "id") == [(b"a", b"1"), (b"x-ms-invocation-id", b"id")]


def test_an_invocation_id_from_the_client_is_replaced() -> None:
    sent = [(b"X-Ms-Invocation-Id", b"mine")]
    assert headers.to_function(sent, "its") == [(b"x-ms-invocation-id", b"its")]


def test_the_function_sees_a_repeated_header_once_with_all_its_values() -> None:
    sent = [(b"accept", b"a, b"), (b"x", b"1"), (b"Accept", b"c"), (b"x", b"2"), (b"x", b"2")]
    seen = headers.to_function(sent, "id")
    assert seen[:-1] == [(b"accept", b"a, b, c"), (b"x", b"1, 2, 2")]


def test_repeated_headers_of_a_response_stay_repeated() -> None:
    sent = [(b"set-cookie", b"a"), (b"set-cookie", b"b")]
    assert headers.to_client(sent) == sent


def test_the_function_sees_that_a_body_is_chunked() -> None:
    assert (b"transfer-encoding", b"chunked") in headers.to_function(
        [(b"Transfer-Encoding", b"Chunked")], "id"
    )


def test_the_host_of_the_front_end_takes_the_place_of_the_internal_one() -> None:
    seen = headers.to_function([(b"host", b"10.0.0.1"), (b"disguised-host", b"example.test")], "id")
    assert headers.values(seen, b"host") == [b"example.test"]


@pytest.mark.parametrize(
    ("value", "scheme"), [(b"https", "https"), (b"HTTPS, http", "https"), (b"gopher", "http")]
)
def test_the_scheme_is_the_one_of_the_front_end(value: bytes, scheme: str) -> None:
    assert headers.scheme([(b"x-forwarded-proto", value)], "http") == scheme


def test_without_a_front_end_the_scheme_is_the_connections() -> None:
    assert headers.scheme([], "https") == "https"
