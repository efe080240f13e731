import json
import logging
import re
import uuid
from base64 import b64encode
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from registry_core import errors
from registry_core.auth.bearer import BearerInvalid
from registry_core.auth.rate_limiter import RateLimiter
from registry_core.auth.sign_in import anonymous_caller
from registry_core.auth.throttle import Throttle
from registry_core.http import edge, surfaces
from registry_core.http.bodies import EarlyAnswer
from registry_core.http.surface import Route, Surface
from registry_core.model.actions import Action
from registry_core.registry import Registry
from registry_core.settings import RequestLog, RequestLogSettings, Settings
from registry_core.storage.faults import Ambiguous, NoRoom, RowMissing
from registry_core.storage.room import Room
from tests.routes import id_of, path_of
from tests.unit.core.http.requests import Body, error_of, request

PASSWORD = "vR7-kQ2_tW9-xZ4_bN6"
SETTINGS = Settings.from_environment(
    {
        "RegistryStorage": "UseDevelopmentStorage=true",
        "REGISTRY_LOGIN_SERVERS": "registry.example.com,localhost:7071",
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
    }
)
SIGNED_IN = {"Authorization": "Basic " + b64encode(f"admin:{PASSWORD}".encode()).decode()}
CORRELATION = "X-Ms-Correlation-Request-Id"


async def no_sleep(_: float) -> None:
    pass


def registry(error: BaseException | None = None, settings: Settings = SETTINGS) -> Registry:
    """A registry that opens at once, or fails to."""
    throttle = Throttle(sleep=no_sleep)

    async def open_() -> SimpleNamespace:
        if error:
            raise error
        return SimpleNamespace(settings=settings, throttle=throttle, sign_in=sign_in)

    async def password(*_: str, fresh: bool, held_off: float) -> None:
        assert not fresh
        assert not held_off

    async def bearer(_: str) -> None:
        raise BearerInvalid

    sign_in = SimpleNamespace(password=password, bearer=bearer)
    stand_in: Any = SimpleNamespace(
        metrics=None,
        settings=settings,
        open=open_,
        anonymous=anonymous_caller(settings),
        throttle=throttle,
        rate_limiter=RateLimiter(settings.rate_limits),
        room=Room(),
    )
    return cast("Registry", stand_in)


async def answer(
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    error: BaseException | None = None,
    query: str = "",
    body: Body | None = None,
) -> Response:
    sent = SIGNED_IN if headers is None else headers
    asked = request(method, path, sent, body, query)
    return await edge.handle(registry(error), surfaces.V2, asked, path)


async def test_whoever_is_signed_in_is_told_that_this_is_a_registry() -> None:
    response = await answer("/")
    assert (response.status_code, bytes(response.body)) == (200, b"{}")
    assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "authorization", [None, "", "Basic x", "Bearer x", "Basic YWRtaW46d3Jvbmc="]
)
async def test_without_signing_in_all_paths_and_methods_are_answered_alike(
    authorization: str | None,
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answers = set()
    for path in ("/", "/_catalog", "/a/manifests/x", "/A/../x", "/nowhere", "/a/blobs/uploads/"):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            response = await answer(path, method, headers)
            assert error_of(response) == (401, "UNAUTHORIZED")
            del response.headers[CORRELATION]
            told = (bytes(response.body).decode(), str(response.headers))
            # What is asked for is told back; whether it exists is not.
            scope = re.compile(r'scope="[^"]*",?|, "detail": \[.*?\]|\'content-length\': \'\d+\'')
            answers.add(tuple(scope.sub("", text).replace(",'", "'") for text in told))
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("localhost:7071", "localhost:7071"),
        ("evil.example.com", "registry.example.com"),
        ('"><script>', "registry.example.com"),
    ],
)
async def test_the_challenge_names_a_login_server_and_echoes_no_other(
    host: str, realm: str
) -> None:
    response = await answer("/", headers={"Host": host, "X-Forwarded-Proto": "http"})
    scheme = "https" if realm == "registry.example.com" else "http"
    expected = f'Bearer realm="{scheme}://{realm}/oauth2/token",service="{realm}"'
    assert response.headers["WWW-Authenticate"] == expected


_WORDS_OF_PROXIES = (
    *("Host", "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"),
    *("CLIENT-IP", "X-Client-IP", "X-Azure-ClientIP", "DISGUISED-HOST", "X-Original-Host"),
)


@pytest.mark.parametrize("header", _WORDS_OF_PROXIES)
@pytest.mark.parametrize("surface", [surfaces.V2, surfaces.ACR, surfaces.OAUTH2, surfaces.PAGE])
@pytest.mark.parametrize(
    "value",
    [
        "evil.example",
        "evil.example\r\nX-Evil: 1",
        "\n[evil]",
        "\xff\x00evil",
        "evil, evil",
        "x" * 9000,
    ],
)
async def test_what_proxies_say_is_never_echoed_fails_nothing_and_is_one_line_in_a_log(
    surface: Surface, header: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings = replace(
        SETTINGS,
        client_address_header="X-Azure-ClientIP",
        request_log=RequestLogSettings(RequestLog.ALL),
    )
    for signed_in in ({}, {"Authorization": "Basic YWRtaW46d3Jvbmc="}, SIGNED_IN):
        asked = request("GET", "/NO", {**signed_in, header: value})
        response = await edge.handle(registry(settings=settings), surface, asked, "/NO")
        assert response.status_code in (400, 401, 404)
        told = str(response.headers) + bytes(response.body).decode()
        assert "evil" not in told.lower()
        assert "xxxx" not in told
        realm = response.headers.get("WWW-Authenticate", 'realm="https://registry.example.com/')
        assert 'realm="https://registry.example.com/' in realm
    assert len(caplog.records) == 3
    for record in caplog.records:
        assert len(record.getMessage().splitlines()) == 1


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/nowhere", "GET", 404, "NOT_FOUND"),
        ("/_catalog", "POST", 405, "UNSUPPORTED"),
        # Decoded once more than the host does.
        ("/team%2Fapp/tags%2Flist", "POST", 405, "UNSUPPORTED"),
        ("/A/manifests/x", "GET", 400, "NAME_INVALID"),
        ("/a//b/manifests/x", "GET", 400, "NAME_INVALID"),
        ("/../x/manifests/x", "GET", 400, "NAME_INVALID"),
        ("/a%00/manifests/x", "GET", 400, "NAME_INVALID"),
        (f"/{'a' * 256}/tags/list", "GET", 400, "NAME_INVALID"),
        ("/%41/tags/list", "GET", 400, "NAME_INVALID"),
    ],
)
async def test_what_can_be_refused_is_refused_before_storage_is_touched(
    path: str, method: str, status: int, code: str
) -> None:
    response = await answer(path, method, error=AssertionError("storage was touched"))
    assert error_of(response) == (status, code)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Unavailable(), 503, "UNAVAILABLE"),
        (errors.NameUnknown(), 404, "NAME_UNKNOWN"),
        (Ambiguous("PUT table:/x"), 503, "UNAVAILABLE"),
        (RowMissing("GET blob:/x"), 503, "UNAVAILABLE"),
        (ValueError("a secret detail"), 500, "UNKNOWN"),
        (KeyError("a secret detail"), 500, "UNKNOWN"),
    ],
)
async def test_every_failure_is_an_error_body_that_tells_no_inner_detail(
    error: Exception, status: int, code: str
) -> None:
    response = await answer("/", error=error)
    assert error_of(response) == (status, code)
    assert response.headers["Content-Type"].startswith("application/json")
    assert ("Retry-After" in response.headers) is (status == 503)
    assert b"secret" not in bytes(response.body)
    assert b"table:" not in bytes(response.body)


async def test_a_query_that_cannot_be_read_is_the_clients_fault() -> None:
    response = await answer("/", query="&".join(["tag=a"] * 2001))
    assert error_of(response) == (400, "REQUEST_INVALID")


async def test_an_unexpected_failure_can_be_found_in_the_log_by_its_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await answer("/", error=ValueError("inner"))
    (error,) = json.loads(bytes(response.body))["errors"]
    correlation_id = error["detail"]["correlationId"]
    assert response.headers[CORRELATION] == correlation_id
    (record,) = [r for r in caplog.records if r.exc_info]
    assert correlation_id in record.getMessage()


@pytest.mark.parametrize("authorization", [None, "Basic x", SIGNED_IN["Authorization"]])
@pytest.mark.parametrize(
    ("surface", "path", "method", "status", "code"),
    [
        (surfaces.PAGE, "/nowhere", "GET", 404, "NOT_FOUND"),
        (surfaces.PAGE, "/", "POST", 405, "UNSUPPORTED"),
        (surfaces.PAGE, "/v2/", "PUT", 404, "NOT_FOUND"),
        (surfaces.OAUTH2, "/nowhere", "GET", 404, "NOT_FOUND"),
        (surfaces.OAUTH2, "/exchange", "GET", 405, "UNSUPPORTED"),
    ],
    ids=id_of,
)
async def test_a_public_surface_tells_everybody_what_it_has_not(
    surface: Surface,
    path: str,
    method: str,
    status: int,
    code: str,
    authorization: str | None,
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    untouched = registry(AssertionError("storage was touched"))
    response = await edge.handle(untouched, surface, request(method, path, headers), path)
    assert error_of(response) == (status, code)
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize(
    "route", [route for route in surfaces.V2.routes if route.action is Action.DELETE], ids=id_of
)
async def test_while_deletion_is_switched_off_no_handler_of_one_is_called(route: Route) -> None:
    path = path_of(route)
    off = registry(settings=replace(SETTINGS, delete_enabled=False))
    asked = request(route.method, path, SIGNED_IN)
    response = await edge.handle(off, surfaces.V2, asked, path)
    assert error_of(response) == (405, "UNSUPPORTED")
    assert b"REGISTRY_DELETE_ENABLED" in bytes(response.body)


async def test_a_client_that_has_gone_is_not_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    response = await answer("/", error=ClientDisconnect())
    assert response.status_code == 499
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("given", ["abc-123", "a" * 64, str(uuid.UUID(int=7))])
async def test_a_clients_correlation_id_is_answered(given: str) -> None:
    response = await answer("/", headers=SIGNED_IN | {CORRELATION: given})
    assert response.headers[CORRELATION] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 65, "a\nb", "é", '"', "../x"])
async def test_a_correlation_id_of_another_form_is_replaced(given: str) -> None:
    response = await answer("/", headers=SIGNED_IN | {CORRELATION: given})
    assert uuid.UUID(response.headers[CORRELATION]).version == 4


async def test_each_request_is_one_line_in_the_log_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="slipway"):
        await answer("/team/app/blobs/uploads/x", "OPTIONS", query="_state=s3cret-state")
        await answer("/nowhere", headers={"Authorization": "Basic s3cret"})
    lines = [json.loads(r.getMessage()) for r in caplog.records]
    names = ("Kind", "Repository", "Identity", "ResultDescription")
    facts = [tuple(line.get(name, "") for name in names) for line in lines]
    assert facts == [("upload-session", "", "admin", "405"), ("unknown", "", "", "401")]
    for secret in ("s3cret", PASSWORD, SIGNED_IN["Authorization"]):
        assert secret not in caplog.text


async def test_a_refused_request_is_answered_before_its_body_is_read_off() -> None:
    body = Body([b"x"] * 5)
    response = await answer("/a/blobs/uploads/", "POST", {}, body=body)
    assert body.taken == 0
    assert isinstance(response, EarlyAnswer)


async def test_storage_without_room_is_said_in_the_answer_and_once_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    full = registry(NoRoom("disk"))
    for _ in range(3):
        asked = request("GET", "/_catalog", SIGNED_IN)
        response = await edge.handle(full, surfaces.V2, asked, "/_catalog")
        assert error_of(response) == (503, "UNAVAILABLE")
        assert b"storage is full" in bytes(response.body)
    told = [record for record in caplog.records if "storage is full" in record.getMessage()]
    assert [(record.levelname, record.exc_info) for record in told] == [("ERROR", None)]
