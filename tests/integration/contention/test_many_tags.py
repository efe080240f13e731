"""A manifest with many tags is deleted within the time of a request, or step by step by repeats."""

from __future__ import annotations

import asyncio
import itertools
import secrets

import pytest

from devhost.processes.azurite import Azurite
from registry_core.model.digest import Digest
from registry_core.repositories.rows import manifest_key
from registry_core.settings import AdminSettings, Settings, StorageSettings
from registry_core.storage.connection import Connection
from tests.integration.contention.cluster import Cluster, Replies, Request, variants
from tests.integration.contention.stored import misplaced, of_kind, rows_of
from tests.integration.core.support import Client, Image, connect
from tests.interference.kinds import Hold, Interference, SeenCall

REQUEST_SECONDS = 60
"""What moves no bytes has been answered by then."""
LAG_SECONDS = 10
"""How late a busy machine may be to notice that the time is up."""
TAGS_A_PUSH = 15
SEVERAL_BATCHES = 45
"""Tags that do not fit one transaction of 100 rows, since each has at least three."""
PULLS = 200
"""So many of the tags that are left are pulled after each step; of all, the rows are read."""


@pytest.mark.rule("D1", "D6")
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
async def test_a_manifest_of_many_tags_goes_in_steps_none_of_which_leaves_a_tag_half_visible(
    cluster: Cluster, storage: Connection, repository: str, count: int
) -> None:
    """Each process has a client who deletes it, and repeats that as long as it is told to."""
    keep = Image.make()
    [image] = variants(keep, 1)
    await cluster.push_image(repository, "keep", keep)
    await push_tags(cluster, repository, image, [f"t{number:05}" for number in range(count)])

    left = await listed_tags(cluster, repository)
    assert len(left) == count + 1
    told = set[int]()
    deletion = Request.delete(repository, image.digest)
    while True:
        replies = await cluster.at_once([deletion] * len(cluster.servers))
        assert_in_time(replies)
        told |= replies.statuses.keys()
        before, left = left, await listed_tags(cluster, repository)
        await assert_whole(cluster, storage, repository, left)
        if 503 not in replies.statuses:
            break
        assert len(left) < len(before), f"no progress: {replies}"
    # Only where another client may have finished it, a client may find that there is nothing.
    assert 202 in told
    assert told <= ({202, 503} if len(cluster.servers) == 1 else {202, 404, 503})

    assert left == ["keep"]
    assert (await cluster.send(Request.get(repository, "keep"))).content == keep.manifest
    # Of a server that did not delete it, its memory may still answer for the cache's life.
    stored = await rows_of(storage, repository)
    assert manifest_key(Digest.parse(image.digest)) not in stored
    assert misplaced(stored) == []


@pytest.mark.rule("D1", "D6")
@pytest.mark.parametrize("cluster", [pytest.param(1, id="one-process")], indirect=True)
async def test_a_deletion_that_dies_before_any_transaction_leaves_each_tag_whole_and_is_finished(
    cluster: Cluster, storage: Connection, azurite: Azurite, repository: str
) -> None:
    """It runs in this process, and is cancelled before its first transaction, its second, ..."""
    settings = Settings(
        storage=StorageSettings(azurite.connection_string),
        admin=AdminSettings("admin", (secrets.token_urlsafe(32),)),
    )
    for number in itertools.count(1):
        name = f"{repository}{number}"
        keep = Image.make()
        [image] = variants(keep, 1)
        await cluster.push_image(name, "keep", keep)
        await push_tags(cluster, name, image, [f"t{tag:05}" for tag in range(SEVERAL_BATCHES)])
        async with connect(settings) as mortal:
            has_died = await die_before(number, mortal, name, image.digest)
        await assert_whole(cluster, storage, name, await listed_tags(cluster, name))
        repeated = await cluster.send(Request.delete(name, image.digest))
        assert repeated.status_code in (202, 404)
        assert await listed_tags(cluster, name) == ["keep"]
        assert misplaced(await rows_of(storage, name)) == []
        if not has_died:
            assert number > 2, "it has one transaction, and no step in between was seen"
            return


async def die_before(number: int, mortal: Client, repository: str, digest: str) -> bool:
    """Deletes a manifest; whether it got so far as its transaction of that number, and died."""
    reached, forever = asyncio.Event(), asyncio.Event()
    transactions = itertools.count(1)

    async def stop() -> None:
        reached.set()
        await forever.wait()

    def plan(call: SeenCall) -> Interference | None:
        is_it = call.path.endswith("/$batch") and next(transactions) == number
        return Hold(before_gate=stop) if is_it else None

    mortal.hook.plan = plan
    deletion = asyncio.create_task(mortal.send("DELETE", f"/v2/{repository}/manifests/{digest}"))
    death = asyncio.create_task(reached.wait())
    await asyncio.wait((deletion, death), return_when=asyncio.FIRST_COMPLETED)
    if not reached.is_set():
        death.cancel()
        assert (await deletion).status_code == 202
        return False
    deletion.cancel()
    await asyncio.wait((deletion,))
    return True


async def push_tags(cluster: Cluster, repository: str, image: Image, tags: list[str]) -> None:
    """Points many tags at one manifest."""
    for first in range(0, len(tags), TAGS_A_PUSH):
        query = "&".join(f"tag={tag}" for tag in tags[first : first + TAGS_A_PUSH])
        reference = f"{image.digest}?{query}"
        await cluster.must(Request.put_manifest(repository, reference, image.manifest))


def assert_in_time(replies: Replies) -> None:
    """Each answer says that it is done, or when to come back, before its time was up."""
    for reply in replies.all:
        assert reply.status in (202, 404, 503), str(replies)
        assert reply.status != 503 or "retry-after" in reply.headers
    assert replies.longest_seconds <= REQUEST_SECONDS + LAG_SECONDS, str(replies)


async def listed_tags(cluster: Cluster, repository: str) -> list[str]:
    """All tags that clients see."""
    tags: list[str] = []
    url = f"/v2/{repository}/tags/list?n=1000"
    while url:
        answer = await cluster.must(Request("GET", url))
        tags += answer.json()["tags"]
        url = answer.links.get("next", {}).get("url", "")
    return tags


async def assert_whole(
    cluster: Cluster, storage: Connection, repository: str, tags: list[str]
) -> None:
    """What is listed can be pulled, and by the rows that holds of every tag."""
    rows = await rows_of(storage, repository)
    manifests = of_kind(rows, "m:")
    assert sorted(of_kind(rows, "t:")) == sorted(tags)
    assert {row.text("Digest") for row in of_kind(rows, "t:").values()} <= manifests.keys()
    pulled = tags[:: -(-len(tags) // PULLS)]
    answers = await asyncio.gather(
        *(cluster.send(Request.get(repository, tag), n) for n, tag in enumerate(pulled))
    )
    assert {answer.status_code for answer in answers} == {200}
