import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.auth import challenge

SERVERS = ("registry.example.com", "localhost:7071", "127.0.0.1:7071")


@pytest.mark.parametrize("host", [*SERVERS, "REGISTRY.example.COM", "LocalHost:7071"])
def test_a_host_that_is_ours_is_the_one_announced(host: str) -> None:
    assert challenge.login_server(host, SERVERS) == host.lower()
    assert challenge.basic(host, SERVERS) == f'Basic realm="{host.lower()}", charset="UTF-8"'


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
    assert challenge.basic(host, SERVERS) == challenge.basic(SERVERS[0], SERVERS)


@given(st.text())
def test_an_arbitrary_host_yields_one_of_ours(host: str) -> None:
    assert challenge.login_server(host, SERVERS) in SERVERS
