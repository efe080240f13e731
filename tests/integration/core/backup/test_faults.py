"""What a restore meets, and what was left by one that died: nothing that is there is touched."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from registry_core.errors import Unavailable
from registry_core.lifecycle.backup.backup import Backups
from registry_core.lifecycle.backup.restore import NotEmpty, OtherRestore, Restores
from registry_core.lifecycle.backup.shelves import Folder, Shelf
from registry_core.storage import wire
from registry_core.storage.calls import Answer, Request, Send
from registry_core.storage.documents import SYSTEM, Documents
from registry_core.storage.faults import StorageFault
from registry_core.system import System
from tests.integration.core.backup.conftest import Accounts
from tests.integration.core.backup.support import picture, restore, unsound
from tests.integration.core.support import Client, connect
from tests.interference.kinds import Hold, Interference, SeenCall

pytestmark = pytest.mark.rule("B8")


class Died(Exception):
    """The process has ended: nothing that it would still do happens."""


class Dead(Interference):
    """Nothing goes out any more."""

    async def forward(self, request: Request, send: Send) -> Answer:
        raise Died


def dies(at: int) -> Callable[[SeenCall], Interference | None]:
    numbers = itertools.count(1)
    return lambda _: Dead() if next(numbers) >= at else None


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "READ_BACK_OFF_SECONDS", 0)


async def ended(work: Awaitable[object]) -> bool:
    """Whether it came to its end, of which nobody would know if it died."""
    try:
        await work
    except (StorageFault, Unavailable, Died):
        return False
    return True


async def calls_of_a_restore(accounts: Accounts, shelf: Shelf) -> int:
    """Those of the registry that it makes; the shelf's are not counted."""
    async with accounts.client() as quiet:
        before = quiet.hook.total
        await restore(quiet, shelf)
        return quiet.hook.total - before


@pytest.mark.rule("B6")
async def test_a_registry_that_is_not_empty_is_refused_and_nothing_touched(
    client: Client, here: Accounts, tmp_path: Path
) -> None:
    await client.push_image("team/web", "v1")
    shelf = Folder(tmp_path)
    await Backups(client.services.connection, shelf).run()
    async with here.client() as target:
        await target.push_image("something", "v1")
        before = await picture(target)
        with pytest.raises(NotEmpty, match="something"):
            await restore(target, shelf)
        assert await picture(target) == before
        # What a deletion leaves is something as well, until it is collected.
        await target.send("DELETE", "/acr/v1/something")
        with pytest.raises(NotEmpty, match="not empty"):
            await restore(target, shelf)


@pytest.mark.rule("B6")
async def test_what_was_pushed_since_it_was_checked_is_not_touched(
    client: Client, here: Accounts, tmp_path: Path
) -> None:
    """Reading a large backup takes hours. What then refuses leaves no note that it was begun."""
    await client.push_image("team/web", "v1")
    shelf = Folder(tmp_path)
    await Backups(client.services.connection, shelf).run()
    async with here.client() as target:
        connection = target.services.connection
        restores = Restores(connection, shelf)
        ready = await restores.check()
        await target.push_image("team/web", "v2")
        before = await picture(target)
        with pytest.raises(NotEmpty, match="team/web"):
            await restores.run(ready, System(connection).open)
        assert await picture(target) == before
        with pytest.raises(NotEmpty, match="team/web"):
            await restores.check()
        assert await Documents(connection, SYSTEM).read("restores/under-way.json") is None


@pytest.mark.rule("B6", "B8")
async def test_a_restore_that_died_before_it_wrote_is_begun_in_an_empty_registry_alone(
    client: Client, here: Accounts, tmp_path: Path
) -> None:
    """It has noted that it was begun, and not yet that the registry was empty."""
    await client.push_image("team/web", "v1")
    shelf = Folder(tmp_path)
    await Backups(client.services.connection, shelf).run()
    async with here.client() as target, connect(target.registry.settings) as pusher:
        is_noted = False

        def dies_after_the_note(call: SeenCall) -> Interference | None:
            nonlocal is_noted
            is_dead, is_noted = (
                is_noted,
                is_noted or (call.method == "PUT" and "restores/" in call.path),
            )
            return Dead() if is_dead else None

        target.hook.plan = dies_after_the_note
        assert not await ended(restore(target, shelf))
        target.hook.plan = None
        await pusher.push_image("something", "v1")
        before = await picture(target)
        with pytest.raises(NotEmpty, match="something"):
            await restore(target, shelf)
        assert await picture(target) == before


@pytest.mark.rule("B6")
async def test_two_restores_of_a_backup_that_begin_at_once_both_come_to_their_end(
    client: Client, here: Accounts, tmp_path: Path
) -> None:
    """What the one has written by then is no reason for the other to refuse."""
    await client.push_image("team/web", "v1")
    before = await picture(client)
    shelf = Folder(tmp_path)
    await Backups(client.services.connection, shelf).run()
    async with here.client() as target, connect(target.registry.settings) as other:
        reads = itertools.count(1)

        async def begins() -> None:
            """The other is cut when it has written all rows, and before it tells that it ended."""
            other.hook.plan = lambda call: Dead() if call.method == "DELETE" else None
            assert not await ended(restore(other, shelf))

        def plan(call: SeenCall) -> Interference | None:
            is_read = call.method == "GET" and "restores/" in call.path
            # First it is asked whether one was begun; then what the note says.
            return Hold(after_gate=begins) if is_read and next(reads) == 2 else None

        target.hook.plan = plan
        await restore(target, shelf)
        target.hook.plan = None
        assert await picture(target) == before
        assert not await unsound(target)


@pytest.mark.rule("B6")
async def test_a_restore_that_was_begun_is_not_ended_with_another_backup(
    client: Client, here: Accounts, tmp_path: Path
) -> None:
    await client.push_image("team/web", "v1")
    shelf = Folder(tmp_path)
    first = (await Backups(client.services.connection, shelf).run()).backup
    await client.push_image("team/web", "v2")
    await Backups(client.services.connection, shelf).run()
    async with here.client() as target:
        connection = target.services.connection
        ready = await Restores(connection, shelf).check(first.id)
        target.hook.plan = dies(16)
        assert not await ended(Restores(connection, shelf).run(ready, System(connection).open))
        target.hook.plan = None
        with pytest.raises(OtherRestore, match=first.id):
            await restore(target, shelf)
        assert (await restore(target, shelf, first.id)).goes_on
        tags = (await picture(target))["team/web"]["tags"]["tags"]
        assert [each["name"] for each in tags] == ["v1"]


@pytest.mark.rule("B8")
async def test_what_was_pushed_since_a_restore_died_stays(
    client: Client, here: Accounts, tmp_path: Path
) -> None:
    """Nobody should use a registry before it is restored; who does loses nothing."""
    await client.push_image("team/web", "v1")
    shelf = Folder(tmp_path)
    await Backups(client.services.connection, shelf).run()
    count = await calls_of_a_restore(here, shelf)
    async with here.client() as target, connect(target.registry.settings) as pusher:
        target.hook.plan = dies(count - 2)
        assert not await ended(restore(target, shelf))
        target.hook.plan = None
        image = await pusher.push_image("team/web", "v1")
        await restore(target, shelf)
        answer = await target.send("GET", "/v2/team/web/manifests/v1")
        assert answer.headers["docker-content-digest"] == image.digest
        assert not await unsound(target)
