"""`_usage`: what repositories hold, many in one request, and what a request costs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry_core.http.acr.usage import MOST_ENTRIES
from registry_core.lifecycle.usage.count import Count
from registry_core.lifecycle.usage.total import NAME, PARTS
from tests.integration.core.http.acr.support import error, get, pages
from tests.integration.core.http.acr.test_repositories import TIME
from tests.integration.core.support import OCI_LAYER, Client, Image, descriptor, push_blobs

FIELDS = {
    "imageName": str,
    "lastUpdateTime": str,
    "manifestCount": int,
    "tagCount": int,
    "untaggedCount": int,
    "size": int,
    "sharedSize": int,
    "restorableCount": int,
    "restorableSize": int,
    "isExact": bool,
    "isCurrent": bool,
    "asOf": str,
}
"""What `docs/usage.md` says of an entry."""
TOTAL = {
    "repositoryCount": int,
    "blobCount": int,
    "size": int,
    "sharedCount": int,
    "sharedSize": int,
    "waitingCount": int,
    "waitingSize": int,
    "uploadCount": int,
    "uploadSize": int,
    "storedSize": int,
    "isComplete": bool,
    "asOf": str,
    "oldest": str,
}


async def count_all(client: Client, as_of: datetime | None = None) -> None:
    """What the timer does in a week."""
    counting = Count.of(client.services.connection, client.services.settings)
    for part in range(PARTS):
        await counting.run(part, as_of or datetime.now(UTC))
    client.services.totals._cache.discard(NAME)


async def test_a_repository_is_told_with_every_field(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "v1")
    found = await get(client, f"{repository}/_usage")
    assert found.pop("registry") == "localhost:7071"
    assert TIME.fullmatch(found.pop("asOf"))
    assert found.pop("lastUpdateTime") == (await get(client, repository))["lastUpdateTime"]
    found.pop("sharedSize")  # Others of this storage may have been counted.
    assert found == {
        "imageName": repository,
        "manifestCount": 1,
        "tagCount": 1,
        "untaggedCount": 0,
        "size": sum(map(len, (image.config, image.layer, image.manifest))),
        "restorableCount": 0,
        "restorableSize": 0,
        "isExact": True,
        "isCurrent": True,
    }


async def test_what_is_shared_is_told_after_everything_was_counted(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    own, second = Image.make(), f"{repository}/second"
    layers = [descriptor(OCI_LAYER, each.layer) for each in (image, own)]
    shares = own.with_manifest(layers=layers)
    await client.push_blob(second, image.layer)
    await push_blobs(client, second, own)
    answer = await client.put_manifest(second, "v1", shares.manifest)
    assert answer.status_code == 201, answer.text
    await get(client, f"{repository}/_usage")
    await count_all(client)
    for name in (repository, second):
        found = await get(client, f"{name}/_usage")
        assert found["sharedSize"] == len(image.layer)
    # With the next count it is known that nothing is shared any more.
    await client.send("DELETE", f"/acr/v1/{second}")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await count_all(client, tomorrow)
    assert (await get(client, f"{repository}/_usage"))["sharedSize"] == 0


async def test_every_field_has_its_type_and_there_is_no_other(
    client: Client, repository: str
) -> None:
    await client.push_image(repository, "v1")
    await count_all(client)
    found = await get(client, "_usage", name=repository)
    assert {name: type(value) for name, value in found["total"].items()} == TOTAL
    (entry,) = found["repositories"]
    assert {name: type(value) for name, value in entry.items()} == FIELDS
    assert set(found) == {"registry", "total", "repositories"}


def test_the_schema_of_the_docs_has_these_fields() -> None:
    page = (Path(__file__).parents[5] / "docs/usage.md").read_text()
    (schema,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    names = {"string": str, "integer": int, "boolean": bool}
    told = {
        name: names["".join(each for each in field["type"] if each != "null")]
        if isinstance(field["type"], list)
        else names[field["type"]]
        for name, field in json.loads(schema)["properties"].items()
    }
    assert told == FIELDS
    assert all(f"`{name}`" in page for name in TOTAL)


async def test_thirty_rows_in_view_take_one_request_and_two_calls_each(
    client: Client, repository: str
) -> None:
    names = [f"{repository}/{number}" for number in range(5)]
    for name in names:
        await client.push_image(name, "v1")
    query = "&".join(f"name={name}" for name in [*names, f"{repository}/absent"])
    await client.send("GET", f"/acr/v1/_usage?{query}")
    answer = await client.send("GET", f"/acr/v1/_usage?{query}")
    found = answer.json()["repositories"]
    assert [entry["imageName"] for entry in found] == names
    assert all(entry["isCurrent"] and entry["manifestCount"] == 1 for entry in found)
    assert client.cost == (2 * len(names) + 2, 1)


async def test_pages_tell_of_every_repository_that_the_catalog_lists(
    client: Client, repository: str
) -> None:
    names = [f"{repository}/{name}" for name in ("a", "a-1", "a/1", "b")]
    for name in (*names, f"{repository}/hidden"):
        await client.push_image(name)
    await client.send("PATCH", f"/acr/v1/{repository}/hidden", json={"listEnabled": False})
    url = f"/acr/v1/_usage?n=3&last={repository}"
    found = [answer async for answer in pages(client, url)]
    told = [entry["imageName"] for answer in found for entry in answer.json()["repositories"]]
    assert told[: len(names)] == names
    assert f"{repository}/hidden" not in told
    last = names[2].replace("/", "%2F")
    assert found[0].headers["link"] == f'</acr/v1/_usage?last={last}&n=3>; rel="next"'
    await client.send("GET", url)
    # The catalog, and then two for each; the total is in memory.
    assert client.cost == (1 + 2 * 3, 2)


async def test_what_cannot_be_meant_is_refused(client: Client, repository: str) -> None:
    query = "&".join(["name=a"] + [f"name=a{number}" for number in range(MOST_ENTRIES)])
    answer = await client.send("GET", f"/acr/v1/_usage?{query}")
    assert error(answer)[:2] == (400, "REQUEST_INVALID")
    answer = await client.send("GET", "/acr/v1/_usage?name=NO")
    assert error(answer)[:2] == (400, "NAME_INVALID")
    answer = await client.send("GET", "/acr/v1/_usage?n=x")
    assert error(answer)[:2] == (400, "PAGINATION_NUMBER_INVALID")
    answer = await client.send("GET", f"/acr/v1/{repository}/_usage")
    assert error(answer)[:2] == (404, "NAME_UNKNOWN")
    assert (await get(client, "_usage", n="0"))["repositories"] == []


@pytest.mark.parametrize("path", ["_usage", "{}/_usage"])
async def test_a_page_of_another_origin_may_read_it(
    client: Client, repository: str, path: str
) -> None:
    """As it may read the catalog."""
    await client.push_image(repository)
    answers = [
        await client.send("GET", f"/acr/v1/{each}", headers={"Origin": "https://pages.example"})
        for each in (path.format(repository), "_catalog")
    ]
    sent = [
        {name: value for name, value in answer.headers.items() if name.startswith("access-")}
        for answer in answers
    ]
    assert sent[0] == sent[1]
