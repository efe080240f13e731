"""Deleting tags, manifests and blobs through the edge, alone and beside other changes."""

import asyncio
from dataclasses import replace

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog
from registry_core.repositories import rows as repository_rows
from registry_core.settings import Settings
from registry_core.storage import tables
from tests.integration.core.support import (
    OCI_INDEX,
    Client,
    Image,
    all_rows,
    connect,
    digest_of,
    index_of,
    is_pullable,
    kinds,
    push_blobs,
    rows,
)
from tests.interference.gate import Gate
from tests.interference.kinds import Drop, Interference, SeenCall


@pytest.mark.rule("D2")
async def test_deleting_a_tag_keeps_the_manifest(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "v1")
    await client.put_manifest(repository, "v2", image.manifest)
    assert (await client.send("DELETE", f"/v2/{repository}/manifests/v1")).status_code == 202
    for reference, status in (("v1", 404), ("v2", 200), (image.digest, 200)):
        answer = await client.send("GET", f"/v2/{repository}/manifests/{reference}")
        assert answer.status_code == status
    assert await kinds(client, repository) == ["M", "T", "g", "h", "hd", "hu", "hw", "m", "t"]
    assert (await client.send("DELETE", f"/v2/{repository}/manifests/v1")).status_code == 404


async def test_deleting_the_last_manifest_removes_the_repository_and_all_its_rows(
    client: Client, other: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1", subject=Image.make().descriptor)
    await client.put_manifest(repository, "v2", image.manifest)
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await client.send("DELETE", url)).status_code == 202
    assert await rows(client, repository) == {}
    for instance in (client, other):
        tags = await instance.send("GET", f"/v2/{repository}/tags/list")
        assert tags.json()["errors"][0]["code"] == "NAME_UNKNOWN"
        catalog = await instance.send("GET", "/v2/_catalog")
        assert repository not in catalog.json()["repositories"]
        assert (await instance.send("GET", url)).status_code == 404
    assert (await client.send("DELETE", url)).status_code == 404
    assert (await client.put_manifest(repository, "v1", image.manifest)).status_code == 201


async def test_a_manifest_with_more_tags_than_a_transaction_holds_is_deleted(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "")
    for batch in range(5):
        query = "&".join(f"tag=t{batch}-{number}" for number in range(15))
        await client.put_manifest(repository, f"{image.digest}?{query}", image.manifest)
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await client.send("DELETE", url)).status_code == 202
    assert await rows(client, repository) == {}


@pytest.mark.rule("D1", "D5")
async def test_the_last_two_manifests_deleted_at_once_take_the_repository_along(
    client: Client, other: Client, repository: str
) -> None:
    """Each deletion sees the other's manifest, and neither is the last."""
    first = await client.push_image(repository, "v1")
    second = await client.push_image(repository, "v2")
    gate = Gate(client.hook, lambda call: call.method == "POST")
    deletion = asyncio.create_task(
        client.send("DELETE", f"/v2/{repository}/manifests/{first.digest}")
    )
    await gate.reached.wait()
    gone = await other.send("DELETE", f"/v2/{repository}/manifests/{second.digest}")
    gate.open()
    assert ((await deletion).status_code, gone.status_code) == (202, 202)
    assert await rows(other, repository) == {}
    entries = await all_rows(other, catalog.TABLE, catalog.PARTITION)
    assert repository_rows.partition(RepositoryName(repository)) not in entries


def is_transaction(call: SeenCall) -> bool:
    return call.path.endswith("/$batch")


@pytest.mark.rule("P5", "D4")
async def test_an_index_pushed_while_its_deletion_cleans_up_keeps_its_child_rows(
    client: Client, other: Client, repository: str
) -> None:
    """The rows `c:` are removed after the transaction, while the index may live again."""
    await client.push_image(repository, "keep")
    index = index_of(Image.make().descriptor for _ in range(150))
    digest = digest_of(index)
    tagged = f"{digest}?" + "&".join(f"tag=t{number}" for number in range(15))
    assert (await client.put_manifest(repository, tagged, index, OCI_INDEX)).status_code == 201
    posts: list[SeenCall] = []

    def is_clean_up(call: SeenCall) -> bool:
        if is_transaction(call):
            posts.append(call)
        return len(posts) == 2 and is_transaction(call)

    gate = Gate(other.hook, is_clean_up)
    deletion = asyncio.create_task(other.send("DELETE", f"/v2/{repository}/manifests/{digest}"))
    await gate.reached.wait()
    assert (await client.put_manifest(repository, digest, index, OCI_INDEX)).status_code == 201
    gate.open()
    assert (await deletion).status_code == 202
    stored = await rows(client, repository)
    assert f"m:{digest}" in stored
    children = sum(key.startswith("c:") for key in stored)
    again = await client.send("DELETE", f"/v2/{repository}/manifests/{digest}")
    assert (children, again.status_code) == (150, 202)


@pytest.mark.rule("D1")
@pytest.mark.parametrize(
    ("page", "tags"), [(20, 40), pytest.param(1000, 2000, marks=pytest.mark.long)]
)
async def test_a_manifest_of_more_tags_than_a_page_is_deleted_whole(
    client: Client, repository: str, monkeypatch: pytest.MonkeyPatch, page: int, tags: int
) -> None:
    """A page of a query has 1,000 rows: a tag beyond it would dangle for good."""
    monkeypatch.setattr(tables, "MAX_PAGE", page)
    await client.push_image(repository, "keep")
    image = await client.push_image(repository, "t0")
    names = [f"t{number}" for number in range(1, tags)]
    for first in range(0, len(names), 15):
        query = "&".join(f"tag={name}" for name in names[first : first + 15])
        reference = f"{image.digest}?{query}"
        answer = await client.put_manifest(repository, reference, image.manifest)
        assert answer.status_code == 201
    answer = await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    assert answer.status_code == 202
    left = [key for key in await rows(client, repository) if key.startswith("t:t")]
    if left:
        tag = left[0].removeprefix("t:")
        head = await client.send("HEAD", f"/v2/{repository}/manifests/{tag}")
        get = await client.send("GET", f"/v2/{repository}/manifests/{tag}")
        untag = await client.send("DELETE", f"/v2/{repository}/manifests/{tag}")
        fresh = Image.make()
        await push_blobs(client, repository, fresh)
        move = await client.put_manifest(repository, tag, fresh.manifest)
        codes = [a.status_code for a in (head, get, untag, move)]
        raise AssertionError(f"{len(left)} tags left; HEAD, GET, DELETE, PUT of one: {codes}")


@pytest.mark.rule("D4", "F5")
async def test_a_deletion_whose_answer_was_lost_is_finished(
    client: Client, repository: str
) -> None:
    """The second try finds nothing, and cleans up after the first."""
    image = await client.push_image(repository)
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await client.send("GET", url)).status_code == 200
    dropped: list[SeenCall] = []

    def plan(call: SeenCall) -> Interference | None:
        if is_transaction(call) and not dropped:
            dropped.append(call)
            return Drop()
        return None

    client.hook.plan = plan
    assert (await client.send("DELETE", url)).status_code == 202
    again = (await client.send("GET", url)).status_code
    entries = await all_rows(client, catalog.TABLE, catalog.PARTITION)
    listed = repository_rows.partition(RepositoryName(repository)) in entries
    blob = await client.send("DELETE", f"/v2/{repository}/blobs/{digest_of(image.layer)}")
    assert (again, listed, blob.status_code) == (404, False, 202)


@pytest.mark.rule("D3")
async def test_a_blob_that_a_manifest_needs_is_not_deleted_and_the_manifest_is_named(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    url = f"/v2/{repository}/blobs/{digest_of(image.layer)}"
    answer = await client.send("DELETE", url)
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["detail"]["manifest"] == image.digest
    await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    assert (await client.send("DELETE", url)).status_code == 202


@pytest.mark.rule("D3")
async def test_a_blob_that_a_manifest_being_pushed_has_claimed_is_not_deleted(
    client: Client, repository: str
) -> None:
    await client.push_image(repository, "v1")
    table = client.services.connection.table(repository_rows.TABLE)
    locked = tables.merge("t:v1", WriteEnabled=False)
    await table.transact(repository_rows.partition(RepositoryName(repository)), [locked])
    image = Image.make()
    layer, _ = [await client.push_blob(repository, blob) for blob in (image.layer, image.config)]
    # The tag's lock ends this push, after it has claimed its blobs.
    answer = await client.put_manifest(repository, "v1", image.manifest)
    assert answer.json()["errors"][0]["code"] == "REGISTRY_DISALLOWED_OPERATION"
    answer = await client.send("DELETE", f"/v2/{repository}/blobs/{layer}")
    assert answer.status_code == 405
    assert image.digest in answer.json()["errors"][0]["message"]


async def test_deletion_can_be_switched_off(settings: Settings, repository: str) -> None:
    async with connect(replace(settings, delete_enabled=False)) as client:
        image = await client.push_image(repository)
        for path in (f"blobs/{digest_of(image.layer)}", f"manifests/{image.digest}"):
            answer = await client.send("DELETE", f"/v2/{repository}/{path}")
            assert answer.status_code == 405
            assert answer.json()["errors"][0]["code"] == "UNSUPPORTED"


@pytest.mark.rule("D3")
async def test_a_blob_with_more_requirement_rows_than_a_page_is_not_deleted_while_needed(
    client: Client, repository: str
) -> None:
    """A page of a query has 1,000 rows: the manifest that needs the blob comes after them."""
    image = await client.push_image(repository)
    layer = digest_of(image.layer)
    table, name = client.services.connection.table(blob_rows.TABLE), RepositoryName(repository)
    dead = [Digest("sha256", f"{number:064x}") for number in range(1000)]
    for first in range(0, len(dead), 100):
        await table.transact(
            layer,
            [
                tables.upsert(blob_rows.requirement(name, digest), Released=True)
                for digest in dead[first : first + 100]
            ],
        )
    answer = await client.send("DELETE", f"/v2/{repository}/blobs/{layer}")
    assert answer.status_code == 405
    assert await is_pullable(client, repository, image)


@pytest.mark.rule("D1")
async def test_tags_that_move_while_a_manifest_is_deleted_are_no_more_than_a_transaction_holds(
    client: Client, other: Client, repository: str
) -> None:
    """Of 45 tags that were listed 15 move: 30 tags with their rows fill a transaction already."""
    keep = await client.push_image(repository, "keep")
    gone = await client.push_image(repository, "")
    queries = ["&".join(f"tag=t{n}" for n in range(first, first + 15)) for first in (0, 15, 30)]
    for query in queries:
        answer = await client.put_manifest(repository, f"{gone.digest}?{query}", gone.manifest)
        assert answer.status_code == 201

    def is_list(call: SeenCall) -> bool:
        return any(each.is_read and f"g:{gone.digest}" in str(each) for each in call.operations)

    gate = Gate(client.hook, is_list, is_answered=True)
    deletion = asyncio.create_task(
        client.send("DELETE", f"/v2/{repository}/manifests/{gone.digest}")
    )
    await gate.reached.wait()
    answer = await other.put_manifest(repository, f"{keep.digest}?{queries[0]}", keep.manifest)
    assert answer.status_code == 201
    gate.open()
    assert (await deletion).status_code == 202
    tags = (await other.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    assert sorted(tags) == sorted(["keep", *(f"t{n}" for n in range(15))])
