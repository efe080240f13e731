"""What a page costs does not depend on how large the repository is."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.storage import tables
from tests.integration.core.http.acr.support import get
from tests.integration.core.support import Client
from tests.integration.core.support import rows as rows_of

SIZES = (10, 1_000)
PAGE = 3
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


async def fill(client: Client, repository: str, count: int) -> str:
    """Writes the rows of `count` manifests with a tag each, as pushes would have written them."""
    image = await client.push_image(repository, "pushed")
    found = await rows_of(client, repository)
    manifest, tag = (
        dict(found[key].values)
        for key in (rows.manifest_key(Digest.parse(image.digest)), rows.tag_key(Tag("pushed")))
    )
    listed = rows.listed_manifest_columns(found[rows.manifest_key(Digest.parse(image.digest))], {})
    table = client.services.connection.table(rows.TABLE)
    changes = []
    for number in range(count - 1):
        digest, name = Digest.of(secrets.token_bytes(8)), Tag(f"t{number:04}")
        time = BEGIN + timedelta(seconds=number)
        at = {"Updated": tables.time_value(time), "Created": tables.time_value(time)}
        changes += [
            tables.insert(rows.manifest_key(digest), **{**manifest, **at}),
            tables.insert(rows.manifest_time(time, digest), **{**listed, "Created": at["Created"]}),
            tables.insert(rows.tag_key(name), **{**tag, **at, "Digest": str(digest)}),
            tables.insert(rows.tag_time(time, name), Created=at["Created"], Digest=str(digest)),
            tables.insert(rows.manifest_tag(digest, name), Updated=at["Updated"]),
        ]
    partition = rows.partition(RepositoryName(repository))
    for first in range(0, len(changes), tables.MAX_TRANSACTION_ROWS):
        part = changes[first : first + tables.MAX_TRANSACTION_ROWS]
        await table.transact(partition, part)
    return image.digest


def place(entry: dict[str, Any], key: str, order: str) -> str:
    """What a `Link` names the entry by."""
    time = entry["lastUpdateTime"].removesuffix("0Z")
    return f"{entry[key]}@{time}Z" if order else str(entry[key])


async def entries(client: Client, path: str, field: str, order: str) -> list[dict[str, Any]]:
    """The whole listing."""
    url, found = f"/acr/v1/{path}?n=1000&orderby={order}", list[dict[str, Any]]()
    while url:
        answer = await client.send("GET", url)
        found += answer.json()[field]
        url = answer.links.get("next", {}).get("url", "")
    return found


async def costs(
    client: Client, path: str, field: str, key: str, order: str, count: int
) -> Sequence[tuple[int, int]]:
    """Calls and rounds of the first page, one in the middle, and the last one."""
    whole = await entries(client, path, field, order)
    assert len(whole) == count
    found = []
    for start in (0, count // 2, count - PAGE):
        last = place(whole[start - 1], key, order) if start else ""
        query = {"n": str(PAGE), "orderby": order, "last": last}
        page = (await get(client, path, **query))[field]
        assert page == whole[start : start + PAGE]
        found.append(client.cost)
    return found


@pytest.mark.rule("R5")
async def test_a_page_takes_as_many_calls_in_a_repository_of_10_as_in_one_of_1000(
    client: Client, repository: str
) -> None:
    expected = {
        ("_tags", "tags", "name", ""): (1, 1),
        ("_tags", "tags", "name", "timedesc"): (1, 1),
        ("_manifests", "manifests", "digest", ""): (2, 2),
        ("_manifests", "manifests", "digest", "timedesc"): (1 + PAGE, 2),
    }
    for count in SIZES:
        name = f"{repository}/{count}"
        digest = await fill(client, name, count)
        for (path, *what), cost in expected.items():
            field, key, order = what
            found = await costs(client, f"{name}/{path}", field, key, order, count)
            assert found == [cost] * 3, (count, path, order)
        # One for the names, one for each tag.
        await get(client, f"{name}/_tags", digest=digest)
        assert client.cost == (2, 2)
        for path, cost in (
            ("_tags/pushed", (1, 1)),
            (f"_manifests/{digest}", (2, 1)),
            ("", (4, 1)),
        ):
            await get(client, f"{name}/{path}".removesuffix("/"))
            assert client.cost == cost, (count, path)


@pytest.mark.rule("R7")
async def test_the_oldest_first_takes_two_calls_more_where_more_than_1000_are_later(
    client: Client, repository: str
) -> None:
    """Of all the sizes that are more than that; counting takes one for each 1,000."""
    await fill(client, repository, 1_010)
    for path, field, rest in (("_tags", "tags", 0), ("_manifests", "manifests", PAGE)):
        query = {"n": str(PAGE), "orderby": "timeasc"}
        first = (await get(client, f"{repository}/{path}", **query))[field]
        assert [entry["lastUpdateTime"][:19] for entry in first] == [
            f"2026-01-01T00:00:0{second}" for second in range(PAGE)
        ]
        assert client.cost == (3 + rest, 3 + bool(rest))
    assert (await get(client, repository))["tagCount"] == 1_010
    # Two for the repository, two each for what is counted: their pages need not go in step.
    assert client.trace.count == 6


async def test_a_catalog_takes_one_call(client: Client, repository: str) -> None:
    for name in ("a", "b", "c"):
        await client.push_image(f"{repository}/{name}")
    await get(client, "_catalog", last=repository, n="2")
    assert client.cost == (1, 1)
