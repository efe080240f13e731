import pytest
from starlette.requests import Request

from registry_core.http import addresses


def request(scheme: str = "http", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "scheme": scheme, "client": ("10.0.0.9", 1234)})


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        ("203.0.113.7", 1, "203.0.113.7"),
        ("203.0.113.7:51234", 1, "203.0.113.7"),
        ("[2001:db8::1]:51234", 1, "2001:db8::1"),
        ("2001:db8::1", 1, "2001:db8::1"),
        # What stands before what a trusted proxy added is the client's own word.
        ("1.1.1.1, 203.0.113.7", 1, "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7, 192.0.2.1", 2, "203.0.113.7"),
        ("203.0.113.7", 2, "203.0.113.7"),
        ("203.0.113.7", 0, "10.0.0.9"),
        ("", 1, "10.0.0.9"),
        (" , ,", 1, "10.0.0.9"),
    ],
)
def test_the_caller_is_who_the_outermost_trusted_proxy_was_called_by(
    forwarded: str, trusted: int, address: str
) -> None:
    assert addresses.caller_address(request(x_forwarded_for=forwarded), trusted) == address


def test_without_a_proxy_the_caller_is_the_peer() -> None:
    assert addresses.caller_address(request(), 1) == "10.0.0.9"
    assert addresses.caller_address(Request({"type": "http", "headers": []}), 1) == ""


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("[2001:DB8:1:2:ffff::9]:51234", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        # An IPv4 address in IPv6 form: its network of 64 bits would be all of IPv4.
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_what_one_client_has_many_addresses_of_is_one_source(address: str, source: str) -> None:
    assert addresses.source(request(x_forwarded_for=address), 1) == source


@pytest.mark.parametrize(
    ("scheme", "told", "expected"),
    [
        ("http", "https", "https"),
        ("https", "http", "http"),
        ("http", "HTTPS, http", "https"),
        ("http", "javascript", "http"),
        ("https", "", "https"),
    ],
)
def test_the_scheme_is_what_the_outermost_proxy_tells(
    scheme: str, told: str, expected: str
) -> None:
    assert addresses.scheme(request(scheme, x_forwarded_proto=told)) == expected


@pytest.mark.parametrize(
    ("host", "called"),
    [
        ("registry.example.com", "registry.example.com"),
        ("Build.example:7071", "build.example"),
        ("localhost:7071", "localhost"),
        ("127.0.0.1:5000", "127.0.0.1"),
        ("[::1]:5000", "[::1]"),
        ("evil.example", ""),
        ("evil.example:7071", ""),
        ("localhost.evil.example", ""),
        ("", ""),
    ],
)
def test_a_client_is_sent_nowhere_by_a_name_that_is_not_ours(host: str, called: str) -> None:
    servers = ("registry.example.com", "build.example:7071")
    assert addresses.called(request(host=host), servers) == called
