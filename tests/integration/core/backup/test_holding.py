"""What a backup or a restore needs stays, however long it takes: its hold is renewed in time."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.backup import documents
from registry_core.lifecycle.backup.backup import Backups, Outcome, Wanted
from registry_core.lifecycle.backup.holds import Holds
from registry_core.lifecycle.backup.restore import Restores
from registry_core.lifecycle.backup.shelves import Folder
from registry_core.lifecycle.collection.ages import Ages
from registry_core.lifecycle.collection.collector import Collector
from registry_core.storage.bulk import Moved
from registry_core.system import System
from tests.integration.core.backup.support import picture, repositories, restore, unsound
from tests.integration.core.collection.support import NO_AGE, moment, stores_of
from tests.integration.core.support import Client


@pytest.fixture(autouse=True)
def _a_part_for_each_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry_core.lifecycle.backup.backup._PART_BYTES", 1)
    monkeypatch.setattr("registry_core.lifecycle.backup.backup._READ_AT_ONCE", 1)


@dataclass
class Clock:
    """A time that goes on when it is told."""

    time: datetime

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(UTC))


class Slow(Folder):
    """A folder with which something happens after each document of rows, written or read."""

    def __init__(self, path: Path, after: Callable[[], Awaitable[None]]) -> None:
        super().__init__(path)
        self._after = after

    async def receive(
        self, name: str, chunks: AsyncIterator[bytes], metadata: Mapping[str, str], moved: Moved
    ) -> None:
        await super().receive(name, chunks, metadata, moved)
        if "rows-" in name:
            await self._after()

    async def read(self, name: str) -> bytes | None:
        content = await super().read(name)
        if "rows-" in name:
            await self._after()
        return content


async def collect(client: Client, clock: Clock) -> None:
    """Takes all that may go at the time of the clock."""
    holds = Holds(client.services.connection)
    for _ in range(3):
        collector = Collector(stores_of(client), NO_AGE, clock, holds)
        await collector.run(0, 1, await moment(client))


async def export(backups: Backups, seconds: float) -> Outcome:
    """Runs until it is complete; each run that has no time exports one part."""
    outcome = await backups.run(seconds=seconds)
    while not outcome.is_complete:
        is_exported = outcome.backup.following is None
        outcome = await backups.run(seconds=float("inf") if is_exported else seconds)
    return outcome


@pytest.mark.rule("B1", "G11")
@pytest.mark.parametrize("seconds", [0, float("inf")])
async def test_a_backup_of_days_keeps_what_was_deleted_and_collected_meanwhile(
    client: Client, target: Client, tmp_path: Path, clock: Clock, seconds: float
) -> None:
    """In one run, and part by part in runs of a timer."""
    for number in range(5):
        await client.push_image(f"team/web{number}", "v1")
    before = await picture(client)
    count = 0

    async def goes_by() -> None:
        nonlocal count
        count += 1
        clock.time += timedelta(hours=10)
        if count <= 5:  # The one that was exported just now.
            await client.send("DELETE", f"/acr/v1/team/web{count - 1}")
        await collect(client, clock)

    outcome = await export(
        Backups(client.services.connection, Slow(tmp_path, goes_by), clock), seconds
    )
    assert count >= 10, "each part is written, and read again"
    assert await repositories(client) == []
    assert not outcome.backup.lost
    await restore(target, Folder(tmp_path))
    assert await picture(target) == before


@pytest.mark.rule("B1")
@pytest.mark.parametrize("wanted", [Wanted(), Wanted(timedelta(days=1))], ids=["all", "rows only"])
async def test_a_hold_that_ended_in_a_run_is_not_revived(
    client: Client,
    tmp_path: Path,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    wanted: Wanted,
) -> None:
    """As where the machine slept. It begins anew, and says so."""
    await client.push_image("one", "v1")
    await client.push_image("two", "v1")
    ended = list[str]()

    async def sleeps() -> None:
        if not ended:
            (listed,) = documents.backups_in(await Folder(tmp_path).names(documents.BACKUPS))
            ended.append(listed.backup)
            clock.time += timedelta(hours=25)

    with caplog.at_level(logging.WARNING, "slipway.backup"):
        outcome = await Backups(client.services.connection, Slow(tmp_path, sleeps), clock).run(
            wanted
        )
    assert outcome.is_complete
    assert outcome.backup.id > ended[0]
    (record,) = caplog.records
    assert f"{ended[0]} begins anew" in record.getMessage()


@pytest.mark.rule("B1")
async def test_a_backup_of_rows_alone_holds_until_its_own_end(
    client: Client, tmp_path: Path, clock: Clock
) -> None:
    await client.push_image("one", "v1")
    await client.push_image("two", "v1")

    async def goes_by() -> None:
        clock.time += timedelta(hours=5)

    shelf = Slow(tmp_path, goes_by)
    backup = (
        await Backups(client.services.connection, shelf, clock).run(Wanted(timedelta(days=1)))
    ).backup
    hold = await Holds(client.services.connection).of(backup.id, clock())
    assert hold is not None
    assert hold.until.isoformat(timespec="seconds") == backup.held_until


class Cut(Exception):
    """The restore ends here."""


async def objects(client: Client) -> set[str]:
    pages = client.services.content.contents(blob_rows.UPLOADS)
    return {each.name async for page in pages for each in page.objects}


@pytest.mark.rule("B7", "G11")
async def test_what_a_restore_copied_stays_until_it_is_gone_on_with(
    client: Client, target: Client, tmp_path: Path, clock: Clock
) -> None:
    """Nine days: longer than an upload may take. When the rows are there, the hold has ended."""
    await client.push_image("one", "v1")
    before = await picture(client)
    await Backups(client.services.connection, Folder(tmp_path)).run()
    is_cut = False

    async def cuts() -> None:
        if is_cut:
            raise Cut

    connection = target.services.connection
    system, holds = System(connection), Holds(connection)
    restores = Restores(connection, Slow(tmp_path, cuts), now=clock)
    ready = await restores.check()
    is_cut = True
    with pytest.raises(Cut):
        await restores.run(ready, system.open)
    is_cut = False
    copied = await objects(target)
    assert len(copied) == 2
    clock.time += timedelta(days=9)
    collector = Collector(stores_of(target), Ages.of(target.registry.settings), clock, holds)
    await collector.run(0, 1, clock())
    assert await objects(target) == copied
    await restores.run(await restores.check(), system.open)
    assert await picture(target) == before
    assert not await unsound(target)
    assert await holds.active(clock()) is None
