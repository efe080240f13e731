"""A backup and its restore: the registry is as it was, rows and bytes, in another account."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.backup import documents, stored
from registry_core.lifecycle.backup.backup import Backups, Wanted
from registry_core.lifecycle.backup.holds import Holds
from registry_core.lifecycle.backup.shelves import Container, Folder, NoPlace, Shelf
from registry_core.lifecycle.collection.collector import Collector
from registry_core.settings import Settings
from registry_core.storage import budget, bulk, tables
from registry_core.storage.calls import traced
from registry_core.storage.connection import Connection
from registry_core.storage.documents import Documents
from registry_core.storage.faults import Taken
from registry_core.storage.lease import Lease
from registry_core.storage.objects import Objects
from tests.integration.core.backup.conftest import Accounts, emulator
from tests.integration.core.backup.support import (
    fill,
    needed,
    picture,
    put,
    repositories,
    restore,
    unsound,
)
from tests.integration.core.collection.support import NO_AGE, moment, stores_of
from tests.integration.core.soft import purge
from tests.integration.core.support import Client, Image, connect, digest_of, push_blobs
from tests.interference.hook import InterferingHook
from tests.interference.kinds import Hold, Interference, SeenCall


@asynccontextmanager
async def container(accounts: Accounts) -> AsyncIterator[Shelf]:
    """A part of a container, in an account that has nothing else."""
    connection = Connection(accounts.fresh().storage, InterferingHook())
    yield Container(connection, "backups", "of/this/registry/")
    await connection.close()


def backups(client: Client, shelf: Shelf) -> Backups:
    return Backups(client.services.connection, shelf)


async def collect(client: Client) -> None:
    """Takes all that may go, as if time had passed, in as many runs as it needs."""
    holds = Holds(client.services.connection)
    for _ in range(3):
        collector = Collector(stores_of(client), NO_AGE, holds=holds)
        await collector.run(0, 1, await moment(client))


async def delete_all(client: Client, but: str = "") -> None:
    for name in await repositories(client):
        if name != but:
            answer = await client.send("DELETE", f"/acr/v1/{name}")
            assert answer.status_code in (202, 405), answer.text
    assert not (await purge(client)).failed


@pytest.mark.rule("B2", "B3", "B7")
async def test_what_is_restored_from_a_folder_is_as_it_was(
    client: Client, target: Client, tmp_path: Path
) -> None:
    await fill(client)
    before = await picture(client)
    outcome = await backups(client, Folder(tmp_path)).run()
    assert outcome.is_complete
    assert outcome.copied == outcome.backup.objects > 10
    assert not await unsound(client)
    await restore(target, Folder(tmp_path))
    assert await picture(target) == before
    assert not await unsound(target)


@pytest.mark.rule("B3", "B7")
async def test_storage_itself_copies_content_between_accounts(
    client: Client, here: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte of it comes through: nothing reads the container of content."""
    monkeypatch.setattr(bulk, "COPIED_BLOCK", 200)  # Of several blocks each.
    await fill(client)
    before = await picture(client)
    async with container(here) as shelf, here.client() as target:
        with traced() as trace:
            outcome = await backups(client, shelf).run()
        assert outcome.copied == outcome.backup.objects
        blocks = [call for call in trace.calls if "comp=block&" in call.query]
        assert len(blocks) > outcome.copied, "content is copied in blocks"
        account = client.services.connection.account
        assert not [
            str(call)
            for call in trace.calls
            if call.method == "GET" and call.path.startswith(f"/{account}/content/uploads/")
        ]
        assert not [call for call in trace.calls if "sig=" in call.url], "signatures are not logged"
        await restore(target, shelf)
        assert await picture(target) == before
        assert not await unsound(target)


@pytest.mark.rule("B1", "B3", "B7", "G11")
async def test_the_source_may_be_collected_and_stopped_before_the_first_pull(
    there: Accounts, tmp_path: Path
) -> None:
    """In another emulator, which storage itself cannot reach: bytes come through here."""
    with emulator(tmp_path) as azurite:
        settings = Accounts(azurite).fresh()
        async with connect(settings) as source, container(there) as shelf, there.client() as target:
            await fill(source)
            before = await picture(source)
            outcome = await backups(source, shelf).run()
            assert outcome.copied == outcome.backup.objects
            await delete_all(source)
            await collect(source)
            await restore(target, shelf)
            azurite.stop()
            assert await picture(target) == before
            assert not await unsound(target)
            # And it is a registry like any other.
            image = await target.push_image("team/web", "after")
            answer = await target.send("GET", f"/v2/team/web/manifests/{image.digest}")
            assert answer.status_code == 200
            own = target.services.connection.account
            assert await accounts_named(target) == {own}


async def accounts_named(client: Client) -> set[str]:
    table = client.services.connection.table(blob_rows.TABLE)
    found = [row async for page in table.scan("\x20", "~") for row in page]
    return {row.text("Location").partition("/")[0] for row in found if row.text("Location")}


@pytest.mark.rule("B1", "G11")
async def test_what_was_exported_is_copied_though_it_is_deleted_and_collected_meanwhile(
    client: Client, here: Accounts, target: Client
) -> None:
    """Between the rows and the bytes. When the backup has ended, its hold has too."""
    await fill(client)
    before = await picture(client)
    async with container(here) as shelf, connect(client.registry.settings) as other:
        turn, has_gone = asyncio.Lock(), False

        async def delete_and_collect() -> None:
            nonlocal has_gone
            async with turn:  # Nothing is copied before that.
                if not has_gone:
                    await delete_all(other, but="locked")
                    await collect(other)
                    has_gone = True

        def plan(call: SeenCall) -> Interference | None:
            is_copy = "comp=block&" in call.query and "/content/" in call.path
            return Hold(before_gate=delete_and_collect) if is_copy else None

        client.hook.plan = plan
        shelf_hook = shelf._connection.hook  # type: ignore[attr-defined]
        shelf_hook.plan = plan
        outcome = await backups(client, shelf).run()
        client.hook.plan = shelf_hook.plan = None
        assert has_gone
        assert outcome.is_complete
        await restore(target, shelf)
        assert await picture(target) == before
        await collect(other)
        objects = Objects(client.services.connection, blob_rows.CONTAINER)
        left = [each.name async for page in objects.contents("") for each in page.objects]
        assert len(left) == len(await needed(client, "locked")), "it is collected after the backup"


@pytest.mark.rule("B3", "B5")
async def test_content_is_copied_once_and_goes_with_the_last_backup_that_names_it(
    client: Client, target: Client, tmp_path: Path
) -> None:
    shelf = Folder(tmp_path)
    one = await client.push_image("team/web", "v1")
    first = await backups(client, shelf).run()
    two = one.with_manifest(annotations={"a": "b"})
    await put(client, "team/web", "v1", two.manifest)
    await client.push_blob("team/web", b"nobody needs this one")
    third = Image.make()
    await push_blobs(client, "team/web", third)
    await put(client, "team/web", "v3", third.manifest)
    second = await backups(client, shelf).run()
    assert (first.copied, second.copied) == (2, 2)
    assert first.backup.id < second.backup.id
    assert second.backup.objects == 4
    await client.send("DELETE", f"/v2/team/web/manifests/{one.digest}")
    await client.send("DELETE", f"/v2/team/web/manifests/{two.digest}")
    last = await backups(client, shelf).run()
    assert (last.copied, last.backup.objects) == (0, 2)
    before = await picture(client)

    told = await stored.prune(shelf, keep=1, dry_run=True)
    assert len(await shelf.names(documents.CONTENT)) == 4
    assert await stored.prune(shelf, keep=1) == told
    assert list(told.backups) == [first.backup.id, second.backup.id]
    assert (told.objects, told.size) == (2, len(one.config) + len(one.layer))
    assert set(await shelf.names(documents.CONTENT)) == {
        documents.content_name(digest_of(blob)) for blob in third.blobs
    }
    assert await stored.prune(shelf, before=datetime.now(UTC) + timedelta(days=1)) == stored.Pruned(
        [], 0, 0
    ), "the newest stays"
    await restore(target, shelf)
    assert await picture(target) == before


@pytest.mark.rule("B3")
async def test_a_blob_whose_bytes_the_registry_has_lost_keeps_nobody_from_the_rest(
    client: Client, target: Client, tmp_path: Path
) -> None:
    image, other = [await client.push_image("team/web", tag) for tag in ("v1", "v2")]
    row = await stores_of(client).blobs.get(digest_of(image.layer), blob_rows.BLOB)
    assert row is not None
    await client.services.content.remove(blob_rows.Link.from_row(row).location.name)
    outcome = await backups(client, Folder(tmp_path)).run()
    assert outcome.is_complete
    assert list(outcome.backup.lost) == [digest_of(image.layer)]
    await restore(target, Folder(tmp_path))
    url = "/v2/team/web/blobs"
    for blob, status in ((image.config, 200), (image.layer, 503), (other.layer, 200)):
        answer = await target.send("GET", f"{url}/{digest_of(blob)}")
        assert answer.status_code == status


@pytest.mark.rule("B4")
async def test_a_run_that_has_no_more_time_is_gone_on_with(
    client: Client, target: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each step that it takes; pruning leaves it alone, and it holds what it has named."""
    monkeypatch.setattr("registry_core.lifecycle.backup.backup._PART_BYTES", 1)
    monkeypatch.setattr("registry_core.lifecycle.backup.backup._READ_AT_ONCE", 1)
    await fill(client)
    before = await picture(client)
    shelf = Folder(tmp_path)
    first = await backups(client, shelf).run(seconds=0)
    assert not first.is_complete
    assert first.backup.counts.repositories == 1
    with pytest.raises(stored.NoBackup, match="no complete backup"):
        await stored.choose(shelf, None)
    with pytest.raises(stored.NoBackup, match="not complete"):
        await stored.choose(shelf, first.backup.id)
    outcomes = [first]
    while not outcomes[-1].is_complete:
        outcomes.append(await backups(client, shelf).run(seconds=0.02))
        assert len(outcomes) < 500
    assert {each.backup.id for each in outcomes} == {first.backup.id}
    assert len(outcomes[-1].backup.parts) > 3
    await restore(target, shelf)
    assert await picture(target) == before


@pytest.mark.rule("B1")
async def test_a_backup_whose_hold_has_ended_is_not_gone_on_with(
    client: Client, tmp_path: Path
) -> None:
    await client.push_image("team/web", "v1")
    shelf = Folder(tmp_path)
    first = await backups(client, shelf).run(seconds=0)
    await shelf.write(documents.unfinished_name("2020-01-01T000000Z"), b"damaged")
    await Holds(client.services.connection).end(first.backup.id)
    second = await backups(client, shelf).run()
    assert second.is_complete
    assert second.backup.id > first.backup.id
    # It goes with the next that is taken away, as what it would need may be gone.
    pruned = await stored.prune(shelf, keep=1)
    assert list(pruned.backups) == ["2020-01-01T000000Z", first.backup.id]
    assert [each.listed.backup for each in await stored.found_on(shelf)] == [second.backup.id]


@pytest.mark.rule("B1", "G11")
async def test_a_backup_of_rows_alone_keeps_the_bytes_where_they_are(
    client: Client, there: Accounts, target: Client, tmp_path: Path
) -> None:
    await fill(client)
    before = await picture(client)
    shelf, source = Folder(tmp_path), Container(client.services.connection, blob_rows.CONTAINER)
    outcome = await backups(client, shelf).run(Wanted(keep_for=timedelta(days=3)))
    assert outcome.backup.rows_only
    assert not await shelf.names(documents.CONTENT)
    await delete_all(client)
    await collect(client)
    with pytest.raises(documents.Damaged, match="--content-from"):
        await restore(target, shelf)
    await restore(target, shelf, content=source)
    assert await picture(target) == before
    assert not await unsound(target)
    await Holds(client.services.connection).end(outcome.backup.id)
    await collect(client)
    async with there.client() as third:
        with pytest.raises(documents.Damaged, match="gone by now"):
            await restore(third, shelf, content=source)


async def document(client: Client, name: str) -> bytes:
    found = await Documents(client.services.connection, "system").read(name)
    return found[0] if found else b""


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def plain(path: Path) -> bytes:
    """What a file says."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.rule("B2")
async def test_access_and_policies_go_along_and_keys_do_not(
    client: Client, target: Client, tmp_path: Path
) -> None:
    await client.push_image("team/web", "v1")
    connection = client.services.connection
    system = Documents(connection, "system")
    await system.write("policies/example.json", b'{"days": 7}')
    table = connection.table("access")
    await connection.make(tables=["access"])
    await table.transact("tokens", [tables.insert("ci", Hash="h", Enabled=True)])
    names = ("keys/upload-state.json", "keys/tokens.json")
    secrets = [await document(client, name) for name in names]
    await backups(client, Folder(tmp_path)).run()
    await restore(target, Folder(tmp_path))
    there = target.services.connection
    assert await document(target, "policies/example.json") == b'{"days": 7}'
    row = await there.table("access").get("tokens", "ci")
    assert row is not None
    assert dict(row.values) == {"Hash": "h", "Enabled": True}
    written = b"".join(map(plain, files(tmp_path)))
    keys = {word for text in secrets for word in re.findall(rb'"([A-Za-z0-9+/_=-]{40,})"', text)}
    assert keys, "there are keys that could have been copied"
    assert not [key for key in keys if key in written]
    assert secrets != [await document(target, name) for name in names]


async def test_reading_a_folder_for_long_is_no_storage_that_hangs(
    client: Client, target: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes of the folder count as much as an answer. Eight are read at once, of ten."""
    for _ in range(5):
        await client.push_image("team/web", "")
    shelf = Folder(tmp_path)
    await backups(client, shelf).run()
    clock = 0.0

    class Slow(Folder):
        async def open(self, name: str, size: int) -> AsyncIterator[bytes]:
            nonlocal clock
            async for chunk in super().open(name, size):
                clock += 1.2
                yield chunk

    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: clock))
    with budget.budgeted(budget.Budget(10)):
        await restore(target, Slow(tmp_path))
    assert clock > 10 * 2, "all was read twice"


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.rule("B5")
@pytest.mark.parametrize("kind", ["folder", "container"])
async def test_a_dry_run_of_pruning_makes_nothing_and_names_a_place_that_is_not_there(
    client: Client, here: Accounts, tmp_path: Path, kind: str
) -> None:
    async with container(here) as there:
        shelf = Folder(tmp_path / "mistyped") if kind == "folder" else there
        name = "/mistyped" if kind == "folder" else "/backups/of/this/registry"
        for asks in (
            stored.prune(shelf, keep=1, dry_run=True),
            stored.prune(shelf, keep=1),
            stored.found_on(shelf),
            stored.choose(shelf, None),
        ):
            with pytest.raises(NoPlace, match=f"there is no {kind} .*{name}$"):
                await asks
        assert not everything(tmp_path)
        await backups(client, shelf).run()
        await shelf.remove("busy")
        before = await shelf.names()
        written = everything(tmp_path)
        await stored.prune(shelf, keep=1, dry_run=True)
        assert await shelf.names() == before
        assert everything(tmp_path) == written


@pytest.mark.rule("B5")
async def test_a_lock_whose_file_was_taken_away_meanwhile_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner ends between the opening and the locking: then two would lock different files."""
    flock, owner, has_ended = fcntl.flock, Folder(tmp_path).locked(), False
    await owner.__aenter__()

    def ends_before(file: IO[bytes], operation: int) -> None:
        nonlocal has_ended
        if not has_ended:
            has_ended = True
            with suppress(StopIteration):
                owner.__aexit__(None, None, None).send(None)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", ends_before)
    async with Folder(tmp_path).locked():
        with pytest.raises(Taken):
            async with Folder(tmp_path).locked():
                pass
    assert not (tmp_path / "busy").exists()


@pytest.mark.rule("B5")
async def test_one_process_at_a_time_works_on_a_shelf(
    here: Accounts, client: Client, tmp_path: Path
) -> None:
    async with Folder(tmp_path).locked():
        with pytest.raises(Taken):
            await backups(client, Folder(tmp_path)).run()
    await backups(client, Folder(tmp_path)).run()
    assert not (tmp_path / "busy").exists()
    connection = client.services.connection
    first, second = (Lease(connection, "content", "busy", patience=0) for _ in range(2))
    async with first.taken() as lease:
        lease.check()
        with pytest.raises(Taken):
            async with second.taken():
                pass
    async with second.taken() as lease:
        lease.check()


async def test_the_time_for_a_hold_is_begun_anew_and_still_counts_from_its_beginning(
    client: Client,
) -> None:
    holds, now = Holds(client.services.connection), datetime.now(UTC)
    made = await holds.make("one", now + timedelta(hours=1))
    longer = replace(made, until=now + timedelta(days=1))
    await holds.keep("one", longer)
    assert await holds.active(now + timedelta(hours=2)) == longer
    assert await holds.of("one", now + timedelta(days=2)) is None
    assert await holds.active(now + timedelta(days=2)) is None
    other = await holds.make("two", now + timedelta(days=2))
    both = await holds.active(now)
    assert both is not None
    assert (both.begun, both.until) == (made.begun, other.until)
    await holds.end("one")
    await holds.end("two")
    assert await holds.active(now) is None


@pytest.mark.rule("B6")
@pytest.mark.parametrize("what", ["content", "document", "rows", "cut", "flipped", "format"])
async def test_a_backup_that_is_not_whole_is_refused_before_anything_is_written(
    client: Client, there: Accounts, tmp_path: Path, what: str
) -> None:
    image = await client.push_image("team/web", "v1")
    outcome = await backups(client, Folder(tmp_path)).run()
    layer = tmp_path / documents.content_name(digest_of(image.layer))
    last = tmp_path / documents.last_name(outcome.backup.id)
    rows = tmp_path / outcome.backup.parts[0].name
    if what == "content":
        layer.unlink()
    elif what == "document":
        last.write_bytes(last.read_bytes()[:100])
    elif what == "rows":
        rows.unlink()
    elif what == "cut":
        layer.write_bytes(layer.read_bytes()[:-1])
    elif what == "flipped":
        content = bytearray(layer.read_bytes())
        content[100] ^= 1
        layer.write_bytes(content)
    else:
        last.write_text(json.dumps({**json.loads(last.read_text()), "format": 99}))
    named = {"rows": rows.name, "document": last.name, "format": "format 99"}.get(what, layer.name)
    async with connect(there.fresh(), is_cold=True) as target:
        settings: Settings = target.registry.settings
        connection = Connection(settings.storage, InterferingHook())
        target.services = type("Cold", (), {"connection": connection})()
        with traced() as trace, pytest.raises(documents.Damaged, match=named):
            await restore(target, Folder(tmp_path))
        assert {call.method for call in trace.calls} <= {"GET", "HEAD"}
        await connection.close()
