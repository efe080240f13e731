import pytest

from registry_core.auth import challenge


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
