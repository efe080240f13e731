"""The queries of the docs and of the alerts, run over lines that the registry really writes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry_core.auth.rate_limiter import RateLimiter
from registry_core.lifecycle.backup import daily
from registry_core.lifecycle.backup.backup import Outcome
from registry_core.lifecycle.backup.documents import Backup
from registry_core.repositories.messages import QUEUE
from registry_core.settings import RateLimits, Settings
from tests import kql
from tests.integration.core.auth.test_sign_in import Guest, basic
from tests.integration.core.support import connect, digest_of
from tests.interference.kinds import Refuse

ROOT = Path(__file__).resolve().parents[3]
SEVERITY = {"INFO": 1, "WARNING": 2, "ERROR": 3}
DOCS = {
    f"{path.name}: {query}": query
    for path in sorted((ROOT / "docs").glob("*.md"))
    for query in re.findall(r"```kusto\n(traces.*?)```", path.read_text(), re.DOTALL)
}
"""Those over lines of the registry; others are over what the host itself notices."""
MONITORING = (ROOT / "infra/modules/monitoring.bicep").read_text()
ALERTS = dict(re.findall(r"key: '([\w-]+)'[^{}]*?query: '([^']*)'", MONITORING))

GIVEN_UP = f"Message has reached MaxDequeueCount of 5. Moving message to queue '{QUEUE}-poison'."
"""What the Functions host says of a message that failed too often (QueueProcessor.cs)."""


class Telemetry:
    """What Application Insights has, under the names of both of its schemas."""

    def __init__(self, records: Sequence[logging.LogRecord], statuses: Sequence[int]) -> None:
        traces = [
            {
                "timestamp": datetime.fromtimestamp(record.created, UTC),
                "message": record.getMessage(),
                "severityLevel": SEVERITY[record.levelname],
            }
            for record in records
            if record.name.startswith("slipway")
        ]
        self._tables = {
            "traces": traces,
            "AppTraces": [
                *({"Message": row["message"], "ItemCount": 1} for row in traces),
                {"Message": GIVEN_UP, "ItemCount": 1},
            ],
            "AppRequests": [{"ResultCode": str(each), "ItemCount": 1} for each in statuses],
        }

    def found(self, query: str) -> list[kql.Row]:
        return kql.run(query, self._tables)


@pytest.fixture
async def telemetry(
    settings: Settings, repository: str, caplog: pytest.LogCaptureFixture
) -> Telemetry:
    """Of a push, a wrong password, a failure of storage, a caller who asks too much, a backup."""
    caplog.set_level(logging.INFO, logger="slipway")
    statuses = []
    async with connect(settings, rate_limiter=RateLimiter(RateLimits(delete=1))) as client:
        await client.push_image(repository, "v1")
        wrong = Guest(client, basic("mallory", "a guess of the password"))
        statuses.append((await wrong.ask("GET", "/v2/")).status_code)
        client.hook.plan = lambda _: Refuse()
        headers = {"X-Ms-Correlation-Request-Id": "the-one-that-failed"}
        answer = await client.send("GET", f"/v2/{repository}/tags/list", headers=headers)
        statuses.append(answer.status_code)
        client.hook.plan = None
        for _ in range(2):
            url = f"/v2/{repository}/manifests/{digest_of(b'none')}"
            statuses.append((await client.send("DELETE", url)).status_code)
    assert statuses == [401, 503, 404, 429]
    backup = Backup("20261128T021300Z", "account", 2, "0.1.0")
    logging.getLogger("slipway.backup").info(daily.line(Outcome(backup, is_complete=True)))
    return Telemetry(caplog.records, statuses)


EXPECTED: dict[str, Callable[[list[kql.Row], str], bool]] = {
    'e.OperationName == "Push"': lambda rows, repository: (
        [(row["Repository"], row.get("Tag") or "", row["ResultType"]) for row in rows][-1]
        == (repository, "v1", "Succeeded")
    ),
    "<correlation id>": lambda rows, _: (
        len(rows) >= 1 and all("the-one-that-failed" in row["message"] for row in rows)
    ),
    "severityLevel >= 2": lambda rows, _: any("the-one-that-failed" in r["message"] for r in rows),
    '"429"': lambda rows, _: (
        [(r["Identity"], r["Kind"], r["requests"]) for r in rows] == [("admin", "manifest", 1)]
    ),
    '"Backup"': lambda rows, _: ['"IsComplete": true' in row["message"] for row in rows] == [True],
}
"""What each query of the docs finds, by a part of it that no other has."""


@pytest.mark.parametrize("query", DOCS.values(), ids=DOCS)
async def test_a_query_of_the_docs_finds_what_it_is_for(
    telemetry: Telemetry, repository: str, query: str
) -> None:
    (holds,) = (holds for part, holds in EXPECTED.items() if part in query)
    rows = telemetry.found(query.replace("<correlation id>", "the-one-that-failed"))
    assert holds(rows, repository), rows


def test_every_query_of_the_docs_is_among_them_and_none_is_expected_in_vain() -> None:
    assert len(DOCS) == len(EXPECTED)


@pytest.mark.parametrize("alert", ["server-errors", "failed-sign-ins", "poison-queue"])
async def test_an_alert_counts_what_it_is_for(telemetry: Telemetry, alert: str) -> None:
    assert telemetry.found(ALERTS[alert]) == [{"Found": 1}]
