import pytest

from devhost.host import headers
from devhost.host.headers import Headers, Hop

HOP = Hop("127.0.0.1:35621", "192.0.2.9", "https")


def seen(sent: Headers, method: str = "GET", hop: Hop | None = None) -> Headers:
    """What the function sees, the invocation id aside, which is the last."""
    *fields, invocation_id = headers.to_function(
        headers.fields_of(sent), "its", method=method, hop=hop
    )
    assert invocation_id == (b"x-ms-invocation-id", b"its")
    return fields


def value(fields: Headers, name: bytes) -> bytes | None:
    return dict(fields).get(name)


def test_hop_by_hop_headers_reach_neither_side() -> None:
    sent = [
        (b"Connection", b"x"),
        (b"TE", b"trailers"),
        (b"Proxy-Authorization", b"x"),
        (b"Host", b"h"),
        (b"a", b"1"),
    ]
    assert headers.to_client([*sent[:3], sent[4]]) == [(b"a", b"1")]
    assert seen(sent) == [(b"a", b"1"), (b"host", b"h")]


def test_an_invocation_id_from_the_client_is_replaced() -> None:
    assert value(seen([(b"X-Ms-Invocation-Id", b"mine")]), b"x-ms-invocation-id") is None


def test_the_function_sees_a_repeated_header_once_with_all_its_values() -> None:
    sent = [(b"accept", b"a, b"), (b"x", b"1"), (b"Accept", b"c"), (b"x", b"2"), (b"x", b"2")]
    assert seen(sent)[:2] == [(b"accept", b"a, b, c"), (b"x", b"1, 2, 2")]


def test_repeated_headers_of_a_response_stay_repeated() -> None:
    sent = [(b"set-cookie", b"a"), (b"set-cookie", b"b")]
    assert headers.to_client(sent) == sent


def test_a_response_header_with_octets_above_127_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="the response header x-name is not ASCII"):
        headers.to_client([(b"x-name", b"\xe9")])


def test_the_function_sees_that_a_body_is_chunked() -> None:
    for hop in (None, HOP):
        fields = seen([(b"Transfer-Encoding", b"Chunked")], "PUT", hop)
        assert value(fields, b"transfer-encoding") == b"chunked"
        assert value(fields, b"content-length") is None


@pytest.mark.parametrize(
    ("method", "length"),
    [("POST", b"0"), ("PUT", b"0"), ("PATCH", b"0"), ("GET", None), ("HEAD", None)],
)
def test_the_function_sees_a_length_of_0_where_there_could_be_a_body(
    method: str, length: bytes | None
) -> None:
    assert value(seen([], method), b"content-length") == length
    assert value(seen([(b"content-length", b"5")], method), b"content-length") == b"5"


SENT = [
    (b"host", b"10.0.0.1"),
    (b"x-forwarded-for", b"203.0.113.7:51234"),
    (b"x-forwarded-host", b"fake"),
    (b"x-forwarded-proto", b"http"),
    (b"forwarded", b"for=1.1.1.1"),
    (b"client-ip", b"203.0.113.7:51234"),
    (b"x-client-ip", b"203.0.113.7"),
]


@pytest.mark.parametrize(
    ("disguised", "called"), [([], b"10.0.0.1"), ([(b"disguised-host", b"r.test")], b"r.test")]
)
def test_on_a_hop_the_function_sees_the_hosts_own_words_and_what_the_front_end_tells_besides(
    disguised: Headers, called: bytes
) -> None:
    fields = dict(seen([*SENT, *disguised], hop=HOP))
    assert fields == {
        b"host": b"127.0.0.1:35621",
        b"x-forwarded-host": called,
        b"x-forwarded-for": b"192.0.2.9",
        b"x-forwarded-proto": b"https",
        b"client-ip": b"203.0.113.7:51234",
        b"x-client-ip": b"203.0.113.7",
        **dict(disguised),
    }


def test_without_a_hop_the_function_sees_what_was_sent_and_the_front_ends_host() -> None:
    assert dict(seen(SENT)) == dict(SENT)
    fields = dict(seen([*SENT, (b"disguised-host", b"r.test")]))
    assert fields == {**dict(SENT), b"disguised-host": b"r.test", b"host": b"r.test"}


@pytest.mark.parametrize(
    ("forwarded", "peer"),
    [
        (b"1.1.1.1, 203.0.113.7:51234", "203.0.113.7"),
        (b"203.0.113.7", "203.0.113.7"),
        (b"2001:db8::1", "2001:db8::1"),
        (b"", "127.0.0.1"),
    ],
)
def test_without_a_hop_the_worker_takes_the_last_who_was_forwarded_for_its_client(
    forwarded: bytes, peer: str
) -> None:
    assert headers.peer({b"x-forwarded-for": forwarded}) == peer


@pytest.mark.parametrize(
    ("value", "scheme"), [(b"https", "https"), (b"HTTPS, http", "https"), (b"gopher", "http")]
)
def test_the_scheme_is_the_one_of_the_front_end(value: bytes, scheme: str) -> None:
    assert headers.scheme({b"x-forwarded-proto": value}, "http") == scheme


def test_without_a_front_end_the_scheme_is_the_connections() -> None:
    assert headers.scheme({}, "https") == "https"


@pytest.mark.parametrize(
    ("upgrade", "connection", "expected"),
    [
        (b"websocket", b"Upgrade", True),
        (b"WebSocket", b"keep-alive, upgrade", True),
        (b"h2c", b"Upgrade", False),
        (b"websocket", b"close", False),
    ],
)
def test_a_websocket_is_asked_for_by_two_headers(
    upgrade: bytes, connection: bytes, expected: bool
) -> None:
    fields = headers.fields_of([(b"Upgrade", upgrade), (b"Connection", connection)])
    assert headers.is_websocket(fields) is expected
