"""Each invariant is broken once, repaired, and then everything is sound and can be used."""

from __future__ import annotations

import asyncio

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.fsck.report import Outcome
from registry_core.model.digest import Digest
from registry_core.model.invariants import Invariant
from registry_core.model.names import Tag
from registry_core.repositories import rows
from registry_core.storage import tables
from registry_core.storage.tables import Row
from tests.integration.core.collection.support import Collecting
from tests.integration.core.fsck.breakages import BREAKAGES, Breakage, Shelf
from tests.integration.core.soft import keeping
from tests.integration.core.support import Client, is_pullable
from tests.interference.kinds import Drop, Interference, SeenCall

MENDED = [each for each in BREAKAGES if not each.is_lost and not each.is_only_pushed]
LOST = [each for each in BREAKAGES if each.is_lost]


async def are_usable(shelf: Shelf) -> bool:
    """Whether all that the shelf holds can be pulled, and deleted as if nothing had been."""
    images = (shelf.image, shelf.other, shelf.signature, shelf.large)
    found = [await is_pullable(shelf.client, shelf.name.text, image) for image in images]
    unlocked = {"writeEnabled": True}
    await shelf.client.send("PATCH", f"/acr/v1/{shelf.name}", json=unlocked)
    answer = await shelf.client.send("DELETE", f"/acr/v1/{shelf.name}")
    assert answer.status_code == 202, answer.text
    left = await shelf.stores.repositories.query(shelf.partition, " ", "~")
    return all(found) and all(map(_may_be_left, left))


def _may_be_left(row: Row) -> bool:
    """Whether a deletion leaves such a row: a tombstone, a child, or what can be restored."""
    kinds = (rows.CHILDREN, rows.DELETED_TAGS, rows.DELETED_TIMES)
    if row.key == rows.REMEMBERED or any(row.key in range_ for range_ in kinds):
        return True
    return rows.state_of(row) is not rows.State.LIVE and row.key[:2] in ("h", "m:", "t:")


@pytest.mark.parametrize("breakage", MENDED, ids=lambda each: each.name)
async def test_what_can_be_mended_is_mended_and_then_sound(
    shelf: Shelf, breakage: Breakage
) -> None:
    key = await breakage.break_(shelf)
    found = await shelf.check(repair=True)
    assert {fault.outcome for fault in found} == {Outcome.MENDED}, found
    assert (breakage.invariant, key) in {(fault.invariant, fault.key) for fault in found}
    assert await shelf.check(repair=True) == []
    assert await shelf.check() == []
    assert await are_usable(shelf)


@pytest.mark.parametrize("breakage", LOST, ids=lambda each: each.name)
async def test_what_is_lost_stays_as_it_is_and_is_told_with_what_to_do(
    shelf: Shelf, breakage: Breakage
) -> None:
    key = await breakage.break_(shelf)
    for _ in range(2):
        found = await shelf.check(repair=True)
        by_name = {(fault.invariant, fault.key): fault for fault in found}
        fault = by_name[breakage.invariant, key]
        assert fault.outcome is Outcome.FOUND
        assert fault.advice


@pytest.mark.parametrize("breakage", MENDED, ids=lambda each: each.name)
async def test_two_repairs_at_once_mend_it_too(
    shelf: Shelf, other: Client, breakage: Breakage
) -> None:
    await breakage.break_(shelf)
    found = await asyncio.gather(shelf.check(repair=True), shelf.check(by=other, repair=True))
    assert {fault.outcome for faults in found for fault in faults} == {Outcome.MENDED}
    assert await shelf.check() == []


async def test_bytes_that_are_lost_can_be_pushed_again(shelf: Shelf) -> None:
    """Before the repair a push would be told that they are there."""
    assert await shelf.stores.content.remove((await shelf.location()).name)
    (fault,) = await shelf.check(repair=True)
    assert (fault.invariant, fault.outcome) == (Invariant.OBJECTS, Outcome.FOUND)
    assert "Push" in fault.advice
    shelf.client.forget()
    answer = await shelf.client.send("HEAD", f"/v2/{shelf.name}/blobs/{shelf.layer}")
    assert answer.status_code == 404
    # Until then it is told that the bytes are lost, and nothing else goes.
    (fault,) = await shelf.check(repair=True)
    assert (fault.invariant, fault.outcome) == (Invariant.LINKS, Outcome.FOUND)

    await shelf.client.push_blob(shelf.name.text, shelf.other.layer)
    (fault,) = await shelf.check(repair=True)
    assert (fault.invariant, fault.outcome) == (Invariant.LOCATIONS, Outcome.MENDED)
    assert await shelf.check() == []
    assert await are_usable(shelf)


async def test_a_blob_whose_object_is_gone_moves_to_another_that_has_its_bytes(
    shelf: Shelf, other: Client
) -> None:
    """As two commits of one blob at once leave it, the slower of which was in vain."""
    await other.push_blob(f"{shelf.name}/other", shelf.other.layer)
    assert await shelf.stores.content.remove((await shelf.location()).name)
    found = await shelf.check(repair=True)
    assert {fault.outcome for fault in found} == {Outcome.MENDED}
    assert await shelf.check(repair=True)  # The row of the manifest follows.
    assert await shelf.check() == []
    assert await are_usable(shelf)


async def test_all_rows_of_a_blob_are_made_again_from_its_object(shelf: Shelf) -> None:
    read = await shelf.stores.blobs.query(shelf.layer, blob_rows.FIRST, blob_rows.END)
    await shelf.change_blob(*(tables.delete(row.key) for row in read))
    found = await shelf.check(repair=True)
    assert {fault.invariant for fault in found} == {Invariant.NEEDS, Invariant.LINKS}
    assert {fault.outcome for fault in found} == {Outcome.MENDED}
    assert await shelf.check() == []
    assert await are_usable(shelf)


@pytest.mark.parametrize("is_marked", [True, False])
async def test_a_blob_is_not_made_of_an_object_with_other_bytes(
    shelf: Shelf, *, is_marked: bool
) -> None:
    """Without a mark it is hashed; with the mark of another digest as well."""
    name = (await shelf.location()).name
    state = await shelf.stores.content.state(name)
    assert state is not None
    await shelf.stores.content.remove(name)
    mark = {"digest": str(Digest.of(b"other"))} if is_marked else {}
    await shelf.stores.content.put(name, b"other bytes", mark)
    await shelf.change_blob(tables.delete(blob_rows.BLOB))
    (fault,) = await shelf.check(repair=True)
    assert (fault.invariant, fault.outcome) == (Invariant.CONTENT_ROW, Outcome.FOUND)
    found = await shelf.stores.blobs.get(shelf.layer, blob_rows.BLOB)
    assert found is None


async def test_a_restorable_manifest_keeps_what_it_needs(shelf: Shelf) -> None:
    """Its blobs are protected as those of a live one are, and it is listed nowhere."""
    digest = Digest.parse(shelf.other.digest)
    url = f"/v2/{shelf.name}/manifests/{digest}"
    async with keeping(shelf.client):
        assert (await shelf.client.send("DELETE", url)).status_code == 202
    assert await shelf.check() == []
    need = blob_rows.requirement(shelf.name, digest)
    await shelf.change_blob(tables.delete(need))
    (fault,) = await shelf.check(repair=True)
    assert (fault.invariant, fault.key, fault.outcome) == (
        Invariant.NEEDS,
        need,
        Outcome.MENDED,
    )


async def test_collection_takes_what_a_repair_protected_in_vain(shelf: Shelf) -> None:
    """A manifest that goes beside the repair leaves garbage, and nothing broken."""
    url = f"/v2/{shelf.name}/manifests/{shelf.other.digest}"
    assert (await shelf.client.send("DELETE", url)).status_code == 202
    need = blob_rows.requirement(shelf.name, Digest.parse(shelf.other.digest))
    await shelf.change_blob(tables.upsert(need))
    assert await shelf.check(repair=True) == []
    collecting = Collecting(shelf.client)
    for _ in range(2):
        await collecting.blob(shelf.layer)
    assert await shelf.stores.blobs.query(shelf.layer, " ", "~") == []


@pytest.mark.parametrize("breakage", MENDED, ids=lambda each: each.name)
async def test_a_repair_whose_answers_get_lost_goes_on(
    shelf: Shelf, other: Client, breakage: Breakage
) -> None:
    """The first answer of each write is lost, as storage has applied it."""
    await breakage.break_(shelf)
    lost = 0

    def lose(call: SeenCall) -> Interference | None:
        nonlocal lost
        is_write = not all(operation.is_read for operation in call.operations)
        lost += is_write
        return Drop() if is_write and lost == 1 else None

    other.hook.plan = lose
    found = await shelf.check(by=other, repair=True)
    assert {fault.outcome for fault in found} == {Outcome.MENDED}
    assert lost
    assert await shelf.check() == []


async def test_a_repair_beside_pushes_and_deletions_breaks_nothing(
    shelf: Shelf, other: Client
) -> None:
    """What is surplus or missing one moment is in order the next: the repair holds the versions."""
    name, is_over = shelf.name.text, asyncio.Event()

    async def work(tag: str) -> None:
        image = await shelf.client.push_image(name, tag)
        while not is_over.is_set():
            await shelf.client.send("DELETE", f"/v2/{name}/manifests/{image.digest}")
            answer = await shelf.client.put_manifest(name, tag, image.manifest)
            assert answer.status_code == 201, answer.text

    async def garble() -> None:
        """Rows that follow from others are taken away, and are surplus, again and again."""
        try:
            for number in range(6):
                await shelf.change(
                    tables.delete(rows.LAST_UPDATE),
                    tables.insert(rows.manifest_tag(Digest.parse(shelf.index), Tag(f"n{number}"))),
                )
                await shelf.check(by=other, repair=True)
        finally:
            is_over.set()

    await asyncio.gather(garble(), work("v3"), work("v4"))
    assert await shelf.check() == []
    assert await are_usable(shelf)
