"""Soft delete through the edge: what is deleted is seen by nobody, and can be had back."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.errors import ManifestUnknown
from registry_core.model.change import DeleteManifests, Event, Operation
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog
from registry_core.settings import Settings
from registry_core.storage import keys
from registry_core.storage.faults import Ambiguous
from tests.integration.core.collection.support import Collecting, blob_partition
from tests.integration.core.soft import keeping, purge, purge_after, set_policy
from tests.integration.core.support import (
    OCI_INDEX,
    OCI_MANIFEST,
    Client,
    Image,
    all_rows,
    connect,
    descriptor,
    digest_of,
    index_of,
    is_pullable,
    kinds,
    rows,
)
from tests.interference.kinds import Interference, SeenCall


@pytest.fixture
async def soft(client: Client) -> AsyncIterator[Client]:
    """An instance of a registry in which what is deleted can be restored."""
    async with keeping(client):
        yield client


async def delete(client: Client, repository: str, reference: str) -> None:
    answer = await client.send("DELETE", f"/v2/{repository}/manifests/{reference}")
    assert answer.status_code == 202, answer.text


async def restore(
    client: Client, repository: str, digest: str, tag: str = "", force: str = ""
) -> httpx.Response:
    url = f"/acr/v1/_deleted/{repository}/_manifests/{digest}"
    query = {"force": force} if force else {}
    return await client.send("POST", url, json={"tag": tag or None}, params=query)


async def deleted(client: Client, repository: str, what: str) -> list[Any]:
    answer = await client.send("GET", f"/acr/v1/_deleted/{repository}/_{what}")
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()[what] or []
    return found


async def shown(client: Client, repository: str) -> list[Any]:
    """All that `/acr/v1` tells of a repository, and its referrers."""
    urls = [f"/acr/v1/{repository}", *(f"/acr/v1/{repository}/_{w}" for w in ("tags", "manifests"))]
    told = [(await client.send("GET", url)).json() for url in urls]
    told[0].pop("lastUpdateTime")
    return told


@pytest.mark.rule("X1")
async def test_what_is_deleted_is_seen_by_nobody_and_comes_back_as_it_was(
    soft: Client, other: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    await soft.put_manifest(repository, "v2", image.manifest)
    subject = image.descriptor
    referrer = await soft.push_image(repository, "", subject=subject, artifactType="a/b")
    before = await shown(soft, repository)
    for each in (image, referrer):
        await delete(soft, repository, each.digest)
    for reference in ("v1", "v2", image.digest, referrer.digest):
        for method in ("GET", "HEAD"):
            answer = await other.send(method, f"/v2/{repository}/manifests/{reference}")
            assert answer.status_code == 404
    assert (await other.send("GET", f"/v2/{repository}/tags/list")).status_code == 404
    assert repository not in (await other.send("GET", "/v2/_catalog")).json()["repositories"]
    for each in (image, referrer):
        assert (await restore(soft, repository, each.digest)).status_code == 200
    assert await shown(soft, repository) == before
    listed = await other.send("GET", f"/v2/{repository}/referrers/{image.digest}")
    (found,) = listed.json()["manifests"]
    assert (found["digest"], found["artifactType"]) == (referrer.digest, "a/b")
    assert await is_pullable(other, repository, image)
    assert repository in (await other.send("GET", "/v2/_catalog")).json()["repositories"]
    assert {"hr", "d", "DM", "DT"} & set(await kinds(soft, repository)) == set()


@pytest.mark.rule("X1")
async def test_collection_takes_nothing_of_what_can_be_restored(
    soft: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    large = json.dumps({"of": repository, "padding": "x" * 600_000}).encode()
    config = await soft.push_blob(repository, b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/json", "digest": config, "size": 2},
        "layers": [],
        "annotations": {"of": large.decode()},
    }
    content = json.dumps(document).encode()
    await soft.put_manifest(repository, "large", content)
    for reference in (image.digest, digest_of(content)):
        await delete(soft, repository, reference)
    await Collecting(soft).everything()
    await Collecting(soft).everything()
    for reference in (image.digest, digest_of(content)):
        assert (await restore(soft, repository, reference)).status_code == 200
    assert await is_pullable(soft, repository, image)
    answer = await soft.send("GET", f"/v2/{repository}/manifests/large")
    assert answer.content == content


@pytest.mark.rule("X1")
async def test_a_blob_that_only_deleted_manifests_need_cannot_be_deleted(
    soft: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    await delete(soft, repository, image.digest)
    digest = digest_of(image.layer)
    answer = await soft.send("DELETE", f"/v2/{repository}/blobs/{digest}")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (405, "UNSUPPORTED")


@pytest.mark.rule("X2")
async def test_a_push_brings_back_what_was_deleted_and_protects_nothing_anew(
    soft: Client, other: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    await soft.push_image(repository, "other")
    await delete(soft, repository, image.digest)
    answer = await soft.put_manifest(repository, "v2", image.manifest)
    assert answer.status_code == 201
    # Read, and write: two rounds, as for a manifest that is there.
    assert soft.trace.rounds == 2
    assert not [call for call in soft.trace.calls if call.method == "POST" and "blobs" in call.path]
    tags = await other.send("GET", f"/v2/{repository}/tags/list")
    assert tags.json()["tags"] == ["other", "v2"]
    assert await deleted(soft, repository, "manifests") == []
    await Collecting(soft).everything()
    assert await is_pullable(other, repository, image)


@pytest.mark.rule("X2")
async def test_a_push_of_what_was_purged_protects_its_blobs_again(
    soft: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    await soft.push_image(repository, "other")
    await delete(soft, repository, image.digest)
    assert (await purge(soft)).manifests >= 1
    assert await deleted(soft, repository, "manifests") == []
    assert (await soft.put_manifest(repository, "v1", image.manifest)).status_code == 201
    await Collecting(soft).everything()
    assert await is_pullable(soft, repository, image)


@pytest.mark.rule("X3")
async def test_an_index_comes_back_with_all_that_it_holds(soft: Client, repository: str) -> None:
    images = [await soft.push_image(repository, "") for _ in range(3)]
    inner = index_of(each.descriptor for each in images[:2])
    outer = index_of([descriptor(OCI_INDEX, inner), images[2].descriptor, images[0].descriptor])
    for content, reference in ((inner, digest_of(inner)), (outer, "v1")):
        assert (
            await soft.put_manifest(repository, reference, content, OCI_INDEX)
        ).status_code == 201
    answer = await soft.send("DELETE", f"/acr/v1/{repository}")
    assert (answer.status_code, len(answer.json()["manifestsDeleted"])) == (202, 5)
    await Collecting(soft).everything()
    answer = await restore(soft, repository, digest_of(outer), "v1")
    assert (answer.status_code, answer.json()["tags"]) == (200, ["v1"])
    for each in images:
        assert await is_pullable(soft, repository, each)
    found = await rows(soft, repository)
    children = {key for key in found if key.startswith("c:")}
    assert len(children) == 5
    assert await deleted(soft, repository, "manifests") == []


@pytest.mark.rule("X3")
async def test_a_tag_is_restored_by_itself_and_overwrites_only_if_forced(
    soft: Client, repository: str
) -> None:
    first = await soft.push_image(repository, "v1")
    second = await soft.push_image(repository, "v2")
    await delete(soft, repository, "v1")
    (told,) = await deleted(soft, repository, "tags")
    assert (told["tag"], told["digest"]) == ("v1", first.digest)
    await soft.put_manifest(repository, "v1", second.manifest)
    answer = await restore(soft, repository, first.digest, "v1", "False")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "TAG_EXISTS")
    answer = await restore(soft, repository, first.digest, "v1", "True")
    assert answer.status_code == 200
    head = await soft.send("HEAD", f"/v2/{repository}/manifests/v1")
    assert head.headers["docker-content-digest"] == first.digest
    assert await deleted(soft, repository, "tags") == []
    answer = await restore(soft, repository, first.digest, "v9")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "TAG_UNKNOWN")


@pytest.mark.rule("X3")
async def test_a_repository_comes_back_hidden_and_unreadable_as_it_was(
    soft: Client, other: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    hidden = {"listEnabled": False, "readEnabled": False}
    await soft.send("PATCH", f"/acr/v1/{repository}", json=hidden)
    await soft.send("DELETE", f"/acr/v1/{repository}")
    answer = await other.send("GET", "/acr/v1/_deleted/_catalog", params={"n": 1000})
    assert repository in answer.json()["repositories"]
    assert (await restore(soft, repository, image.digest)).status_code == 200
    told = (await other.send("GET", f"/acr/v1/{repository}")).json()
    assert hidden.items() <= told["changeableAttributes"].items()
    answer = await other.send("GET", "/v2/_catalog")
    assert repository not in answer.json()["repositories"]
    assert (await other.send("GET", f"/v2/{repository}/manifests/v1")).status_code == 405
    answer = await other.send("GET", "/acr/v1/_deleted/_catalog", params={"n": 1000})
    assert repository not in (answer.json()["repositories"] or [])


async def test_a_set_of_manifests_and_more_tags_than_a_transaction_holds_come_back(
    soft: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "")
    names = [f"t{number:02}" for number in range(45)]
    for first in range(0, 45, 15):
        query = "&".join(f"tag={name}" for name in names[first : first + 15])
        await soft.put_manifest(repository, f"{image.digest}?{query}", image.manifest)
    others = [await soft.push_image(repository, f"o{number}") for number in range(2)]
    digests = [image.digest, *(each.digest for each in others)]
    told: list[Event] = []
    change = DeleteManifests(tuple(map(Digest.parse, digests)))
    await soft.services.bulk_deletions.delete_manifests(
        RepositoryName(repository), change, told.extend
    )
    assert {e.digest for e in told if e.operation is Operation.DELETE} == set(digests)
    found = await deleted(soft, repository, "manifests")
    assert {each["digest"] for each in found} == set(digests)
    for digest in digests:
        assert (await restore(soft, repository, digest)).status_code == 200
    tags = (await soft.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    assert tags == ["o0", "o1", *names]


@pytest.mark.rule("X4")
async def test_a_lock_of_the_repository_forbids_to_restore(soft: Client, repository: str) -> None:
    image = await soft.push_image(repository, "v1")
    await soft.push_image(repository, "v2")
    await delete(soft, repository, image.digest)
    await soft.send("PATCH", f"/acr/v1/{repository}", json={"writeEnabled": False})
    answer = await restore(soft, repository, image.digest)
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "REGISTRY_DISALLOWED_OPERATION"


@pytest.mark.rule("X5")
async def test_a_purge_takes_what_is_due_and_collection_what_that_needed(
    soft: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    await soft.put_manifest(repository, "v2", image.manifest)
    await delete(soft, repository, "v2")
    await delete(soft, repository, image.digest)
    made, later = purge_after(soft, 6)
    assert (await made.run(later)).manifests == 0
    report = await purge(soft, 8)
    assert report.manifests >= 1
    assert report.tags >= 2
    assert report.failed == 0
    assert await rows(soft, repository) == {}
    table = await all_rows(soft, catalog.TABLE, catalog.DELETED)
    assert keys.encode(repository) not in table
    answer = await restore(soft, repository, image.digest)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
    collecting = Collecting(soft)
    for _ in range(3):
        await collecting.everything()
    for blob in image.blobs:
        assert await blob_partition(soft, digest_of(blob)) == {}


@pytest.mark.rule("X5")
async def test_days_count_at_the_time_of_the_purge_also_once_soft_delete_is_off(
    soft: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    await soft.push_image(repository, "v2")
    await delete(soft, repository, image.digest)
    await set_policy(soft, is_on=False, days=30)
    await purge(soft, 29)
    (told,) = await deleted(soft, repository, "manifests")
    assert told["digest"] == image.digest
    await set_policy(soft, is_on=False, days=3)
    await purge(soft, 4)
    assert await deleted(soft, repository, "manifests") == []


@pytest.mark.rule("X4", "X5")
async def test_a_purge_waits_while_the_repository_is_locked(soft: Client, repository: str) -> None:
    image = await soft.push_image(repository, "v1")
    await soft.push_image(repository, "v2")
    await delete(soft, repository, image.digest)
    await soft.send("PATCH", f"/acr/v1/{repository}", json={"writeEnabled": False})
    assert repository in (await purge(soft)).locked
    (told,) = await deleted(soft, repository, "manifests")
    assert told["digest"] == image.digest
    await soft.send("PATCH", f"/acr/v1/{repository}", json={"writeEnabled": True})
    assert repository not in (await purge(soft)).locked
    assert await deleted(soft, repository, "manifests") == []


@pytest.mark.rule("X5")
async def test_a_dry_run_counts_what_is_due_and_changes_nothing(
    soft: Client, repository: str
) -> None:
    image = await soft.push_image(repository, "v1")
    await delete(soft, repository, image.digest)
    before = await rows(soft, repository)
    made, later = purge_after(soft, 0)
    report = await made.run(later.replace(year=later.year + 1), dry_run=True)
    assert report.manifests >= 1
    assert await rows(soft, repository) == before
    with pytest.raises(ValueError, match="cannot be purged now"):
        await made.run(later.replace(year=later.year + 1))


@pytest.mark.rule("X1")
async def test_a_deletion_whose_answer_is_lost_frees_nothing_that_another_has_kept(
    client: Client, settings: Settings, repository: str
) -> None:
    """Its transaction never came; another instance, to which soft delete is on, deletes it."""
    image = await client.push_image(repository, "v1")
    await client.push_image(repository, "v2")
    assert not await client.services.soft_delete.is_on()
    async with connect(settings) as another, keeping(another):

        class Overtaken(Interference):
            async def before(self, call: SeenCall) -> None:
                await delete(another, repository, image.digest)
                raise Ambiguous("the connection broke")

        def plan(call: SeenCall) -> Interference | None:
            if any(o.first.startswith("m:") and not o.is_read for o in call.operations):
                client.hook.plan = None
                return Overtaken()
            return None

        client.hook.plan = plan
        await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
        for blob in image.blobs:
            present = await blob_partition(client, digest_of(blob))
            need = blob_rows.requirement(RepositoryName(repository), Digest.parse(image.digest))
            assert not present[need].values.get(blob_rows.RELEASED)
        assert (await restore(another, repository, image.digest)).status_code == 200


async def test_what_was_never_deleted_cannot_be_restored(soft: Client, repository: str) -> None:
    image = Image.make()
    for digest in (image.digest, "sha256:x"):
        answer = await restore(soft, repository, digest)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (
            404,
            ManifestUnknown.code,
        )
    answer = await soft.send("GET", f"/acr/v1/_deleted/{repository}/_manifests")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    assert await rows(soft, repository) == {}


@pytest.mark.parametrize("body", [b"{", b'{"tag": 1}', b'{"tag": {}}'])
async def test_a_body_that_names_no_tag_is_refused(
    soft: Client, repository: str, body: bytes
) -> None:
    url = f"/acr/v1/_deleted/{repository}/_manifests/{Image.make().digest}"
    answer = await soft.send("POST", url, content=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "REQUEST_INVALID")


async def test_listings_of_what_was_deleted_come_in_pages_the_earliest_first(
    soft: Client, repository: str
) -> None:
    images = [await soft.push_image(repository, f"v{number}") for number in range(5)]
    for image in reversed(images):
        await delete(soft, repository, image.digest)
    for what, key in (("manifests", "digest"), ("tags", "digest")):
        found, url = list[str](), f"/acr/v1/_deleted/{repository}/_{what}?n=2"
        sizes = []
        while url:
            answer = await soft.send("GET", url)
            sizes.append(len(answer.json()[what]))
            found += [each[key] for each in answer.json()[what]]
            url = answer.links.get("next", {}).get("url", "")
            assert soft.trace.count == 1
        assert (sizes, found) == ([2, 2, 1], [each.digest for each in reversed(images)])


async def test_the_repositories_with_something_deleted_come_in_pages_without_those_that_have_not(
    soft: Client,
) -> None:
    base = f"zz/{secrets.token_hex(4)}"
    names = [f"{base}/{number}" for number in range(4)]
    images = [await soft.push_image(name, "v1") for name in names]
    for name, image in zip(names, images, strict=True):
        await delete(soft, name, image.digest)
    await restore(soft, names[1], images[1].digest)
    found, url = list[str](), f"/acr/v1/_deleted/_catalog?n=2&last={base}"
    while url:
        answer = await soft.send("GET", url)
        found += answer.json()["repositories"] or []
        url = answer.links.get("next", {}).get("url", "")
    assert [name for name in found if name.startswith(base)] == [names[0], names[2], names[3]]
