import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.auth import challenge

SERVERS = ("registry.example.com", "localhost:7071", "127.0.0.1:7071")


@pytest.mark.parametrize("host", [*SERVERS, "REGISTRY.example.COM", "LocalHost:7071"])
def test_a_host_that_is_ours_is_the_one_announced(host: str) -> None:
    assert challenge.login_server(host, SERVERS) == host.lower()


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example.com",
        "registry.example.com.evil.com",
        "registry.example.com:443",
        "registry.example.com ",
        "localhost",
        'x", realm="y',
        "a\r\nSet-Cookie: b",
    ],
)
def test_a_host_that_is_not_ours_is_never_echoed(host: str | None) -> None:
    assert challenge.login_server(host, SERVERS) == SERVERS[0]


@given(st.text())
def test_an_arbitrary_host_yields_one_of_ours(host: str) -> None:
    assert challenge.login_server(host, SERVERS) in SERVERS


@pytest.mark.parametrize(
    ("server", "scheme", "realm"),
    [
        ("registry.example.com", "https", "https://registry.example.com/oauth2/token"),
        ("registry.example.com", "http", "https://registry.example.com/oauth2/token"),
        ("registry.example.com:8443", "http", "https://registry.example.com:8443/oauth2/token"),
        ("localhost.example.com", "http", "https://localhost.example.com/oauth2/token"),
        ("localhost:7071", "http", "http://localhost:7071/oauth2/token"),
        ("localhost", "http", "http://localhost/oauth2/token"),
        ("127.0.0.1:7071", "https", "https://127.0.0.1:7071/oauth2/token"),
        ("[::1]:7071", "http", "http://[::1]:7071/oauth2/token"),
        ("localhost:7071", "javascript", "https://localhost:7071/oauth2/token"),
    ],
)
def test_tokens_are_got_by_https_except_on_loopback(server: str, scheme: str, realm: str) -> None:
    value = challenge.bearer(server, scheme)
    assert value == f'Bearer realm="{realm}",service="{server}"'


def test_a_challenge_is_spelt_as_clients_take_it_apart() -> None:
    """`az` splits at commas and expects no space after them; others want the scope in quotes."""
    value = challenge.bearer("r.example", "https", "repository:a/b:pull,push", "invalid_token")
    assert value == (
        'Bearer realm="https://r.example/oauth2/token",service="r.example",'
        'scope="repository:a/b:pull,push",error="invalid_token"'
    )
