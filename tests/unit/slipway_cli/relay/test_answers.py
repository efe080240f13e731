import json

import pytest

from slipway_cli.command import CommandError, NotSignedIn
from slipway_cli.registry.client import Refused
from slipway_cli.registry.server import Answer, Server
from slipway_cli.relay import answers

SERVER = Server("https", "registry.example.com")


@pytest.mark.parametrize(
    ("location", "seen"),
    [
        ("/v2/a/blobs/x", "/v2/a/blobs/x"),
        ("https://registry.example.com/v2/a?n=1", "/v2/a?n=1"),
        ("https://REGISTRY.example.com/v2/a", "/v2/a"),
        (
            "https://account.blob.core.windows.net/content/x?sig=y",
            "https://account.blob.core.windows.net/content/x?sig=y",
        ),
        ("https://registry.example.com:8443/v2/a", "https://registry.example.com:8443/v2/a"),
    ],
)
def test_an_address_of_the_registry_becomes_the_relays_and_another_stays(
    location: str, seen: str
) -> None:
    assert answers.headers_of({"Location": location}, SERVER) == {"location": seen}
    link = answers.headers_of({"Link": f'<{location}>; rel="next"'}, SERVER)
    assert link == {"link": f'<{seen}>; rel="next"'}


def test_what_is_of_one_connection_or_of_the_registrys_sign_in_is_not_handed_on() -> None:
    headers = {
        "Transfer-Encoding": "chunked",
        "Connection": "close",
        "WWW-Authenticate": "Bearer",
        "OCI-Chunk-Max-Length": "1",
        "ETag": '"x"',
    }
    assert answers.headers_of(headers, SERVER) == {"etag": '"x"'}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused(Answer(404, {}, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')), 404, ""),
        (Refused(Answer(401, {"www-authenticate": "Bearer"}, b"{}")), 403, "DENIED"),
        (NotSignedIn("sign in again"), 403, "DENIED"),
        (CommandError("the registry cannot be reached"), 503, "UNAVAILABLE"),
    ],
)
def test_a_request_that_failed_on_the_way_is_answered_so_that_a_client_understands(
    error: CommandError, status: int, code: str
) -> None:
    answer = answers.of_failure(error, SERVER)
    assert answer.status == status
    assert "WWW-Authenticate" not in answer.headers
    body = answer.body
    assert isinstance(body, bytes)
    if code:
        assert json.loads(body)["errors"][0]["code"] == code
    else:
        assert body == error.answer.body  # type: ignore[attr-defined]
