"""Storage fails at calls of backups, of pruning and of restores in every way; they are killed too.

Whatever becomes of a run: the check of everything finds garbage at worst in the registry that is
backed up, and in the other nothing that a restore which is under way does not explain; a backup
that is listed as complete is whole; and the same once more comes to its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from registry_core.errors import Unavailable
from registry_core.lifecycle.backup import documents, stored
from registry_core.lifecycle.backup.backup import Backups, Wanted
from registry_core.lifecycle.backup.holds import LIFETIME, Holds
from registry_core.lifecycle.backup.restore import NotEmpty, under_way
from registry_core.lifecycle.backup.shelves import Container, Folder, Shelf
from registry_core.lifecycle.collection.collector import Collector
from registry_core.settings import StorageSettings
from registry_core.storage import wire
from registry_core.storage.bulk import nothing_moved
from registry_core.storage.calls import Request, traced
from registry_core.storage.connection import Connection
from registry_core.storage.faults import StorageFault
from registry_core.storage.objects import address
from tests.integration.core.backup.conftest import Accounts
from tests.integration.core.backup.support import picture, put, restore, unsound
from tests.integration.core.collection.support import NO_AGE, moment, stores_of
from tests.integration.core.soundness import broken_in
from tests.integration.core.support import OCI_INDEX, Client, descriptor, index_of
from tests.interference.hook import InterferingHook
from tests.interference.kinds import Interference, Killed, Refuse, SeenCall
from tests.interference.samples import samples
from tests.interference.ways import CLOSES_NOTHING, DEATHS, WAYS, plan

pytestmark = CLOSES_NOTHING

_SAMPLES = 6
"""At so many calls of a run, spread over all, each way comes; with a large number, at every one."""
FOR_GOOD = "refused for good"
"""Whatever is sent again is refused again: of what is told once the next attempt knows nothing."""
_SHORT = ("answer lost", *DEATHS, FOR_GOOD)
"""The others are refusals after which the call is made again: `make test` leaves them out."""
EACH = [
    pytest.param(way, marks=() if way in _SHORT else pytest.mark.long)
    for way in (*WAYS, *DEATHS, FOR_GOOD)
]
_PREFIX = "of/this/registry/"
_LEASED = f"{_PREFIX}busy"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a second before it reads again."""
    monkeypatch.setattr(wire, "READ_BACK_OFF_SECONDS", 0)


def interfere(hook: InterferingHook, way: str, number: int) -> None:
    """Has the `number`th call fail, or the process die around it."""
    if way != FOR_GOOD:
        plan(hook, way, number)
        return
    refused = list[str]()

    def refuse(call: SeenCall) -> Interference | None:
        if call.number == number:
            refused.append(str(call))
        return Refuse() if str(call) in refused else None

    hook.plan = refuse


@dataclass
class Stage:
    """A shelf, and the registry that its backups are of; both by the calls of one process."""

    client: Client
    shelf: Shelf
    connection: Connection
    """To the account of the shelf."""

    @property
    def backups(self) -> Backups:
        """Makes them."""
        return Backups(self.client.services.connection, self.shelf)

    async def whole(self) -> list[str]:
        """The backups that are listed as complete: of none is anything missing or damaged."""
        found = [each.backup for each in await stored.found_on(self.shelf) if each.backup]
        for backup in found:
            await stored.check(self.shelf, backup, reads=True)
        return [backup.id for backup in found]

    async def surplus(self) -> set[str]:
        """What lies on the shelf and is of no backup that is complete."""
        left = {name for name in await self.shelf.names() if name != "busy"}
        for each in await stored.found_on(self.shelf):
            if each.backup:
                left -= {one.name for one in each.backup.documents}
                left.discard(documents.last_name(each.backup.id))
                # Of one that died when it was complete; it goes with it.
                left.discard(documents.unfinished_name(each.backup.id))
                needed = await stored.content_of(self.shelf, each.backup)
                left -= set(map(documents.content_name, needed))
        return left

    async def attempt(self, way: str, number: int, work: Awaitable[object]) -> bool:
        """Whether a run came to its end, to which that happened."""
        interfere(self.client.hook, way, number)
        has_ended, _ = await run(work)
        self.client.hook.plan = None
        await self.free()
        return has_ended

    async def free(self) -> None:
        """Ends the lease of a process that died: nobody waits half a minute for it."""
        url = f"{address(self.connection.blobs.url, 'backups', _LEASED)}?comp=lease"
        headers = {"x-ms-lease-action": "break", "x-ms-lease-break-period": "0"}
        with suppress(StorageFault):  # It had none, or gave it back.
            await self.connection.blobs.write(Request("PUT", url, headers))

    async def copy_to(self, other: Stage) -> None:
        """Brings all that lies here to another shelf."""
        for name, size in (await self.shelf.names()).items():
            await other.shelf.receive(name, self.shelf.open(name, size), {}, nothing_moved)


async def run(work: Awaitable[object]) -> tuple[bool, int]:
    """Whether a run came to its end, and how many storage calls it made."""
    with traced() as trace:
        try:
            await work
        except (StorageFault, Unavailable, Killed):
            return False, trace.count
    return True, trace.count


@asynccontextmanager
async def stage(client: Client, where: Path | StorageSettings) -> AsyncIterator[Stage]:
    """In a folder, or in a container of an account."""
    if isinstance(where, Path):
        yield Stage(client, Folder(where), client.services.connection)
        return
    connection = Connection(where, client.hook)
    await connection.make(containers=("backups",))
    try:
        yield Stage(client, Container(connection, "backups", _PREFIX), connection)
    finally:
        await connection.close()


async def fill(client: Client) -> None:
    """A little of what there is: a tag that was moved, an index, a referrer, a deletion."""
    image = await client.push_image("team/web", "v1")
    await client.push_image("team/web", "v1")
    index = index_of([image.descriptor])
    await put(client, "team/web", "all", index, OCI_INDEX)
    await client.push_image("team/web", "", subject=descriptor(OCI_INDEX, index))
    gone = await client.push_image("other", "v1")
    await client.push_image("other", "v2")
    await delete(client, f"/v2/other/manifests/{gone.digest}")


async def delete(client: Client, path: str) -> None:
    answer = await client.send("DELETE", path)
    assert answer.status_code == 202, answer.text


@pytest.mark.rule("B1", "B3", "B4")
@pytest.mark.parametrize("way", EACH)
@pytest.mark.parametrize(
    "kind",
    ["container", *(pytest.param(k, marks=pytest.mark.long) for k in ("rows only", "folder"))],
)
async def test_a_backup_that_storage_fails_harms_nothing_and_is_made_by_the_next_run(
    client: Client, there: Accounts, tmp_path: Path, kind: str, way: str
) -> None:
    """The second on its shelf: what the first has copied is there."""
    wanted = Wanted(timedelta(days=1)) if kind == "rows only" else Wanted()
    await fill(client)
    async with stage(client, tmp_path / "first") as first:
        begun = (await first.backups.run()).backup.id
    await client.push_image("team/web", "v3")
    before = await picture(client)
    failed = 0

    async def make(number: int) -> int:
        nonlocal failed
        where = tmp_path / str(number) if kind == "folder" else there.fresh().storage
        async with stage(client, where) as second:
            await first.copy_to(second)
            if not number:
                _, count = await run(second.backups.run(wanted))
                return count
            failed += not await second.attempt(way, number, second.backups.run(wanted))
            assert await broken_in(client.services.connection) == [], number
            complete = await second.whole()
            assert complete[0] == begun, number
            outcome = await second.backups.run(wanted)
            assert outcome.is_complete, number
            assert await second.whole() == [*complete, outcome.backup.id], number
            assert not outcome.backup.lost
            assert not await second.surplus(), number
            if kind == "rows only":
                return 0
            await restored(there, second.shelf, before)
            held = await Holds(client.services.connection).active(datetime.now(UTC))
            # One that died before it noted what it was holding for: its hold ends by itself.
            assert held is None or held.until <= datetime.now(UTC) + LIFETIME, number
        return 0

    for number in samples(await make(0), _SAMPLES):
        await make(number)
    assert failed or way not in (*DEATHS, FOR_GOOD)
    assert await picture(client) == before


async def restored(accounts: Accounts, shelf: Shelf, before: dict[str, Any]) -> None:
    """What lies there makes a registry that is as the other was."""
    async with accounts.client() as target:
        await restore(target, shelf)
        assert await picture(target) == before


@pytest.mark.rule("B5")
@pytest.mark.parametrize("way", EACH)
async def test_pruning_that_storage_fails_leaves_each_backup_whole_or_gone(
    client: Client, there: Accounts, tmp_path: Path, way: str
) -> None:
    """Of two backups, of one that was never ended, and of what only they name.

    Rows that were exported after the newest backup are none that could take its place.
    """
    async with stage(client, tmp_path / "all") as first:
        await fill(client)
        await first.backups.run()
        await delete(client, "/acr/v1/other")
        await client.push_image("team/web", "v3")
        await first.backups.run()
        async with there.client() as another:
            await another.push_image("new", "v1")
            begun = Backups(another.services.connection, first.shelf)
            assert not (await begun.run(seconds=0)).is_complete
        kinds = Wanted(), Wanted(timedelta(days=1))
        last = [(await first.backups.run(each)).backup.id for each in kinds]
    failed = 0

    async def take(number: int) -> int:
        nonlocal failed
        async with stage(client, there.fresh().storage) as second:
            await first.copy_to(second)
            all_of_them = await second.whole()
            if not number:
                _, count = await run(stored.prune(second.shelf, keep=1))
                return count
            pruning = stored.prune(second.shelf, keep=1)
            failed += not await second.attempt(way, number, pruning)
            left = await second.whole()
            assert set(left) <= set(all_of_them), number
            assert left[-2:] == last
            await stored.prune(second.shelf, keep=1)
            assert await second.whole() == last, number
            assert not await second.surplus(), number
        return 0

    for number in samples(await take(0), _SAMPLES):
        await take(number)
    assert failed or way not in (*DEATHS, FOR_GOOD)


@pytest.mark.rule("B6", "B7", "B8")
@pytest.mark.parametrize("way", EACH)
@pytest.mark.parametrize("kind", ["container", pytest.param("folder", marks=pytest.mark.long)])
async def test_a_restore_that_storage_fails_is_garbage_at_worst_and_ended_by_the_next(
    client: Client, there: Accounts, tmp_path: Path, kind: str, way: str
) -> None:
    """Also where collection, to which all is old, comes between the two."""
    await fill(client)
    before = await picture(client)
    where = tmp_path / "shelf" if kind == "folder" else there.fresh().storage
    async with stage(client, where) as place:
        backup = (await place.backups.run()).backup
    async with there.client() as quiet, stage(quiet, where) as place:
        has_ended, count = await run(restore(quiet, place.shelf))
        assert has_ended
    failed = 0
    for number in samples(count, _SAMPLES):
        async with there.client() as target, stage(target, where) as place:
            connection = target.services.connection
            has_ended = await place.attempt(way, number, restore(target, place.shelf))
            failed += not has_ended
            if await broken_in(connection):
                assert await under_way(connection) == backup.id, number
            holds = Holds(connection)
            collector = Collector(stores_of(target), NO_AGE, holds=holds)
            walk = await collector.run(0, 1, await moment(target))
            assert not walk.report.failed
            if not has_ended:
                # Where its last call was applied and not answered, nothing is left to do.
                with suppress(*[NotEmpty] * (number == count)):
                    await restore(target, place.shelf)
            assert await under_way(connection) is None, number
            assert await picture(target) == before, number
            assert await broken_in(connection) == [], number
            assert not await unsound(target), number
            assert await holds.active(datetime.now(UTC)) is None, number
    assert failed or way not in (*DEATHS, FOR_GOOD)
