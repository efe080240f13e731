"""`{name}/_tags` and `_tags/{tag}` of `/acr/v1`."""

from datetime import datetime
from typing import Any

import pytest

from registry_core.repositories.plan import MAX_TAGS
from tests.integration.core.http.acr.support import ALL_TRUE, error, get, tag, walk
from tests.integration.core.support import OCI_MANIFEST, Client

ORDERS = ["", "timedesc", "timeasc"]


async def listed(client: Client, repository: str, **query: str) -> list[str]:
    found = (await get(client, f"{repository}/_tags", **query))["tags"]
    return [entry["name"] for entry in found or ()]


def time(entry: dict[str, Any], field: str) -> datetime:
    return datetime.fromisoformat(entry[field])


async def test_a_tag_is_told_with_every_field_of_acrs(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "v1")
    found = await get(client, f"{repository}/_tags/v1")
    entry = found["tag"]
    times = entry.pop("createdTime"), entry.pop("lastUpdateTime")
    assert times[0] == times[1]
    assert entry == {
        "name": "v1",
        "digest": image.digest,
        "signed": False,
        "changeableAttributes": ALL_TRUE,
    }
    assert (found["registry"], found["imageName"]) == ("localhost:7071", repository)


@pytest.mark.parametrize("order", ORDERS)
async def test_every_order_lists_the_same_of_a_tag_as_it_tells_by_itself(
    client: Client, repository: str, order: str
) -> None:
    image = await client.push_image(repository, "v1")
    await tag(client, repository, image, "v2")
    await client.push_image(repository, "v1")
    await client.send("PATCH", f"/acr/v1/{repository}/_tags/v2", json={"writeEnabled": False})
    for query in ({}, {"digest": image.digest}):
        found = await get(client, f"{repository}/_tags", orderby=order, **query)
        assert len(found["tags"]) == (1 if query else 2)
        for entry in found["tags"]:
            assert entry == (await get(client, f"{repository}/_tags/{entry['name']}"))["tag"]


async def test_a_tag_that_moves_is_updated_and_was_created_when_it_was(
    client: Client, repository: str
) -> None:
    await client.push_image(repository, "v1")
    before = (await get(client, f"{repository}/_tags/v1"))["tag"]
    image = await client.push_image(repository, "v1")
    after = (await get(client, f"{repository}/_tags/v1"))["tag"]
    assert after["digest"] == image.digest
    assert after["createdTime"] == before["createdTime"]
    assert time(before, "lastUpdateTime") < time(after, "lastUpdateTime")


@pytest.mark.parametrize("filtered", [False, True])
async def test_tags_come_by_name_and_by_time_both_ways_in_pages(
    client: Client, repository: str, filtered: bool
) -> None:
    image = await client.push_image(repository, "c")
    await tag(client, repository, image, "B", "a", "a-1")
    other = await client.push_image(repository, "b")
    await tag(client, repository, image, "c")
    by_time = ["c", "b", "a-1", "a", "B"]
    query = f"&digest={image.digest}" if filtered else ""
    if filtered:
        by_time.remove("b")
    assert other.digest != image.digest
    by_name = sorted(by_time)
    expected = {"": by_name, "none": by_name, "timedesc": by_time, "timeasc": by_time[::-1]}
    for order, names in expected.items():
        url = f"/acr/v1/{repository}/_tags?n=2&orderby={order}{query}"
        pages = await walk(client, url, "tags", "name")
        assert pages == [names[first : first + 2] for first in range(0, len(names), 2)]


async def test_a_link_is_relative_and_spelt_as_acrs(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "a")
    await tag(client, repository, image, "b")
    answer = await client.send("GET", f"/acr/v1/{repository}/_tags", params={"n": "1"})
    name = repository.replace("/", "%2F")
    assert answer.headers["link"] == f'</acr/v1/{name}/_tags?last=a&n=1&orderby=>; rel="next"'


async def test_a_page_without_n_has_a_hundred_and_a_larger_one_at_most_a_thousand(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "")
    await tag(client, repository, image, *(f"t{number:03}" for number in range(103)))
    for order in ORDERS:
        url = f"/acr/v1/{repository}/_tags?orderby={order}"
        assert list(map(len, await walk(client, url, "tags", "name"))) == [100, 3]
        url = f"/acr/v1/{repository}/_tags?n=999999999999&orderby={order}"
        assert list(map(len, await walk(client, url, "tags", "name"))) == [103]
    for number in ("-1", "x", ""):
        answer = await client.send("GET", f"/acr/v1/{repository}/_tags", params={"n": number})
        assert error(answer)[:2] == (400, "PAGINATION_NUMBER_INVALID")
    assert await listed(client, repository, n="0") == []


@pytest.mark.parametrize("order", ["timedesc", "timeasc"])
@pytest.mark.parametrize("change", ["delete", "move"])
async def test_a_link_by_time_keeps_its_place_when_its_last_is_deleted_or_moves(
    client: Client, repository: str, order: str, change: str
) -> None:
    """As `acr purge` does it: each page is deleted before the next is asked for."""
    image = await client.push_image(repository, "")
    names = [f"t{number}" for number in range(7)]
    await tag(client, repository, image, *names)
    url, seen = f"/acr/v1/{repository}/_tags?n=2&orderby={order}", list[str]()
    while url:
        answer = await client.send("GET", url)
        page = [entry["name"] for entry in answer.json()["tags"]]
        seen += page
        url = answer.links.get("next", {}).get("url", "")
        for name in page:
            if change == "delete":
                answer = await client.send("DELETE", f"/acr/v1/{repository}/_tags/{name}")
                assert answer.status_code == 202
            elif len(seen) == 2:
                await client.push_image(repository, name)
    expected = names[::-1] if order == "timedesc" else names
    # What moved while it was listed from the oldest on is met again, as the latest.
    again = expected[:2] if (change, order) == ("move", "timeasc") else []
    assert seen == [*expected, *again]


@pytest.mark.parametrize("order", ["timedesc", "timeasc"])
async def test_a_bare_last_stands_where_the_tag_stands_and_nothing_follows_an_unknown_one(
    client: Client, repository: str, order: str
) -> None:
    image = await client.push_image(repository, "")
    names = ["x", "m", "a", "z"]
    await tag(client, repository, image, *names)
    expected = names[::-1] if order == "timedesc" else names
    for place, name in enumerate(expected):
        assert await listed(client, repository, orderby=order, last=name) == expected[place + 1 :]
    for unknown in ("none", "a b", "é", "a@", "a@yesterday", "@", "a@9999-99-99T00:00:00.0Z"):
        for query in ({}, {"digest": image.digest}):
            assert await listed(client, repository, orderby=order, last=unknown, **query) == []


@pytest.mark.parametrize("order", ["timedesc", "timeasc"])
@pytest.mark.parametrize("filtered", [False, True])
async def test_a_bare_last_that_was_deleted_stands_where_it_stood(
    client: Client, repository: str, order: str, filtered: bool
) -> None:
    """Whoever takes the last name of a page for `last` loses nothing by deleting the page first."""
    image = await client.push_image(repository, "")
    names = [f"t{number}" for number in range(7)]
    await tag(client, repository, image, *names)
    query = {"digest": image.digest} if filtered else {}
    last, seen = "", list[str]()
    while page := await listed(client, repository, orderby=order, n="3", last=last, **query):
        seen += page
        for name in page:
            answer = await client.send("DELETE", f"/acr/v1/{repository}/_tags/{name}")
            assert answer.status_code == 202
        last = page[-1]
    assert seen == (names[::-1] if order == "timedesc" else names)


@pytest.mark.parametrize("order", ["timedesc", "timeasc"])
async def test_tags_of_one_push_are_told_one_after_the_other_and_no_page_repeats_one(
    client: Client, repository: str, order: str
) -> None:
    image = await client.push_image(repository, "")
    names = [f"t{number:02}" for number in range(MAX_TAGS)]
    names = names[7:] + names[:7]
    for _ in range(2):
        query = "&".join(f"tag={name}" for name in names)
        url = f"/v2/{repository}/manifests/{image.digest}?{query}"
        answer = await client.send(
            "PUT", url, content=image.manifest, headers={"Content-Type": OCI_MANIFEST}
        )
        assert answer.status_code == 201
        expected = names[::-1] if order == "timedesc" else names
        for size in (1, 4, MAX_TAGS):
            url = f"/acr/v1/{repository}/_tags?n={size}&orderby={order}"
            told = await walk(client, url, "tags", "name")
            assert [name for page in told for name in page] == expected
        for place, name in enumerate(expected):
            rest = await listed(client, repository, orderby=order, last=name)
            assert rest == expected[place + 1 :]
        entries = [(await get(client, f"{repository}/_tags/{name}"))["tag"] for name in names]
        times = [time(entry, "lastUpdateTime") for entry in entries]
        assert times == sorted(set(times))
        names.reverse()


async def test_a_last_by_name_need_not_exist(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "a")
    await tag(client, repository, image, "c")
    for query in ({}, {"digest": image.digest}):
        for last, names in (("b", ["c"]), ("c", []), ("zzz", []), ("", ["a", "c"]), ("a/", ["c"])):
            assert await listed(client, repository, last=last, **query) == names


@pytest.mark.parametrize("order", ORDERS)
async def test_a_tag_that_is_not_listed_is_in_no_listing_and_told_by_itself(
    client: Client, repository: str, order: str
) -> None:
    image = await client.push_image(repository, "a")
    await tag(client, repository, image, "b", "c", "d")
    for name in ("b", "c"):
        url = f"/acr/v1/{repository}/_tags/{name}"
        assert (await client.send("PATCH", url, json={"listEnabled": False})).status_code == 200
    for query in ("", f"&digest={image.digest}"):
        url = f"/acr/v1/{repository}/_tags?n=1&orderby={order}{query}"
        pages = await walk(client, url, "tags", "name")
        assert pages == ([["d"], ["a"]] if order == "timedesc" else [["a"], ["d"]])
    found = await get(client, f"{repository}/_tags/b")
    assert found["tag"]["changeableAttributes"] == {**ALL_TRUE, "listEnabled": False}


@pytest.mark.parametrize("order", ORDERS)
async def test_a_repository_without_tags_lists_null_and_one_that_is_not_there_is_unknown(
    client: Client, repository: str, order: str
) -> None:
    await client.push_image(repository, "")
    assert (await get(client, f"{repository}/_tags", orderby=order))["tags"] is None
    for query in ({}, {"last": "x"}, {"digest": f"sha256:{'0' * 64}"}):
        url = f"/acr/v1/{repository}/none/_tags"
        answer = await client.send("GET", url, params={"orderby": order, **query})
        assert error(answer)[:2] == (404, "NAME_UNKNOWN")


async def test_an_order_or_a_digest_that_is_none_is_refused(
    client: Client, repository: str
) -> None:
    await client.push_image(repository)
    for query, code in (
        ({"orderby": "size"}, "REQUEST_INVALID"),
        ({"digest": "latest"}, "DIGEST_INVALID"),
    ):
        answer = await client.send("GET", f"/acr/v1/{repository}/_tags", params=query)
        assert error(answer)[:2] == (400, code)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_tag_that_does_not_exist_is_unknown_and_so_is_one_of_no_repository(
    client: Client, repository: str, method: str
) -> None:
    await client.push_image(f"{repository}/there", "v1")
    body = {"json": {"readEnabled": False}} if method == "PATCH" else {}
    for path in ("there/_tags/v2", "absent/_tags/v1", "there/_tags/.x", "there/_tags/a b"):
        answer = await client.send(method, f"/acr/v1/{repository}/{path}", **body)
        assert error(answer) == (404, "TAG_UNKNOWN", "the specified tag does not exist")


async def test_a_tag_is_taken_away_and_its_manifest_stays_as_it_was(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    manifest = await get(client, f"{repository}/_manifests/{image.digest}")
    answer = await client.send("DELETE", f"/acr/v1/{repository}/_tags/v1")
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["content-length"] == "0"
    assert answer.headers["x-ms-int-docker-content-digest"] == image.digest
    after = await get(client, f"{repository}/_manifests/{image.digest}")
    assert manifest["manifest"].pop("tags") == ["v1"]
    assert after == manifest
    assert (await get(client, repository))["tagCount"] == 0


async def test_a_locked_tag_is_not_taken_away(client: Client, repository: str) -> None:
    await client.push_image(repository, "v1")
    url = f"/acr/v1/{repository}/_tags/v1"
    for attribute in ("deleteEnabled", "writeEnabled"):
        await client.send("PATCH", url, json={attribute: False})
        answer = await client.send("DELETE", url)
        assert error(answer)[:2] == (405, "REGISTRY_DISALLOWED_OPERATION")
        await client.send("PATCH", url, json={attribute: True})
    assert (await client.send("DELETE", url)).status_code == 202


async def test_attributes_of_a_tag_and_its_manifest_are_independent_and_no_update(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    before = await get(client, f"{repository}/_tags/v1")
    manifest = await get(client, f"{repository}/_manifests/{image.digest}")
    answer = await client.send(
        "PATCH", f"/acr/v1/{repository}/_tags/v1", json={"readEnabled": False}
    )
    before["tag"]["changeableAttributes"]["readEnabled"] = False
    assert (answer.status_code, answer.json()) == (200, before)
    assert await get(client, f"{repository}/_manifests/{image.digest}") == manifest
    assert (await client.send("GET", f"/v2/{repository}/manifests/v1")).status_code == 405
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await client.send("GET", url)).status_code == 200
