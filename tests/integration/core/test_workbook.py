"""The workbook of the templates: its queries, over lines that the registry really writes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devhost.processes.azurite import Azurite
from registry_core.lifecycle import nightly
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.usage import tonight
from registry_core.lifecycle.usage.count import Count
from registry_core.lifecycle.usage.total import PARTS
from registry_core.settings import Settings
from tests import kql
from tests.integration.core.auth.test_sign_in import Guest, basic
from tests.integration.core.collection.support import NO_AGE, stores_of
from tests.integration.core.support import Client, Image, connect

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "infra/modules/workbook.json"
WORKBOOK = json.loads(FILE.read_text())
QUERIES = {
    item["name"]: item["content"]["query"] for item in WORKBOOK["items"] if item["type"] == 3
}
DAY = timedelta(days=1)
NIGHTS = 2 * nightly.NIGHTS
"""In the first half rows of what was deleted go, in the second its objects."""


@dataclass(frozen=True)
class Day:
    """What Application Insights has of a day."""

    tables: dict[str, list[kql.Row]]
    image: Image

    def found(self, name: str) -> list[kql.Row]:
        return kql.run(QUERIES[name].replace("{TimeRange:grain}", "1d"), self.tables)

    def sums(self, name: str, *columns: str) -> tuple[int, ...]:
        rows = self.found(name)
        return tuple(sum(row[column] for row in rows) for column in columns)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One of its own: what the nightly jobs tell is of this alone."""
    with Azurite(tmp_path_factory.mktemp("workbook")) as running:
        yield running


@pytest.fixture
async def day(settings: Settings, repository: str, caplog: pytest.LogCaptureFixture) -> Day:
    """Pushes, pulls, deletions, refusals, and a week of nights."""
    caplog.set_level(logging.INFO, logger="slipway")
    requests: list[kql.Row] = []
    async with connect(settings) as client:

        async def ask(method: str, path: str, **options: Any) -> None:
            answer = await client.send(method, f"/v2/{repository}{path}", **options)
            requests.append(_request("registry_v2", answer.status_code, len(requests) + 1))

        image = await client.push_image(repository, "v1")
        doomed = await client.push_image(f"{repository}/doomed", "v1")
        await client.put_manifest(repository, "v2", image.manifest)
        await client.put_manifest(repository, "bad", b"no manifest")
        for _ in range(3):
            await ask("GET", "/manifests/v1")
        await ask("GET", "/doomed/manifests/v1")
        await ask("GET", "/manifests/none")
        await ask("GET", f"/blobs/{json.loads(image.manifest)['config']['digest']}")
        await Guest(client, basic("mallory", "a guess")).ask("GET", f"/v2/{repository}/tags/list")
        await ask("DELETE", "/manifests/v2")
        await ask("DELETE", f"/doomed/manifests/{doomed.digest}")
        await ask("DELETE", f"/doomed/manifests/{doomed.digest}")
        requests.append(_request("registry_v2", 503, 1000))
        await _nights(client)
    traces = [
        {
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "message": record.getMessage(),
        }
        for record in caplog.records
        if record.name.startswith("slipway")
    ]
    return Day({"traces": traces, "requests": requests}, image)


async def _nights(client: Client) -> None:
    begun = datetime.now(UTC)
    for number in range(NIGHTS):
        clock: Callable[[], datetime] = partial(lambda time: time, begun + number * DAY)
        await nightly.collect(Collector(stores_of(client), NO_AGE, clock), clock)
    for number in range(PARTS):
        clock = partial(lambda time: time, begun + number * DAY)
        settings = client.services.settings
        await tonight.count(Count.of(client.services.connection, settings), clock)


def _request(name: str, status: int, duration: float) -> kql.Row:
    """As the Functions host records a request."""
    return {
        "timestamp": datetime.now(UTC),
        "name": name,
        "resultCode": str(status),
        "duration": duration,
        "itemCount": 1,
    }


async def test_every_query_finds_what_its_title_says(day: Day, repository: str) -> None:
    """One test: what a day leaves takes a while to make."""
    stored = sum(map(len, day.image.blobs))  # As large as what was deleted.
    checked = {
        "pulls": day.sums("pulls", "Succeeded", "Failed") == (4, 1),
        "pushes": day.sums("pushes", "Succeeded", "Failed") == (3, 1),
        "deletions": sorted((row["Operation"], row["Deleted"]) for row in day.found("deletions"))
        == [("Delete", 1), ("Untag", 1)],
        "errors": [(row["resultCode"], row["Errors"]) for row in day.found("errors")]
        == [("503", 1)],
        "latency": [(row["P50"], row["P99"]) for row in day.found("latency")] == [(5, 1000)],
        "latency-by-function": [
            (row["name"], row["Requests"]) for row in day.found("latency-by-function")
        ]
        == [("registry_v2", 10)],
        "stored": [(row["Stored"], row["Waiting"]) for row in day.found("stored")] == [(stored, 0)],
        "freed": day.sums("freed", "Freed") == (stored,),
        "repositories": [(row["Repository"], row["Pulls"]) for row in day.found("repositories")]
        == [(repository, 3), (f"{repository}/doomed", 1)],
        "pushed": [(row["Repository"], row["Pushes"]) for row in day.found("pushed")]
        == [(repository, 2), (f"{repository}/doomed", 1)],
        "collection": len(day.found("collection")) == NIGHTS
        and all(row["Part"] and row["Failed"] == 0 for row in day.found("collection")),
    }
    assert checked == dict.fromkeys(QUERIES, True), {
        name: day.found(name) for name, holds in checked.items() if not holds
    }


def test_every_item_is_of_a_kind_that_a_workbook_has_with_what_it_needs() -> None:
    """As those of github.com/microsoft/Application-Insights-Workbooks have it."""
    assert WORKBOOK["version"] == "Notebook/1.0"
    names = [item["name"] for item in WORKBOOK["items"]]
    assert len(set(names)) == len(names)
    parameters: Sequence[str] = [
        parameter["name"]
        for item in WORKBOOK["items"]
        if item["type"] == 9
        for parameter in item["content"]["parameters"]
    ]
    assert parameters == ["TimeRange"]
    for item in WORKBOOK["items"]:
        content = item["content"]
        if item["type"] == 1:
            assert content["json"]
        elif item["type"] == 3:
            assert content["version"] == "KqlItem/1.0"
            assert content["queryType"] == 0
            assert content["resourceType"] == "microsoft.insights/components"
            assert content["timeContextFromParameter"] in parameters
            assert content["visualization"] in ("timechart", "barchart", "table")
            assert set(re.findall(r"\{(\w+)", content["query"])) <= set(parameters)
        else:
            assert item["type"] == 9


def test_it_is_what_the_template_deploys_and_small_enough_for_it() -> None:
    """`loadTextContent` takes 131,072 characters."""
    text = (ROOT / "infra/modules/monitoring.bicep").read_text()
    assert "serializedData: loadTextContent('workbook.json')" in text
    assert len(FILE.read_text()) < 131_072
