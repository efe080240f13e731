from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from starlette.responses import Response

from devhost import logs
from devhost.errors import DevhostError
from registry_core.http import audit, log_lines, request_log
from registry_core.http.answered import Answered
from registry_core.http.journal import Journal
from registry_core.settings import Settings, StorageSettings
from registry_core.storage.calls import CallTrace
from tests.unit.core.http.requests import request

LINE = {
    "Category": "Requests",
    "Method": "GET",
    "Kind": "blob",
    "Repository": "team/app",
    "ResultDescription": "307",
    "StorageCalls": 1,
}

RECORD = {"OperationName": "Pull", "Repository": "team/app"}


def answered() -> Answered:
    settings = Settings(storage=StorageSettings("UseDevelopmentStorage=true"))
    journal = Journal(kind="blob", repository="team/app")
    trace = CallTrace()
    trace.end(trace.begin("GET", "https://acct.table.core.windows.net/x"))
    return Answered(settings, request(), Response(status_code=307), journal, "c-1", trace, 7.3)


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def written(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool, **environment: str) -> str:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure(environment, is_terminal=is_terminal)
    # As the registry writes them.
    log_lines.write(request_log.LOGGER, logging.INFO, LINE, answered())
    log_lines.write(audit.LOGGER, logging.INFO, RECORD)
    logging.getLogger("slipway").warning("a warning")
    return stream.getvalue()


def test_at_a_terminal_a_request_is_one_line_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = written(monkeypatch, is_terminal=True, NO_COLOR="1").splitlines()
    assert first.split()[1:] == ["GET", "blob", "team/app", "307", "7", "ms,", "1", "calls"]
    assert second.split()[1:] == ["WARNING", "a", "warning"]


def test_at_a_terminal_a_request_that_left_a_record_is_the_same_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure({"NO_COLOR": "1"}, is_terminal=True)
    log_lines.write(audit.LOGGER, logging.INFO, RECORD, answered())
    assert stream.getvalue().split()[1:6] == ["GET", "blob", "team/app", "307", "7"]


def test_elsewhere_it_is_the_line_of_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (
        written(monkeypatch, is_terminal=False).splitlines(),
        written(monkeypatch, is_terminal=True, LOG_FORMAT="json").splitlines(),
    ):
        request, record, warning = map(json.loads, line)
        assert {name: request[name] for name in LINE} == LINE
        assert request.keys() - LINE.keys() == {"time", "level"}
        assert {name: record[name] for name in RECORD} == RECORD
        assert (warning["level"], warning["message"]) == ("WARNING", "a warning")


def test_an_exception_is_one_line_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure({}, is_terminal=False)
    try:
        int("what happened")
    except ValueError:
        logging.getLogger("slipway").exception("a fault")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["exception"].endswith("'what happened'")


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[32m307" in written(monkeypatch, is_terminal=True)
    assert "\x1b" not in written(monkeypatch, is_terminal=True, TERM="dumb")
    assert "\x1b" not in written(monkeypatch, is_terminal=False, LOG_FORMAT="text")


def test_the_level_is_a_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(monkeypatch, is_terminal=True, LOG_LEVEL="warning", NO_COLOR="1")
    assert [line.split()[1] for line in text.splitlines()] == ["WARNING"]
    record = json.dumps(RECORD, separators=(",", ":"))
    assert record in written(monkeypatch, is_terminal=True, LOG_LEVEL="DEBUG")


@pytest.mark.parametrize("name", ["LOG_LEVEL", "LOG_FORMAT"])
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(DevhostError, match=f"{name} must be one of"):
        written(monkeypatch, is_terminal=True, **{name: "loud"})
