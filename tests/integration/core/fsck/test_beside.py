"""The check beside pushes, deletions, locks and collection: what is under way is not broken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.fsck import settle
from registry_core.lifecycle.fsck.checker import Checker
from registry_core.lifecycle.fsck.report import Fault
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.storage import tables
from registry_core.storage.calls import traced
from tests.integration.core.collection.support import Collecting
from tests.integration.core.fsck.breakages import Shelf
from tests.integration.core.support import OCI_INDEX, Client, Image, index_of
from tests.interference.kinds import Hold, Interference, SeenCall

Change = Callable[[Shelf], Awaitable[object]]


async def moves_a_tag(shelf: Shelf) -> None:
    """The manifest that it leaves goes, so that all of its rows are others than before."""
    await shelf.client.push_image(shelf.name.text, "v2")
    await deletes(shelf, shelf.other.digest)


async def pushes_an_index(shelf: Shelf) -> None:
    image = await shelf.client.push_image(shelf.name.text, "")
    content = index_of([image.descriptor, shelf.other.descriptor])
    await shelf.client.put_manifest(shelf.name.text, "v1", content, OCI_INDEX)


async def deletes_a_referrer(shelf: Shelf) -> None:
    await deletes(shelf, shelf.signature.digest)


async def deletes_and_pushes_again(shelf: Shelf) -> None:
    await deletes(shelf, shelf.other.digest)
    await shelf.client.put_manifest(shelf.name.text, "v2", shelf.other.manifest)


async def locks(shelf: Shelf) -> None:
    for target in ("", "/_tags/v2", f"/_manifests/{shelf.other.digest}"):
        url = f"/acr/v1/{shelf.name}{target}"
        attributes = {"writeEnabled": False, "listEnabled": False}
        answer = await shelf.client.send("PATCH", url, json=attributes)
        assert answer.status_code == 200, answer.text


async def deletes_the_repository(shelf: Shelf) -> None:
    answer = await shelf.client.send("DELETE", f"/acr/v1/{shelf.name}")
    assert answer.status_code == 202


async def deletes_all_and_collects(shelf: Shelf) -> None:
    await deletes_the_repository(shelf)
    collecting = Collecting(shelf.client)
    for digest in shelf.digests:
        await collecting.blob(digest)
        await collecting.blob(digest)
    await collecting.repository(shelf.name.text)


async def deletes(shelf: Shelf, digest: str) -> None:
    url = f"/v2/{shelf.name}/manifests/{digest}"
    assert (await shelf.client.send("DELETE", url)).status_code == 202


@pytest.mark.parametrize(
    "change",
    [
        moves_a_tag,
        pushes_an_index,
        deletes_a_referrer,
        deletes_and_pushes_again,
        locks,
        deletes_the_repository,
        deletes_all_and_collects,
    ],
)
async def test_a_change_between_two_reads_is_never_taken_for_something_broken(
    client: Client, other: Client, repository: str, change: Change
) -> None:
    """After every third of the calls of a check comes a whole change."""
    number, made = 1, True
    while made:
        shelf, made = await Shelf.fill(client, f"{repository}/{number}"), False

        async def make(shelf: Shelf = shelf) -> None:
            nonlocal made
            made = True
            await change(shelf)

        with traced():
            other.hook.plan_nth(number, Hold(after_gate=make))
            found = await shelf.check(by=other)
        assert found == [], f"after call {number}"
        number += 3
    assert number > 30


async def test_a_check_of_everything_beside_pushes_and_deletions_finds_nothing(
    client: Client, other: Client, repository: str
) -> None:
    """One repository in which tags move and manifests go all the time, collection beside it."""
    await Shelf.fill(client, repository)
    rounds, is_over = 0, asyncio.Event()

    async def work(tag: str) -> None:
        previous = ""
        while not is_over.is_set():
            image = await client.push_image(repository, tag)
            if previous:
                await client.send("DELETE", f"/v2/{repository}/manifests/{previous}")
                await Collecting(client).repository(repository)
            previous = image.digest

    async def check() -> None:
        nonlocal rounds
        try:
            while rounds < 8:
                found = list[Fault]()
                stores = Stores.over(other.services.connection)
                checker = Checker(stores, found.append)
                await checker.check_repository(RepositoryName(repository))
                assert (found, checker.report.failed) == ([], 0)
                assert checker.report.manifests >= 4
                rounds += 1
        finally:
            is_over.set()

    await asyncio.gather(check(), *map(work, ("v1", "v2", "v3")))
    assert rounds == 8


async def test_an_index_row_that_is_missing_is_found_beside_pushes_of_other_tags(
    client: Client, other: Client, repository: str
) -> None:
    """That nothing false is found is not because nothing is."""
    shelf = await Shelf.fill(client, repository)
    key = Digest.parse(shelf.other.digest)
    await shelf.client.push_image(repository, "v3")
    lost = rows.manifest_tag(key, Tag("v2"))
    await shelf.change(tables.delete(lost))

    async def push() -> Image:
        return await client.push_image(repository, "v3")

    with traced():
        other.hook.plan_nth(4, Hold(after_gate=push))
        assert [fault.key for fault in await shelf.check(by=other)] == [lost]


async def test_what_is_changed_at_every_look_is_counted_and_not_told_until_it_is_quiet(
    client: Client, other: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index row is missing. Nobody knows of rows that were never seen at one moment."""
    monkeypatch.setattr(settle, "_LONGEST_WAIT", 0)
    shelf = await Shelf.fill(client, repository)
    lost = rows.manifest_tag(Digest.parse(shelf.other.digest), Tag("v2"))
    await shelf.change(tables.delete(lost))
    looks = 0

    async def touch() -> None:
        nonlocal looks
        looks += 1
        answer = await client.put_manifest(repository, f"n{looks}", shelf.other.manifest)
        assert answer.status_code == 201

    def plan(call: SeenCall) -> Interference | None:
        key = rows.manifest_key(Digest.parse(shelf.other.digest))
        is_look = any(each.first == key and not each.end for each in call.operations)
        return Hold(before_gate=touch) if is_look else None

    async def check() -> tuple[list[str], int]:
        found = list[Fault]()
        checker = Checker(Stores.over(other.services.connection), found.append)
        await checker.check_repository(RepositoryName(repository))
        assert not checker.report.failed
        return [each.key for each in found], checker.report.unsettled

    other.hook.plan = plan
    assert await check() == ([], 1)
    assert looks > settle.READINGS
    other.hook.plan = None
    assert await check() == ([lost], 0)
