"""Races and late answers that once lost something, each forced through the storage-call hook."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.blobs.links import PUSH_DEADLINE
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog
from registry_core.repositories import rows as repository_rows
from registry_core.storage import keys, tables
from registry_core.storage.objects import APPEND_BLOCK, Location
from tests.integration.core.support import (
    OCI_INDEX,
    Client,
    Image,
    all_rows,
    digest_of,
    index_of,
    rows,
)
from tests.interference.kinds import Drop, Hold, Interference, Postpone, SeenCall


class Gate:
    """Holds the first call of an instance that matches, until it is opened."""

    def __init__(self, client: Client, matches: Callable[[SeenCall], bool]) -> None:
        self.reached, self._open = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            self.reached.set()
            await self._open.wait()

        def plan(call: SeenCall) -> Interference | None:
            if not self.reached.is_set() and matches(call):
                return Hold(before_gate=wait)
            return None

        client.hook.plan = plan

    def open(self) -> None:
        self._open.set()


async def push_blobs(client: Client, repository: str, image: Image) -> None:
    for blob in image.blobs:
        await client.push_blob(repository, blob)


async def is_pullable(client: Client, repository: str, image: Image) -> bool:
    answers = [await client.send("GET", f"/v2/{repository}/manifests/{image.digest}")]
    answers += [
        await client.send("HEAD", f"/v2/{repository}/blobs/{digest_of(blob)}")
        for blob in image.blobs
    ]
    return all(answer.status_code == 200 for answer in answers)


@pytest.mark.rule("P4")
async def test_a_push_under_way_does_not_lose_its_blobs_to_another_life_of_the_manifest(
    client: Client, other: Client, repository: str
) -> None:
    """P protects; Q pushes the same manifest, deletes it and its blobs; P inserts `m:` (201)."""
    await client.push_image(repository, "keep")
    image = Image.make()
    await push_blobs(client, repository, image)
    gate = Gate(client, lambda call: call.method == "POST" and call.depth == 3)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    assert (await other.put_manifest(repository, "v1", image.manifest)).status_code == 201
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await other.send("DELETE", url)).status_code == 202
    deleted = [
        (await other.send("DELETE", f"/v2/{repository}/blobs/{digest_of(blob)}")).status_code
        for blob in image.blobs
    ]
    gate.open()
    answer = await push
    assert answer.status_code in (201, 400)
    if answer.status_code == 201:
        assert await is_pullable(other, repository, image), f"blob deletions: {deleted}"


@pytest.mark.rule("D1", "D5")
async def test_the_last_two_manifests_deleted_at_once_take_the_repository_along(
    client: Client, other: Client, repository: str
) -> None:
    """Each deletion sees the other's manifest, and neither is the last."""
    first = await client.push_image(repository, "v1")
    second = await client.push_image(repository, "v2")
    gate = Gate(client, lambda call: call.method == "POST")
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


@pytest.mark.rule("P4")
async def test_a_push_applied_late_does_not_bring_a_deleted_manifest_back(
    client: Client, other: Client, repository: str
) -> None:
    """The first try times out and is applied by storage after push, delete, blob delete."""
    await client.push_image(repository, "keep")
    image = Image.make()
    await push_blobs(client, repository, image)
    late = Postpone()
    first = True

    def plan(call: SeenCall) -> Interference | None:
        nonlocal first
        if first and any(operation.first == "t:v1" for operation in call.operations[1:]):
            first = False
            return late
        return None

    client.hook.plan = plan
    assert (await client.put_manifest(repository, "v1", image.manifest)).status_code == 201
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await other.send("DELETE", url)).status_code == 202
    for blob in image.blobs:
        gone = await other.send("DELETE", f"/v2/{repository}/blobs/{digest_of(blob)}")
        assert gone.status_code == 202
    assert await late.deliver() == 202  # The batch; what it says of its parts is a refusal.
    assert "t:v1" not in await rows(other, repository)


@pytest.mark.rule("P2")
async def test_a_large_manifest_whose_blob_is_deleted_before_it_is_protected_is_still_protected(
    client: Client, other: Client, repository: str
) -> None:
    """In between it is a blob that nothing needs."""
    await client.push_image(repository, "keep")
    image = Image.make(annotations={"fill": "x" * 600_000})
    await push_blobs(client, repository, image)
    gate = Gate(client, lambda call: call.method == "POST" and call.depth == 4)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    deleted = await other.send("DELETE", f"/v2/{repository}/blobs/{image.digest}")
    assert deleted.status_code == 202
    gate.open()
    answer = await push
    stored = await all_rows(other, blob_rows.TABLE, image.digest)
    if answer.status_code == 201:
        name = RepositoryName(repository)
        assert blob_rows.link(name) in stored, "GC may delete the bytes of an acknowledged manifest"
        assert blob_rows.requirement(name, Digest.parse(image.digest)) in stored


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
        if call.method == "POST":
            posts.append(call)
        return len(posts) == 2 and call.method == "POST"

    gate = Gate(other, is_clean_up)
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


@pytest.mark.rule("R4")
async def test_a_tag_that_always_exists_is_always_found(
    client: Client, other: Client, repository: str
) -> None:
    """GET by tag reads `t:`, the tag moves and the old manifest goes, then it reads `m:`."""
    first = await other.push_image(repository, "v1")
    gate = Gate(client, lambda call: call.method == "GET" and call.depth == 2)
    get = asyncio.create_task(client.send("GET", f"/v2/{repository}/manifests/v1"))
    await gate.reached.wait()
    await other.push_image(repository, "v1")
    gone = await other.send("DELETE", f"/v2/{repository}/manifests/{first.digest}")
    assert gone.status_code == 202
    gate.open()
    assert (await get).status_code == 200


@pytest.mark.rule("U4")
async def test_an_append_applied_late_is_found_out_and_the_upload_goes_on(
    client: Client, repository: str
) -> None:
    """It times out, is read back too early, sent again, and applied just before that."""
    client.may_read_back = True
    location = (await client.patch(await client.begin(repository), b"abc")).headers["location"]
    late = Postpone()
    appends: list[SeenCall] = []

    def plan(call: SeenCall) -> Interference | None:
        if call.operations[0].action == "appendblock":
            appends.append(call)
            return late if len(appends) == 1 else Hold(before_gate=late.deliver)
        return None

    client.hook.plan = plan
    answer = await client.patch(location, b"defg")
    assert answer.status_code == 202, (answer.status_code, answer.headers.get("range"))
    assert [call.status for call in appends] == [None, 412]
    done = await client.commit(answer.headers["location"], digest_of(b"abcdefg"))
    assert done.status_code == 201


@pytest.mark.rule("U7")
async def test_a_cancelled_session_with_a_lagging_state_is_unknown(
    client: Client, repository: str
) -> None:
    """Catching up reads a range of the empty tombstone: 416 of storage, 500 to the client."""
    client.may_read_back = True

    async def broken() -> Any:
        yield b"x" * (APPEND_BLOCK + 5)
        raise ConnectionResetError

    location = await client.begin(repository)
    await client.patch(location, broken())
    location = (await client.send("GET", location)).headers["location"]
    assert (await client.send("DELETE", location)).status_code == 204
    answers = [await client.patch(location, b"abc"), await client.commit(location, digest_of(b""))]
    assert [answer.status_code for answer in answers] == [404, 404]


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
        if call.method == "POST" and not dropped:
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


@pytest.mark.rule("P8")
async def test_one_manifest_pushed_under_many_tags_at_once_is_stored_under_all(
    client: Client, other: Client, repository: str
) -> None:
    """All of them write the manifest's row: about one wins a round."""
    image = await client.push_image(repository, "t")
    answers = await asyncio.gather(
        *(
            instance.put_manifest(repository, f"t{number}", image.manifest)
            for number, instance in enumerate((client, other) * 15)
        )
    )
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {201}, {code: codes.count(code) for code in codes}


@pytest.mark.rule("U5", "U9")
async def test_a_commit_repeated_after_garbage_collection_does_not_revive_a_doomed_object(
    client: Client, other: Client, repository: str
) -> None:
    """Commit, deletion of the blob, collection of its row, and the same commit again."""
    location = (await client.patch(await client.begin(repository), b"abc" * 50)).headers["location"]
    digest = digest_of(b"abc" * 50)
    assert (await client.commit(location, digest)).status_code == 201
    gone = await other.send("DELETE", f"/v2/{repository}/blobs/{digest}")
    assert gone.status_code == 202
    table = client.services.connection.table(blob_rows.TABLE)
    blob = await table.get(digest, blob_rows.BLOB)
    assert blob is not None
    doomed = blob_rows.doomed(Location.parse(blob.text("Location")))
    await table.transact(digest, [tables.delete(blob_rows.BLOB, blob.etag), tables.insert(doomed)])
    again = await client.commit(location, digest)
    assert again.status_code == 404
    assert blob_rows.BLOB not in await all_rows(client, blob_rows.TABLE, digest)


@pytest.mark.rule("P8")
async def test_a_push_that_has_run_too_long_gives_up_before_its_transaction(
    client: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage collection counts on it: what a push protected is old by then."""
    image = Image.make()
    await push_blobs(client, repository, image)
    began = time.monotonic()
    gate = Gate(client, lambda call: call.method == "GET" and call.depth == 2)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    late = began + PUSH_DEADLINE.total_seconds() + 60
    monkeypatch.setattr(time, "monotonic", lambda: late)
    gate.open()
    answer = await push
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert await rows(client, repository) == {}


@pytest.mark.rule("R1")
@pytest.mark.parametrize("kind", ["manifest", "blob"])
async def test_what_was_read_before_a_deletion_is_not_served_from_memory_after_it(
    client: Client, repository: str, kind: str
) -> None:
    await client.push_image(repository, "keep")
    image = await client.push_image(repository, "v1")
    loose = await client.push_blob(repository, image.digest.encode())
    url = f"/v2/{repository}/" + (
        f"manifests/{image.digest}" if kind == "manifest" else f"blobs/{loose}"
    )
    seen, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        seen.set()
        await go_on.wait()

    gates = [Hold(after_gate=wait)]
    client.hook.plan = lambda _: gates.pop() if gates else None
    read = asyncio.create_task(client.send("GET", url))
    await seen.wait()
    assert (await client.send("DELETE", url)).status_code == 202
    go_on.set()
    assert (await read).status_code in (200, 307)
    assert (await client.send("GET", url)).status_code == 404


@pytest.mark.rule("P6", "L2")
async def test_a_push_that_began_before_the_repository_was_locked_is_refused(
    client: Client, other: Client, repository: str
) -> None:
    await client.push_image(repository, "keep")
    image = Image.make()
    await push_blobs(client, repository, image)
    gate = Gate(client, lambda call: call.method == "POST" and call.depth == 3)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    table = other.services.connection.table(repository_rows.TABLE)
    lock = [
        tables.merge(repository_rows.REPOSITORY, WriteEnabled=False),
        tables.delete(repository_rows.WRITABLE),
    ]
    await table.transact(keys.encode(repository), lock)
    gate.open()
    answer = await push
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "REGISTRY_DISALLOWED_OPERATION"
    assert "t:v1" not in await rows(client, repository)
