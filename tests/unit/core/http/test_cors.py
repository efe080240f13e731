import pytest
from starlette.responses import Response

from registry_core.http import cors
from tests.unit.core.http.requests import request

PAGE = "https://pages.example.com"
ORIGINS = (PAGE, "http://localhost:5173")
ASKS = {"Access-Control-Request-Method": "GET", "Origin": PAGE}


def allowed(origin: str | None, origins: tuple[str, ...] = ORIGINS) -> Response:
    response = Response()
    headers = {"Origin": origin} if origin is not None else {}
    cors.allow(response, request(headers=headers), origins)
    return response


@pytest.mark.parametrize("origin", [*ORIGINS, "https://PAGES.example.com"])
def test_a_page_of_a_configured_origin_may_read(origin: str) -> None:
    headers = allowed(origin).headers
    assert headers["Access-Control-Allow-Origin"] == origin.lower()
    assert headers["Vary"] == "Origin"
    exposed = headers["Access-Control-Expose-Headers"].lower().split(", ")
    needed = ("docker-content-digest", "link", "www-authenticate", "oci-filters-applied", "etag")
    assert set(needed) <= set(exposed)


@pytest.mark.parametrize(
    "origin",
    [None, "", "null", "*", "https://evil.example", f"{PAGE}.evil.example", f"{PAGE}:8443"],
)
def test_a_page_of_any_other_origin_may_not(origin: str | None) -> None:
    headers = allowed(origin).headers
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Vary"] == "Origin"


def test_without_origins_no_answer_differs() -> None:
    assert "Vary" not in allowed(PAGE, ()).headers
    assert "Access-Control-Allow-Origin" not in allowed(PAGE, ()).headers


def test_a_browser_never_sends_what_it_keeps() -> None:
    assert "Access-Control-Allow-Credentials" not in allowed(PAGE).headers


def test_a_preflight_of_a_configured_origin_is_told_what_it_may_ask() -> None:
    response = cors.preflight(request("OPTIONS", headers=ASKS), ORIGINS, cors.READING)
    assert response is not None
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    asked = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "accept", "range", "if-none-match"} <= set(asked)


@pytest.mark.parametrize(
    ("method", "headers", "origins"),
    [
        ("OPTIONS", ASKS, ()),
        ("OPTIONS", ASKS | {"Origin": "https://evil.example"}, ORIGINS),
        ("OPTIONS", {"Origin": PAGE}, ORIGINS),
        ("GET", ASKS, ORIGINS),
        ("OPTIONS", {}, ORIGINS),
    ],
)
def test_whatever_is_no_preflight_of_one_is_answered_like_any_request(
    method: str, headers: dict[str, str], origins: tuple[str, ...]
) -> None:
    assert cors.preflight(request(method, headers=headers), origins, cors.READING) is None
