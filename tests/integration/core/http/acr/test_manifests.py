"""`{name}/_manifests` and `_manifests/{digest}` of `/acr/v1`."""

import json
from typing import Any

import pytest

from tests.integration.core.http.acr.support import ALL_TRUE, error, get, tag, walk
from tests.integration.core.support import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Client,
    Image,
    digest_of,
    index_of,
)

ORDERS = ["", "timedesc", "timeasc"]


async def manifest(client: Client, repository: str, digest: str) -> Any:
    return (await get(client, f"{repository}/_manifests/{digest}"))["manifest"]


def without_times(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if not key.endswith("Time")}


async def test_a_manifest_is_told_with_every_field_of_acrs(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "v2")
    await tag(client, repository, image, "v1")
    assert without_times(await manifest(client, repository, image.digest)) == {
        "digest": image.digest,
        "imageSize": len(image.config) + len(image.layer),
        "architecture": "amd64",
        "os": "linux",
        "mediaType": OCI_MANIFEST,
        "configMediaType": OCI_CONFIG,
        "tags": ["v1", "v2"],
        "changeableAttributes": ALL_TRUE,
    }


async def test_an_index_is_told_with_what_it_names_and_without_a_platform(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "")
    named = [
        {**image.descriptor, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
        Image.make().descriptor,
    ]
    index = index_of(named)
    answer = await client.put_manifest(repository, "all", index, OCI_INDEX)
    assert answer.status_code == 201
    found = without_times(await manifest(client, repository, digest_of(index)))
    assert found.keys() == {
        *("digest", "imageSize", "mediaType", "tags", "references", "changeableAttributes")
    }
    assert found["references"] == [
        {"digest": image.digest, "architecture": "arm64", "os": "linux"},
        {"digest": named[1]["digest"]},
    ]
    listed = (await get(client, f"{repository}/_manifests"))["manifests"]
    assert not any("references" in entry for entry in listed)


async def test_an_index_too_large_for_its_row_is_told_with_what_it_names(
    client: Client, repository: str
) -> None:
    named = [Image.make().descriptor, Image.make().descriptor]
    index = index_of(named, annotations={"filler": "x" * 600_000})
    answer = await client.put_manifest(repository, "all", index, OCI_INDEX)
    assert answer.status_code == 201
    found = await manifest(client, repository, digest_of(index))
    assert [each["digest"] for each in found["references"]] == [each["digest"] for each in named]


@pytest.mark.parametrize("order", ORDERS)
async def test_every_order_lists_the_same_of_a_manifest_as_it_tells_by_itself(
    client: Client, repository: str, order: str
) -> None:
    image = await client.push_image(repository, "b")
    await tag(client, repository, image, "a")
    await client.push_image(repository, "")
    await client.push_image(repository, "b")
    url = f"/acr/v1/{repository}/_manifests/{image.digest}"
    await client.send("PATCH", url, json={"deleteEnabled": False})
    found = (await get(client, f"{repository}/_manifests", orderby=order))["manifests"]
    assert len(found) == 3
    for entry in found:
        assert entry == await manifest(client, repository, entry["digest"])
    assert sorted(entry.get("tags", []) for entry in found) == [[], ["a"], ["b"]]


async def test_manifests_come_by_digest_and_by_time_both_ways_in_pages(
    client: Client, repository: str
) -> None:
    images = [await client.push_image(repository, "") for _ in range(5)]
    await tag(client, repository, images[1], "again")
    by_time = [images[index].digest for index in (1, 4, 3, 2, 0)]
    expected = {"": sorted(by_time), "timedesc": by_time, "timeasc": by_time[::-1]}
    for order, digests in expected.items():
        url = f"/acr/v1/{repository}/_manifests?n=2&orderby={order}"
        pages = await walk(client, url, "manifests", "digest")
        assert pages == [digests[first : first + 2] for first in range(0, 5, 2)]


@pytest.mark.parametrize("order", ORDERS)
async def test_each_page_may_be_deleted_before_the_next_is_asked_for(
    client: Client, repository: str, order: str
) -> None:
    images = [await client.push_image(repository, "") for _ in range(5)]
    await client.push_image(f"{repository}/other")
    url, seen = f"/acr/v1/{repository}/_manifests?n=2&orderby={order}", list[str]()
    while url:
        answer = await client.send("GET", url)
        page = [entry["digest"] for entry in answer.json()["manifests"]]
        url = answer.links.get("next", {}).get("url", "")
        for digest in page:
            if len(seen) < 4:
                await client.send("DELETE", f"/v2/{repository}/manifests/{digest}")
            seen.append(digest)
    assert sorted(seen) == sorted(image.digest for image in images)


async def test_a_bare_last_by_time_stands_where_the_manifest_stands(
    client: Client, repository: str
) -> None:
    images = [await client.push_image(repository, "") for _ in range(3)]
    query = {"orderby": "timedesc"}
    found = await get(client, f"{repository}/_manifests", last=images[1].digest, **query)
    assert [entry["digest"] for entry in found["manifests"]] == [images[0].digest]
    # And where it stood, once it has gone.
    await client.send("DELETE", f"/v2/{repository}/manifests/{images[1].digest}")
    found = await get(client, f"{repository}/_manifests", last=images[1].digest, **query)
    assert [entry["digest"] for entry in found["manifests"]] == [images[0].digest]
    for last in (Image.make().digest, "v1", f"{images[1].digest}@x"):
        found = await get(client, f"{repository}/_manifests", last=last, **query)
        assert found["manifests"] is None


@pytest.mark.parametrize("order", ORDERS)
async def test_a_manifest_that_is_not_listed_is_in_no_listing_and_told_by_itself(
    client: Client, repository: str, order: str
) -> None:
    images = [await client.push_image(repository, "") for _ in range(3)]
    url = f"/acr/v1/{repository}/_manifests/{images[1].digest}"
    answer = await client.send("PATCH", url, json={"listEnabled": False})
    assert answer.json()["manifest"]["changeableAttributes"] == {**ALL_TRUE, "listEnabled": False}
    url = f"/acr/v1/{repository}/_manifests?n=1&orderby={order}"
    listed = [each for page in await walk(client, url, "manifests", "digest") for each in page]
    assert sorted(listed) == sorted([images[0].digest, images[2].digest])


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_manifest_that_does_not_exist_is_unknown_and_so_is_one_of_no_repository(
    client: Client, repository: str, method: str
) -> None:
    await client.push_image(f"{repository}/there", "v1")
    digest = Image.make().digest
    for path in (f"there/_manifests/{digest}", f"absent/_manifests/{digest}"):
        answer = await client.send(
            method, f"/acr/v1/{repository}/{path}", content=b'{"readEnabled": false}'
        )
        expected = (404, "MANIFEST_UNKNOWN", f"manifest {digest} is not found")
        assert error(answer) == expected
    answer = await client.send(method, f"/acr/v1/{repository}/there/_manifests/v1", content=b"{}")
    assert error(answer)[:2] == (404, "MANIFEST_UNKNOWN")


async def test_a_manifest_has_no_delete_here_as_acr_has_none(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    url = f"/acr/v1/{repository}/_manifests/{image.digest}"
    answer = await client.send("DELETE", url)
    assert error(answer)[:2] == (405, "UNSUPPORTED")
    assert answer.headers["allow"] == "GET, PATCH"


async def test_a_repository_without_a_manifest_is_unknown_and_past_the_end_is_null(
    client: Client, repository: str
) -> None:
    await client.push_image(repository)
    past = await get(client, f"{repository}/_manifests", last="sha512:f")
    assert past["manifests"] is None
    answer = await client.send("GET", f"/acr/v1/{repository}/none/_manifests")
    assert error(answer)[:2] == (404, "NAME_UNKNOWN")


async def test_a_digest_may_come_percent_encoded(client: Client, repository: str) -> None:
    image = await client.push_image(repository)
    digest = image.digest.replace(":", "%253A")
    assert (await manifest(client, repository, digest))["digest"] == image.digest


async def test_a_manifest_without_a_platform_is_told_without_one(
    client: Client, repository: str
) -> None:
    config, kind = b"{}", "application/vnd.example.config.v1+json"
    await client.push_blob(repository, config)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": kind, "digest": digest_of(config), "size": 2},
        "layers": [],
    }
    content = json.dumps(document).encode()
    assert (await client.put_manifest(repository, "v1", content)).status_code == 201
    found = await manifest(client, repository, digest_of(content))
    assert found["configMediaType"] == kind
    assert not found.keys() & {"os", "architecture", "references"}
