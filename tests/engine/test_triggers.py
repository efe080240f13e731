"""The engine's own behaviour that the registry counts on: faults, streams, timers and queues."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.engine.host import EngineHost
from tests.engine.protos import StatusResult

TIMER = '{"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": true}'
METADATA = {
    "Id": {"string": "5d9a"},
    "DequeueCount": {"json": "2"},
    "PopReceipt": {"string": "receipt"},
    "InsertionTime": {"json": '"2026-01-02T03:04:05+00:00"'},
    "ExpirationTime": {"json": '"2026-01-09T03:04:05+00:00"'},
    "NextVisibleTime": {"json": '"2026-01-02T03:14:05+00:00"'},
}


def invoke(host: EngineHost, name: str, data: dict[str, Any], metadata: Any = None) -> Any:
    function = host.engine.functions[name]
    return host.run(host.engine.invoke(function, data, metadata))


def test_an_exception_is_answered_500_and_reported(triggers: EngineHost) -> None:
    triggers.failures.clear()
    assert httpx.get(f"{triggers.base_url}/fail").status_code == 500
    (failure,) = triggers.failures
    assert failure["message"] == "RuntimeError: on purpose"
    assert 'raise RuntimeError("on purpose")' in failure["stack_trace"]


def test_a_chunked_body_reaches_the_function_before_it_has_ended(triggers: EngineHost) -> None:
    address = urlsplit(triggers.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(
            b"PATCH /first HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n"
        )
        answer = b""
        while not answer.endswith(b"begun"):
            part = connection.recv(4096)
            assert part, answer
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_the_route_and_the_invocation_id_are_the_hosts(triggers: EngineHost) -> None:
    sent = {"x-ms-invocation-id": "of-the-client", "te": "trailers", "x-own": "kept"}
    told = httpx.get(f"{triggers.base_url}/headers/a/b%2Fc/", headers=sent).json()
    assert told["path"] == {"path": "a/b%2Fc/"}
    assert told["headers"]["x-ms-invocation-id"] != "of-the-client"
    assert told["headers"]["x-own"] == "kept"
    assert "te" not in told["headers"]


def test_a_timer_and_a_queue_run_beside_streaming_http(triggers: EngineHost) -> None:
    httpx.get(f"{triggers.base_url}/seen")
    assert triggers.engine.functions["sweep"].trigger["schedule"] == "0 */5 * * * *"
    assert triggers.engine.functions["work"].trigger["queueName"] == "work"
    assert invoke(triggers, "sweep", {"json": TIMER})["status"] == StatusResult.Success
    message = {"string": '{"digest": "sha256:1"}'}
    assert invoke(triggers, "work", message, METADATA)["status"] == StatusResult.Success
    assert httpx.get(f"{triggers.base_url}/seen").json() == [
        {"past_due": True},
        {
            "id": "5d9a",
            "body": '{"digest": "sha256:1"}',
            "dequeue_count": 2,
            "pop_receipt": "receipt",
            "inserted": "2026-01-02 03:04:05+00:00",
        },
    ]


def test_a_failed_queue_function_is_reported(triggers: EngineHost) -> None:
    result = invoke(triggers, "work", {"string": "fail"}, METADATA)
    assert result["status"] == StatusResult.Failure
    assert result["exception"]["message"] == "RuntimeError: on purpose"
