"""`_catalog` and `{name}` of `/acr/v1`."""

import asyncio
import re
from datetime import datetime

import pytest

from tests.integration.core.http.acr.support import ALL_FALSE, ALL_TRUE, error, get, tag, walk
from tests.integration.core.support import Client, Image, push_blobs, rows

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")


async def test_a_repository_is_told_with_every_field_of_acrs(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await tag(client, repository, image, "v2")
    await client.push_image(repository, "")
    found = await get(client, repository)
    created, updated = found.pop("createdTime"), found.pop("lastUpdateTime")
    assert TIME.fullmatch(created)
    assert TIME.fullmatch(updated)
    assert datetime.fromisoformat(created) < datetime.fromisoformat(updated)
    assert found == {
        "registry": "localhost:7071",
        "imageName": repository,
        "manifestCount": 2,
        "tagCount": 2,
        "changeableAttributes": ALL_TRUE,
    }


async def test_the_registry_is_told_by_the_name_that_the_client_used(
    client: Client, repository: str
) -> None:
    await client.push_image(repository)
    for host, told in (("127.0.0.1:7071", "127.0.0.1:7071"), ("evil.example", "localhost:7071")):
        answer = await client.send("GET", f"/acr/v1/{repository}", headers={"Host": host})
        assert answer.json()["registry"] == told


async def test_a_name_may_come_percent_encoded_once_and_twice(
    client: Client, repository: str
) -> None:
    await client.push_image(repository)
    for name in (repository.replace("/", "%2F"), repository.replace("/", "%252F")):
        assert (await get(client, name))["imageName"] == repository
        assert (await get(client, f"{name}/_tags"))["imageName"] == repository


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_repository_that_does_not_exist_is_unknown(
    client: Client, repository: str, method: str
) -> None:
    for body in (b"{}", b'{"readEnabled": false}'):
        answer = await client.send(method, f"/acr/v1/{repository}", content=body)
        assert error(answer) == (404, "NAME_UNKNOWN", "repository name not known to registry")
        assert answer.json()["errors"][0]["detail"] == {"name": repository}


async def test_the_catalog_comes_in_pages_in_lexical_order(client: Client, repository: str) -> None:
    names = [f"{repository}/{name}" for name in ("a", "a-1", "a/1", "b")]
    for name in names:
        await client.push_image(name)
    answer = await client.send("GET", "/acr/v1/_catalog", params={"n": "3", "last": repository})
    assert answer.json() == {"repositories": names[:3]}
    last = names[2].replace("/", "%2F")
    link = f'</acr/v1/_catalog?last={last}&n=3&orderby=>; rel="next"'
    assert answer.headers["link"] == link
    answer = await client.send("GET", answer.links["next"]["url"])
    assert answer.json()["repositories"][0] == names[3]
    answer = await client.send("GET", "/acr/v1/_catalog", params={"last": "zzzz"})
    assert (answer.json(), "link" in answer.headers) == ({"repositories": None}, False)


async def test_attributes_are_set_one_by_one_and_answered_whole(
    client: Client, repository: str
) -> None:
    await client.push_image(repository)
    before = await get(client, repository)
    for attribute in ALL_TRUE:
        answer = await client.send("PATCH", f"/acr/v1/{repository}", json={attribute: False})
        before["changeableAttributes"][attribute] = False
        assert (answer.status_code, answer.json()) == (200, before)
    # No lock forbids to read or to unlock, and no lock is an update.
    assert await get(client, repository) == before
    answer = await client.send("PATCH", f"/acr/v1/{repository}", json=ALL_TRUE)
    assert answer.json() == {**before, "changeableAttributes": ALL_TRUE}


async def test_what_is_not_listed_is_told_to_whoever_asks_for_it(
    client: Client, repository: str
) -> None:
    await client.push_image(repository)
    await client.send("PATCH", f"/acr/v1/{repository}", json={"listEnabled": False})
    listed = await walk_catalog(client, repository)
    assert repository not in listed
    found = await get(client, repository)
    assert found["changeableAttributes"] == {**ALL_TRUE, "listEnabled": False}
    await client.send("PATCH", f"/acr/v1/{repository}", json={"listEnabled": True})
    assert repository in await walk_catalog(client, repository)


async def walk_catalog(client: Client, repository: str) -> list[str]:
    """The repositories after the one before `repository`."""
    last = repository[:-1]
    return (await get(client, "_catalog", last=last, n="5"))["repositories"] or []


BODIES = [
    (b'{"deleteEnabled": "false"}', "deleteEnabled"),
    (b'{"listEnabled": 0, "x": 1}', "listEnabled"),
    (b'{"readEnabled": [true], "writeEnabled": false}', "readEnabled"),
    (b"[]", "object"),
    (b"false", "object"),
    (b"{", "JSON"),
    (b"", "JSON"),
    (b"\xff", "JSON"),
    (b"[" * 60_000, "JSON"),
]


@pytest.mark.parametrize(
    ("body", "told"), BODIES, ids=[body[:20].decode("latin-1") for body, _ in BODIES]
)
async def test_a_body_of_a_wrong_kind_is_refused_with_the_name_of_the_field(
    client: Client, repository: str, body: bytes, told: str
) -> None:
    await client.push_image(repository)
    before = await get(client, repository)
    answer = await client.send("PATCH", f"/acr/v1/{repository}", content=body)
    status, code, message = error(answer)
    assert (status, code) == (400, "REQUEST_INVALID")
    assert told in message
    assert await get(client, repository) == before


async def test_fields_that_nobody_knows_and_null_change_nothing(
    client: Client, repository: str
) -> None:
    await client.push_image(repository)
    before = await get(client, repository)
    for body in ({}, {"teleportEnabled": 7, "tagCount": 0}, dict.fromkeys(ALL_TRUE)):
        answer = await client.send("PATCH", f"/acr/v1/{repository}", json=body)
        assert (answer.status_code, answer.json()) == (200, before)


async def test_a_body_that_is_too_large_is_refused(client: Client, repository: str) -> None:
    await client.push_image(repository)
    answer = await client.send("PATCH", f"/acr/v1/{repository}", content=b" " * 70_000)
    assert error(answer)[:2] == (413, "SIZE_INVALID")


async def test_a_deleted_repository_is_told_with_all_that_went(
    client: Client, repository: str
) -> None:
    one = await client.push_image(repository, "b")
    await tag(client, repository, one, "a", *(f"t{number:03}" for number in range(70)))
    two = await client.push_image(repository, "")
    answer = await client.send("DELETE", f"/acr/v1/{repository}")
    assert answer.status_code == 202
    assert answer.json() == {
        "manifestsDeleted": sorted([one.digest, two.digest]),
        "tagsDeleted": ["a", "b", *(f"t{number:03}" for number in range(70))],
    }
    assert await rows(client, repository) == {}
    assert (await client.send("GET", f"/acr/v1/{repository}")).status_code == 404


async def test_a_repository_with_a_locked_tag_is_not_deleted(
    client: Client, repository: str
) -> None:
    await client.push_image(repository, "v1")
    url = f"/acr/v1/{repository}"
    await client.send("PATCH", f"{url}/_tags/v1", json={"deleteEnabled": False})
    answer = await client.send("DELETE", url)
    assert error(answer)[:2] == (405, "REGISTRY_DISALLOWED_OPERATION")
    assert (await get(client, repository))["tagCount"] == 1
    await client.send("PATCH", f"{url}/_tags/v1", json={"deleteEnabled": True})
    assert (await client.send("DELETE", url)).status_code == 202


async def test_everything_locked_at_once_is_unlocked_by_the_same_client(
    client: Client, repository: str
) -> None:
    """As the tests of ACR's SDK do it: metadata stays readable whatever is locked."""
    image = await client.push_image(repository, "v1")
    paths = [repository, f"{repository}/_tags/v1", f"{repository}/_manifests/{image.digest}"]
    for path in paths:
        answer = await client.send("PATCH", f"/acr/v1/{path}", json=ALL_FALSE)
        assert answer.status_code == 200, answer.text
    for path in paths:
        assert "'deleteEnabled': False" in str(await get(client, path))
    for path in paths:
        answer = await client.send("PATCH", f"/acr/v1/{path}", json=ALL_TRUE)
        assert "False" not in str(answer.json()).replace("'signed': False", "")


async def test_pushes_at_once_are_all_counted(client: Client, repository: str) -> None:
    images = [Image.make() for _ in range(6)]
    await asyncio.gather(*(push_blobs(client, repository, image) for image in images))
    await asyncio.gather(
        *(client.put_manifest(repository, f"t{n}", i.manifest) for n, i in enumerate(images))
    )
    found = await get(client, repository)
    assert (found["manifestCount"], found["tagCount"]) == (6, 6)
    listed = await walk(client, f"/acr/v1/{repository}/_tags?n=4&orderby=timedesc", "tags", "name")
    assert [len(page) for page in listed] == [4, 2]
