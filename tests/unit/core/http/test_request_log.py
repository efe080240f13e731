"""Which requests that leave no audit record have a line, and what is in it."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import Response

from registry_core.auth.identity import Identity, IdentityKind
from registry_core.http import request_log
from registry_core.http.answered import Answered
from registry_core.http.journal import Journal
from registry_core.settings import RequestLog, RequestLogSettings, Settings, StorageSettings
from registry_core.storage.calls import CallTrace
from tests.unit.core.http.requests import request

SETTINGS = Settings(
    storage=StorageSettings("UseDevelopmentStorage=true"), login_servers=("r.example",)
)
SLOW_MS = 10_000.0
LIMIT = 1_000
BEARER = {"Authorization": "Bearer s3cret"}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines that a request leaves, and their level."""
    caplog.set_level(logging.INFO, logger="slipway.requests")

    def of(
        status: int,
        *,
        method: str = "PUT",
        headers: dict[str, str] | None = None,
        log: RequestLog = RequestLog.FAILED,
        calls: int = 2,
        duration_ms: float = 7.4,
        slow: timedelta = timedelta(milliseconds=SLOW_MS),
        received: int = 0,
    ) -> list[tuple[str, dict[str, Any]]]:
        caplog.clear()
        trace = CallTrace()
        for _ in range(calls):
            trace.end(trace.begin("GET", "https://acct.blob.core.windows.net/content/x?sig=s3cret"))
        identity = Identity(IdentityKind.ADMIN, "admin")
        journal = Journal(kind="upload-session", repository="team/app", identity=identity)
        settings = replace(SETTINGS, request_log=RequestLogSettings(log, slow), body_limit=LIMIT)
        sent = request(method, headers=headers, query="_state=s3cret")
        sent.scope["slipway.received"] = received
        response = Response(b"12345", status)
        request_log.write(Answered(settings, sent, response, journal, "c-1", trace, duration_ms))
        return [(each.levelname, json.loads(each.getMessage())) for each in caplog.records]

    return of


def test_a_line_has_who_asked_for_what_how_it_ended_and_what_it_took(lines: Any) -> None:
    ((level, line),) = lines(201, log=RequestLog.ALL, headers=BEARER | {"User-Agent": "docker/28"})
    assert level == "INFO"
    assert line.pop("StorageMs", 0) < 10_000
    assert line == {
        "Category": "Requests",
        "Method": "PUT",
        "Kind": "upload-session",
        "Repository": "team/app",
        "Identity": "admin",
        "LoginServer": "r.example",
        "UserAgent": "docker/28",
        "ResultType": "Succeeded",
        "ResultDescription": "201",
        "DurationMs": "7",
        "CorrelationId": "c-1",
        "Region": "local",
        "StorageCalls": 2,
        "StorageRounds": 2,
        "BytesOut": 5,
    }


@pytest.mark.parametrize("status", [400, 403, 405, 409, 413, 416, 429, 499])
def test_what_failed_has_a_line(lines: Any, status: int) -> None:
    ((level, line),) = lines(status)
    assert (level, line["ResultType"]) == ("INFO", "Failed")


@pytest.mark.parametrize("status", [500, 503, 507])
def test_what_the_registry_or_storage_failed_at_is_a_warning(lines: Any, status: int) -> None:
    assert [level for level, _ in lines(status)] == ["WARNING"]


@pytest.mark.parametrize("status", [200, 201, 202, 206, 304, 307])
def test_what_succeeds_has_none(lines: Any, status: int) -> None:
    assert lines(status) == []


def test_to_be_asked_to_sign_in_is_no_failure_but_to_be_refused_is_one(lines: Any) -> None:
    assert lines(401) == []
    assert len(lines(401, headers=BEARER)) == 1


@pytest.mark.parametrize(("method", "count"), [("GET", 0), ("HEAD", 0), ("PUT", 1), ("DELETE", 1)])
def test_a_question_whose_answer_is_no_is_no_failure(lines: Any, method: str, count: int) -> None:
    assert len(lines(404, method=method)) == count


@pytest.mark.parametrize(("duration_ms", "count"), [(SLOW_MS - 1, 0), (SLOW_MS, 1)])
def test_what_was_slow_has_a_line(lines: Any, duration_ms: float, count: int) -> None:
    assert len(lines(200, duration_ms=duration_ms)) == count


@pytest.mark.parametrize(
    ("calls", "count"), [(request_log.MANY_CALLS - 1, 0), (request_log.MANY_CALLS, 1)]
)
def test_what_took_many_storage_calls_has_a_line(lines: Any, calls: int, count: int) -> None:
    assert len(lines(200, calls=calls)) == count


def test_where_it_is_off_nothing_has_a_line(lines: Any) -> None:
    assert lines(503, log=RequestLog.OFF, duration_ms=SLOW_MS, calls=1_000) == []


def test_a_line_tells_of_calls_how_many_and_never_where(lines: Any) -> None:
    assert "s3cret" not in json.dumps(lines(400, headers=BEARER))


@pytest.mark.parametrize(
    ("status", "received", "is_advised"),
    [(499, LIMIT, True), (499, LIMIT - 1, False), (400, LIMIT, False)],
)
def test_the_line_of_a_body_that_was_cut_off_at_the_limit_names_the_limit_and_the_relay(
    lines: Any, status: int, received: int, is_advised: bool
) -> None:
    ((_, line),) = lines(status, method="PATCH", received=received)
    advice = line.get("Advice", "")
    assert ("slipway relay" in advice and str(LIMIT) in advice) == is_advised


def test_what_a_client_sent_cannot_begin_a_line_of_its_own(
    lines: Any, caplog: pytest.LogCaptureFixture
) -> None:
    agent = 'x"}\r\n{"Category":"y"}'
    ((_, line),) = lines(400, headers={"User-Agent": agent})
    assert line["UserAgent"] == agent
    assert not {"\r", "\n"} & set(caplog.records[0].getMessage())
