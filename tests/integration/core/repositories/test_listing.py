"""Listings of tags and referrers through the edge, in pages."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.storage import tables
from tests.integration.core.support import (
    OCI_INDEX,
    Client,
    Image,
    digest_of,
)


async def pages_of(client: Client, url: str) -> AsyncIterator[httpx.Response]:
    """The answer at `url`, and those that `Link` leads to from there."""
    while url:
        answer = await client.send("GET", url)
        yield answer
        url = answer.links.get("next", {}).get("url", "")


@pytest.mark.rule("R5")
async def test_tags_come_in_lexical_order_page_by_page(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "b")
    names = ["B", "a", "a-1", "a.1", "a1", "a_1", "b"]
    for name in names:
        await client.put_manifest(repository, name, image.manifest)
    listed: list[str] = []
    pages = 0
    async for answer in pages_of(client, f"/v2/{repository}/tags/list?n=3"):
        assert answer.json()["name"] == repository
        listed += answer.json()["tags"]
        url = answer.links.get("next", {}).get("url", "")
        assert url.startswith(f"/v2/{repository}/tags/list?") or not url
        pages += 1
    assert listed == sorted(names)
    assert pages == 3


@pytest.mark.rule("R5")
async def test_a_last_that_does_not_exist_begins_where_it_would_stand(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "a")
    await client.put_manifest(repository, "c", image.manifest)
    for last, expected in (("b", ["c"]), ("c", []), ("zzz", []), ("", ["a", "c"])):
        answer = await client.send("GET", f"/v2/{repository}/tags/list", params={"last": last})
        assert answer.json()["tags"] == expected


@pytest.mark.parametrize("path", ["_catalog", "{}/tags/list"])
async def test_n_is_clamped_or_refused(client: Client, repository: str, path: str) -> None:
    await client.push_image(repository, "a")
    url = f"/v2/{path.format(repository)}"
    for number in ("-1", "abc", "", "1.5", "٣"):
        answer = await client.send("GET", url, params={"n": number})
        assert answer.status_code == 400, number
        assert answer.json()["errors"][0]["code"] == "PAGINATION_NUMBER_INVALID"
    answer = await client.send("GET", url, params={"n": "9999999999"})
    assert answer.status_code == 200
    answer = await client.send("GET", url, params={"n": "0"})
    assert (answer.status_code, "link" in answer.headers) == (200, False)
    assert answer.json().get("tags", answer.json().get("repositories")) == []


async def test_the_tags_of_a_repository_without_tags_are_none_and_of_none_unknown(
    client: Client, repository: str
) -> None:
    await client.push_image(repository, "")
    assert (await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"] == []
    unknown = await client.send("GET", f"/v2/{repository}/none/tags/list")
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


async def test_referrers_of_a_subject_are_listed_whether_it_exists_or_not(
    client: Client, repository: str
) -> None:
    subject = Image.make()
    url = f"/v2/{repository}/referrers/{subject.digest}"
    empty = await client.send("GET", url)
    assert (empty.status_code, empty.json()["manifests"]) == (200, [])
    annotations = {"org.example": "x" * 100_000}
    images = [
        await client.push_image(
            repository,
            "",
            subject=subject.descriptor,
            artifactType=f"application/vnd.example.{kind}",
            annotations=annotations,
        )
        for kind in ("one", "two")
    ]
    answer = await client.send("GET", url)
    assert answer.headers["content-type"] == OCI_INDEX
    found = {entry["digest"]: entry for entry in answer.json()["manifests"]}
    assert set(found) == {image.digest for image in images}
    entry = found[images[0].digest]
    assert entry["artifactType"] == "application/vnd.example.one"
    assert entry["annotations"] == annotations
    assert entry["size"] == len(images[0].manifest)
    filtered = await client.send("GET", url, params={"artifactType": entry["artifactType"]})
    assert filtered.headers["oci-filters-applied"] == "artifactType"
    assert [e["digest"] for e in filtered.json()["manifests"]] == [images[0].digest]
    await client.send("DELETE", f"/v2/{repository}/manifests/{images[0].digest}")
    remaining = (await client.send("GET", url)).json()["manifests"]
    assert [entry["digest"] for entry in remaining] == [images[1].digest]


async def test_annotations_too_large_for_a_row_are_listed_all_the_same(
    client: Client, repository: str
) -> None:
    subject = Image.make()
    annotations = {"org.example": "y" * 200_000}
    await client.push_image(repository, "", subject=subject.descriptor, annotations=annotations)
    answer = await client.send("GET", f"/v2/{repository}/referrers/{subject.digest}")
    assert answer.json()["manifests"][0]["annotations"] == annotations


async def test_a_page_of_referrers_with_one_that_is_left_out_still_leads_on(
    client: Client, repository: str
) -> None:
    """One whose annotations lie in its manifest, which may not be read."""
    subject = Image.make()
    pushed = [
        await client.push_image(
            repository,
            "",
            subject=subject.descriptor,
            annotations={"number": str(number), "org.example": "y" * 9_000},
        )
        for number in range(7)
    ]
    hidden = sorted(pushed, key=lambda image: image.digest)[1]
    table = client.services.connection.table(repository_rows.TABLE)
    row = repository_rows.manifest_key(Digest.parse(hidden.digest))
    await table.transact(
        repository_rows.partition(RepositoryName.parse(repository)),
        [tables.merge(row, ReadEnabled=False)],
    )
    listed = []
    async for answer in pages_of(client, f"/v2/{repository}/referrers/{subject.digest}?n=3"):
        listed += [entry["digest"] for entry in answer.json()["manifests"]]
    assert sorted(listed) == sorted({image.digest for image in pushed} - {hidden.digest})


async def test_a_page_of_referrers_reads_few_manifests(client: Client, repository: str) -> None:
    subject = Image.make()
    for number in range(53):
        annotations = {"number": str(number), "org.example": "y" * 9_000}
        await client.push_image(repository, "", subject=subject.descriptor, annotations=annotations)
    counts = []
    async for answer in pages_of(client, f"/v2/{repository}/referrers/{subject.digest}"):
        counts.append(len(answer.json()["manifests"]))
        assert client.cost[0] <= 60
    assert counts == [50, 3]


async def test_referrers_beyond_a_page_follow_a_link(client: Client, repository: str) -> None:
    subject = Image.make()
    fill = {"org.example": "z" * 120_000}
    pushed = set()
    config = await client.push_blob(repository, b"{}")
    for number in range(30):
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": config,
                "size": 2,
            },
            "layers": [],
            "subject": subject.descriptor,
            "annotations": {**fill, "number": str(number)},
        }
        content = json.dumps(manifest).encode()
        answer = await client.put_manifest(repository, digest_of(content), content)
        assert answer.status_code == 201
        pushed.add(digest_of(content))
    listed, pages = [], 0
    async for answer in pages_of(client, f"/v2/{repository}/referrers/{subject.digest}"):
        assert len(answer.content) < 4 * 1024 * 1024
        listed += [entry["digest"] for entry in answer.json()["manifests"]]
        pages += 1
    assert set(listed) == pushed
    assert len(listed) == 30
    assert pages > 1
