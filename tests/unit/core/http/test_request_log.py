import json
import logging
import time
from typing import Any

import pytest

from registry_core.http.request_log import Entry
from registry_core.storage.calls import CallTrace

FIELDS = {
    "method",
    "kind",
    "repository",
    "identity",
    "status",
    "duration_ms",
    "storage_calls",
    "storage_rounds",
    "storage_ms",
    "bytes_in",
    "bytes_out",
    "correlation_id",
}


def written(caplog: pytest.LogCaptureFixture, **changes: Any) -> dict[str, Any]:
    trace = CallTrace()
    for _ in range(2):
        trace.end(trace.begin("GET", "https://acct.blob.core.windows.net/content/x?sig=s3cret"))
    facts: dict[str, Any] = {
        "method": "PUT",
        "kind": "upload-session",
        "repository": "team/app",
        "identity": "admin",
        "status": 201,
        "trace": trace,
        "started": time.monotonic() - 0.25,
        "bytes_in": 12,
        "correlation_id": "c-1",
    }
    with caplog.at_level(logging.INFO, logger="slipway.requests"):
        Entry(**facts | changes).write(34)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "\n" not in record.getMessage()
    line: dict[str, Any] = json.loads(record.getMessage())
    return line


def test_a_line_has_each_field_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    line = written(caplog)
    assert line.keys() == FIELDS
    assert 250 <= line.pop("duration_ms") < 10_000
    assert 0 <= line.pop("storage_ms") < 10_000
    assert line == {
        "method": "PUT",
        "kind": "upload-session",
        "repository": "team/app",
        "identity": "admin",
        "status": 201,
        "storage_calls": 2,
        "storage_rounds": 2,
        "bytes_in": 12,
        "bytes_out": 34,
        "correlation_id": "c-1",
    }


def test_a_line_tells_of_calls_how_many_and_never_where(caplog: pytest.LogCaptureFixture) -> None:
    assert "s3cret" not in json.dumps(written(caplog))
    assert "content" not in caplog.text


def test_what_a_client_sent_cannot_begin_a_line_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert written(caplog, method='GET"}\n{"x"')["method"] == 'GET"}\n{"x"'
