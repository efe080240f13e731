"""What is sent to Azure Monitor, by a real request to a listener; and when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry_core.storage import metrics
from registry_core.storage.faults import Refused
from registry_core.storage.metrics import MetricsSender
from tests.integration.monitor import PATH, Monitor, listening

NOW = datetime(2027, 1, 2, 3, 4, 59, 999_999, UTC)
SERIES = ("dimValues", "min", "max", "sum", "count")


@pytest.fixture
async def listener() -> AsyncIterator[Monitor]:
    async with listening() as monitor:
        yield monitor


@dataclass
class Pause:
    """In place of waiting: it ends when the test says so."""

    asked: list[float] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self.over.wait()
        self.over.clear()


async def token() -> str:
    return "a-token"


def sender(
    listener: Monitor,
    token: Callable[[], Awaitable[str]] | None = token,
    now: Callable[[], datetime] = lambda: NOW,
    pause: Pause | None = None,
) -> MetricsSender:
    return MetricsSender(listener.url, "Slipway", token, now=now, pause=pause or Pause())


async def test_one_request_has_a_line_for_each_metric_as_azure_monitor_documents_it(
    listener: Monitor,
) -> None:
    sending = sender(listener)
    here, there = {"Geolocation": "westeurope"}, {"Geolocation": "eastus"}
    for value in (7.0, 4.0, 13.0, 16.0):
        sending.add("RequestLatency", here | {"Kind": "blob"}, value)
    sending.add("RequestLatency", {"Kind": "manifest"} | here, 2.5)
    sending.add("TotalPullCount", here, count=3)
    sending.add("TotalPullCount", here)
    sending.add("TotalPullCount", there)
    sending.add("StorageUsed", here, 123_456_789_012)
    await sending.close()
    ((path, headers, body),) = listener.taken
    assert path == PATH
    assert headers["Authorization"] == "Bearer a-token"
    assert headers["Content-Type"] == "application/x-ndjson"
    assert headers["Content-Length"] == str(len(body))
    assert body.endswith(b"\n")

    def document(metric: str, names: list[str], *series: list[Any]) -> dict[str, Any]:
        known = [dict(zip(SERIES, each, strict=True)) for each in series]
        base = {"metric": metric, "namespace": "Slipway", "dimNames": names, "series": known}
        return {"time": "2027-01-02T03:04:00Z", "data": {"baseData": base}}

    assert listener.documents == [
        document(
            "RequestLatency",
            ["Geolocation", "Kind"],
            [["westeurope", "blob"], 4, 16, 40, 4],
            [["westeurope", "manifest"], 2.5, 2.5, 2.5, 1],
        ),
        document(
            "TotalPullCount",
            ["Geolocation"],
            [["westeurope"], 1, 1, 4, 4],
            [["eastus"], 1, 1, 1, 1],
        ),
        document("StorageUsed", ["Geolocation"], [["westeurope"], *[123_456_789_012] * 3, 1]),
    ]


async def test_each_minute_has_a_line_of_its_own(listener: Monitor) -> None:
    times = [NOW, NOW, NOW + timedelta(microseconds=1)]
    sending = sender(listener, now=lambda: times.pop(0))
    for _ in range(3):
        sending.add("TotalPullCount", {})
    await sending.close()
    told = [
        (each["time"], each["data"]["baseData"]["series"][0]["sum"]) for each in listener.documents
    ]
    assert told == [("2027-01-02T03:04:00Z", 2), ("2027-01-02T03:05:00Z", 1)]


async def settled() -> None:
    """Lets what was begun come to where it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_many_values_take_one_request_a_minute_and_none_where_there_is_nothing(
    listener: Monitor,
) -> None:
    pause = Pause()
    sending = sender(listener, pause=pause)
    await settled()
    assert pause.asked == []  # Nothing waits before there is something to tell.
    for _ in range(100):
        sending.add("TotalPullCount", {})
    await settled()
    assert (pause.asked, listener.taken) == ([metrics.PAUSE_SECONDS], [])
    pause.over.set()
    await listener.came.wait()
    assert listener.documents[0]["data"]["baseData"]["series"][0]["sum"] == 100
    await settled()
    assert pause.asked == [metrics.PAUSE_SECONDS]
    sending.add("TotalPullCount", {})
    await settled()
    assert pause.asked == [metrics.PAUSE_SECONDS] * 2
    await sending.close()
    assert len(listener.taken) == 2
    await sending.close()
    assert len(listener.taken) == 2


@pytest.mark.parametrize("status", [307, 400, 401, 429, 500])
async def test_what_fails_is_told_once_and_not_sent_again(
    listener: Monitor, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    sending = sender(listener)
    for answer in (status, status, 200, status):
        listener.status = answer
        sending.add("TotalPullCount", {})
        await sending.send()
    assert all(b'"sum":1,' in body for *_, body in listener.taken)
    warnings = [record.getMessage() for record in caplog.records]
    assert [str(status) in each for each in warnings] == [True, True]
    await sending.close()


async def test_nobody_who_answers_and_no_token_are_told_and_the_next_is_tried(
    listener: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def refused() -> str:
        raise Refused("CredentialUnavailableError", is_signed_in=False)

    unreachable = Monitor("http://127.0.0.1:9/metrics")
    for sending in (sender(listener, refused), sender(unreachable)):
        sending.add("TotalPullCount", {})
        await sending.close()
    assert listener.taken == []
    assert len(caplog.records) == 2
    assert "a-token" not in caplog.text


async def test_no_token_is_sent_where_others_could_read_it(listener: Monitor) -> None:
    def no_connection() -> Any:
        raise AssertionError("a token was asked for")

    sending = MetricsSender.over(no_connection, listener.url, "Slipway")
    sending.add("TotalPullCount", {})
    await sending.close()
    ((_, headers, _),) = listener.taken
    assert "Authorization" not in headers


async def test_the_memory_has_a_bound(listener: Monitor) -> None:
    sending = sender(listener)
    for number in range(metrics.MOST_SERIES + 10):
        sending.add("RequestLatency", {"Kind": str(number)})
    sending.add("RequestLatency", {"Kind": "0"})
    await sending.close()
    (document,) = listener.documents
    series = document["data"]["baseData"]["series"]
    assert len(series) == metrics.MOST_SERIES
    assert series[0]["count"] == 2
