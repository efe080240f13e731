"""Which records a request leaves, by what its route says and what its change tells."""

import json
import logging
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import Response

from registry_core.auth.identity import Identity, IdentityKind
from registry_core.http import audit
from registry_core.http.answered import Answered
from registry_core.http.journal import Journal
from registry_core.model.change import Event, Operation, Origin
from registry_core.settings import RequestLog, RequestLogSettings, Settings, StorageSettings
from registry_core.storage.calls import CallTrace
from tests.unit.core.http.requests import request

ORIGIN = Origin("jo", "request-1")
SETTINGS = Settings(storage=StorageSettings("UseDevelopmentStorage=true"))
DIGEST = "sha256:" + "1" * 64
PULL, PUSH, UNTAG, DELETE = (
    Event(operation, "team/app", ORIGIN, tag="v1")
    for operation in (Operation.PULL, Operation.PUSH, Operation.UNTAG, Operation.DELETE)
)


def trace() -> CallTrace:
    """Two storage calls, one after the other."""
    made = CallTrace()
    for _ in range(2):
        made.end(made.begin("GET", "https://acct.blob.core.windows.net/content/x?sig=s3cret"))
    return made


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Any:
    """Writes the records of a request and gives them."""
    caplog.set_level(logging.INFO, logger="slipway.audit")

    def of(
        journal: Journal,
        status: int,
        headers: dict[str, str] | None = None,
        log: RequestLog = RequestLog.FAILED,
    ) -> Any:
        caplog.clear()
        settings = replace(SETTINGS, request_log=RequestLogSettings(log))
        sent = request("PUT", headers={"Content-Type": "a/manifest"})
        response = Response(b"12345", status, headers)
        answered = Answered(settings, sent, response, journal, "request-1", trace(), 1.0)
        found = audit.write(answered)
        lines = [defaultdict(str, json.loads(r.getMessage())) for r in caplog.records]
        assert found == bool(lines)
        return lines

    return of


def test_each_event_that_a_change_tells_is_a_record_in_order(written: Any) -> None:
    identity = Identity(IdentityKind.ENTRA, "jo", "id", "a tenant")
    events = [UNTAG, DELETE, Event(Operation.PUSH, "team/b", ORIGIN, DIGEST, is_blob=True)]
    found = written(Journal(asked=PUSH, events=events, identity=identity), 201)
    assert [line["OperationName"] for line in found] == ["Untag", "Delete", "Push"]
    assert [line["Repository"] for line in found] == ["team/app", "team/app", "team/b"]
    assert [line["ArtifactType"] for line in found] == ["", "", "Blob"]
    assert (found[2]["Digest"], found[2]["Tag"], found[2]["Size"]) == (DIGEST, "", "")
    assert {line["Identity"] for line in found} == {"jo"}
    assert {line["UserTenantId"] for line in found} == {"a tenant"}
    assert {line["CorrelationId"] for line in found} == {"request-1"}


@pytest.mark.parametrize("asked", [PUSH, UNTAG, DELETE], ids=lambda event: event.operation.value)
def test_a_change_that_succeeds_is_told_by_its_events_alone(written: Any, asked: Event) -> None:
    assert written(Journal(asked=asked), 202) == []


@pytest.mark.parametrize("status", [400, 401, 404, 405, 499, 500, 503])
@pytest.mark.parametrize("asked", [PUSH, UNTAG, DELETE], ids=lambda event: event.operation.value)
def test_a_change_that_is_refused_is_recorded_as_it_was_asked_for(
    written: Any, asked: Event, status: int
) -> None:
    (line,) = written(Journal(asked=asked), status, {"Content-Type": "application/json"})
    assert (line["ResultType"], line["ResultDescription"]) == ("Failed", str(status))
    assert (line["OperationName"], line["Tag"]) == (asked.operation.value, "v1")
    assert line["MediaType"] == ("a/manifest" if asked is PUSH else "")


def test_of_a_change_that_got_no_further_both_what_happened_and_the_failure_are_recorded(
    written: Any,
) -> None:
    found = written(Journal(asked=DELETE, events=[UNTAG]), 503)
    told = [(line["OperationName"], line["ResultType"]) for line in found]
    assert told == [("Untag", "Succeeded"), ("Delete", "Failed")]


@pytest.mark.parametrize(
    ("status", "digest", "media_type", "size"),
    [
        (200, DIGEST, "a/b", 5),
        (206, DIGEST, "a/b", 5),
        (304, DIGEST, "a/b", ""),
        (307, DIGEST, "a/b", ""),
        (404, "", "", ""),
        (503, "", "", ""),
    ],
)
def test_a_pull_is_recorded_with_what_its_answer_says(
    written: Any, status: int, digest: str, media_type: str, size: int | str
) -> None:
    headers = {"Content-Type": "a/b", "Docker-Content-Digest": digest}
    if not digest:
        del headers["Docker-Content-Digest"]
    (line,) = written(Journal(asked=PULL), status, headers | {"Content-Length": "5"})
    assert (line["OperationName"], line["Tag"]) == ("Pull", "v1")
    assert (line["Digest"], line["MediaType"], line["Size"]) == (digest, media_type, size)


def test_what_asks_for_nothing_that_is_recorded_leaves_no_record(written: Any) -> None:
    assert written(Journal(), 200) == written(Journal(), 404) == []


@pytest.mark.parametrize("status", [200, 401])
def test_a_sign_in_is_recorded_with_the_name_that_it_claims_or_proves(
    written: Any, status: int
) -> None:
    proven = Identity(IdentityKind.TOKEN, "reader") if status == 200 else None
    (line,) = written(Journal(user_name="n" * 300, identity=proven), status)
    assert (line["Category"], line["OperationName"]) == ("ContainerRegistryLoginEvents", "Login")
    assert line["Identity"] == ("reader" if proven else "n" * 256)


@pytest.mark.parametrize("status", [404, 405, 429, 503])
def test_a_right_password_is_no_failed_sign_in_whatever_becomes_of_the_request(
    written: Any, status: int
) -> None:
    """Otherwise what a client asks for in vain would look like guessed passwords."""
    reader = Identity(IdentityKind.TOKEN, "reader")
    (line,) = written(Journal(user_name="reader", identity=reader, is_proven=True), status)
    assert (line["ResultType"], line["ResultDescription"]) == ("Succeeded", str(status))


def test_what_a_request_took_is_in_the_first_of_its_records_alone(written: Any) -> None:
    first, second = written(Journal(asked=DELETE, events=[UNTAG, DELETE]), 202)
    assert (first["StorageCalls"], first["StorageRounds"], first["BytesOut"]) == (2, 2, 5)
    figures = {"StorageCalls", "StorageRounds", "StorageMs", "BytesIn", "BytesOut"}
    assert not figures & second.keys()


@pytest.mark.parametrize(
    ("status", "log", "is_told"),
    [
        (201, RequestLog.FAILED, False),
        (201, RequestLog.OFF, False),
        (201, RequestLog.ALL, True),
        (404, RequestLog.FAILED, True),
    ],
)
def test_a_record_tells_where_the_request_led_if_it_failed_or_each_request_is_to_be_seen(
    written: Any, status: int, log: RequestLog, is_told: bool
) -> None:
    journal = Journal(kind="manifest", asked=PUSH, events=[PUSH] if status < 400 else [])
    (line,) = written(journal, status, log=log)
    assert (line["Method"], line["Kind"]) == (("PUT", "manifest") if is_told else ("", ""))


@pytest.mark.parametrize(("status", "level"), [(404, "INFO"), (503, "WARNING")])
def test_what_the_registry_or_storage_failed_at_is_a_warning(
    written: Any, caplog: pytest.LogCaptureFixture, status: int, level: str
) -> None:
    written(Journal(asked=PULL), status)
    assert [record.levelname for record in caplog.records] == [level]


def test_a_column_that_is_empty_is_left_out(written: Any) -> None:
    (line,) = written(Journal(asked=PULL), 404)
    assert not {"UserTenantId", "MediaType", "ArtifactType", "Size", "BytesIn"} & line.keys()
    assert all(line.values())


def test_a_sign_in_that_succeeds_is_told_by_the_record_of_what_it_was_for(written: Any) -> None:
    reader = Identity(IdentityKind.TOKEN, "reader")
    journal = Journal(user_name="reader", identity=reader, is_proven=True, events=[UNTAG, DELETE])
    found = written(journal, 202)
    assert [line["OperationName"] for line in found] == ["Untag", "Delete"]
    assert [line["SignIn"] for line in found] == ["Succeeded", ""]


def test_a_sign_in_that_fails_is_one_record_and_what_was_asked_for_is_none(written: Any) -> None:
    (line,) = written(Journal(user_name="jo", asked=PULL, repository="team/app"), 401)
    assert (line["OperationName"], line["ResultType"]) == ("Login", "Failed")
    assert (line["Identity"], line["Repository"]) == ("jo", "team/app")


def test_no_record_tells_where_storage_was_asked(written: Any) -> None:
    (line,) = written(Journal(asked=PULL), 200)
    assert "s3cret" not in json.dumps(line)
