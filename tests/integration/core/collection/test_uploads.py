"""Objects that no row names: uploads that nobody committed, and commits that came to nothing."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.backup.holds import Holds
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Kind, Report
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage import tables
from registry_core.storage.calls import traced
from tests.integration.core.collection.support import NO_AGE, Collecting, moment, stores_of
from tests.integration.core.support import Client, digest_of
from tests.interference.kinds import Hold


async def object_name(client: Client, digest: str) -> str:
    row = await stores_of(client).blobs.get(digest, blob_rows.BLOB)
    assert row is not None
    return blob_rows.Link.from_row(row).location.name


def session(location: str) -> str:
    """The id of an upload, which is the end of its object's name."""
    return location.partition("?")[0].rpartition("/")[2]


async def names(client: Client) -> set[str]:
    pages = client.services.content.contents(blob_rows.UPLOADS)
    return {each.name.rpartition("/")[2] async for page in pages for each in page.objects}


async def day_of(client: Client, upload: str) -> date:
    """The day in the name of an upload's object."""
    pages = client.services.content.contents(blob_rows.UPLOADS)
    found = [each.name async for page in pages for each in page.objects]
    (name,) = [each for each in found if each.endswith(upload)]
    return blob_rows.day_of(name.removesuffix(upload))


async def visit(client: Client, as_of: datetime | None = None, *, dry_run: bool = False) -> Report:
    as_of = as_of or await moment(client)
    collector = Collecting(client).collector
    # Midnight may have come since an upload began.
    days = (as_of.date() - timedelta(days=1), as_of.date())
    reports = [await collector.visit_day(day, as_of, dry_run=dry_run) for day in days]
    return reports[0] + reports[1]


@pytest.mark.rule("G5")
async def test_an_upload_that_nobody_committed_goes_and_a_blob_stays(
    client: Client, repository: str
) -> None:
    left = await client.begin(repository)
    await client.patch(left, b"some bytes")
    blob = secrets.token_bytes(100)
    digest = await client.push_blob(repository, blob)
    as_of = await moment(client)
    told = await visit(client, as_of, dry_run=True)
    assert session(left) in await names(client)
    report = await visit(client, as_of)
    assert report == told
    assert report.gone[Kind.UPLOAD] >= 1
    assert report.size >= len(b"some bytes")
    assert session(left) not in await names(client)
    answer = await client.send("GET", f"/v2/{repository}/blobs/{digest}")
    assert answer.status_code == 307
    assert await client.services.content.state(await object_name(client, digest)) is not None


@pytest.mark.rule("G5")
async def test_a_commit_that_lost_a_race_leaves_an_object_that_goes(
    client: Client, repository: str
) -> None:
    blob = secrets.token_bytes(100)
    locations = [await client.begin(repository) for _ in range(2)]
    for location in locations:
        answer = await client.commit(location, digest_of(blob), blob)
        assert answer.status_code == 201
    as_of = await moment(client)
    await visit(client, as_of)
    left = await names(client)
    assert [session(location) in left for location in locations] == [True, False]


@pytest.mark.rule("G5")
async def test_an_upload_that_is_not_old_enough_stays(client: Client, repository: str) -> None:
    location = await client.begin(repository)
    await client.patch(location, b"some bytes")
    as_of = await moment(client)
    ages = replace(NO_AGE, upload=timedelta(hours=1))
    collector = Collecting(client, ages).collector
    report = await collector.visit_day((as_of - timedelta(hours=1)).date(), as_of)
    assert not report.gone
    with traced() as trace:
        await collector.visit_day(as_of.date() + timedelta(days=1), as_of)
    assert trace.count == 0, "a day of which nothing can be old enough is not looked at"
    assert session(location) in await names(client)


@pytest.mark.rule("G5")
async def test_an_object_that_is_written_to_meanwhile_stays(
    client: Client, other: Client, repository: str
) -> None:
    location = await client.begin(repository)
    location = (await client.patch(location, b"one")).headers["location"]

    async def go_on() -> None:
        other.hook.plan = None
        answer = await client.patch(location, b"two")
        assert answer.status_code == 202

    as_of = await moment(client)
    day = await day_of(client, session(location))
    other.hook.plan = lambda _: Hold(after_gate=go_on)
    await Collecting(other).collector.visit_day(day, as_of)
    assert session(location) in await names(client)


@pytest.mark.rule("G5")
async def test_the_row_is_read_after_the_object(
    client: Client, other: Client, repository: str
) -> None:
    """A commit that has marked its object comes to its end once this is listed."""
    blob = secrets.token_bytes(100)
    digest = Digest.parse(digest_of(blob))
    day = date(2026, 2, 1)
    name = blob_rows.upload_object(day, uuid.uuid4())
    await client.services.content.put(name, blob, {blob_rows.COMMITTED_AS: str(digest)})

    async def record() -> None:
        location = client.services.content.location(name)
        await client.services.blobs.record(RepositoryName(repository), digest, location, 100)

    as_of = await moment(client)
    with traced():
        other.hook.plan_nth(1, Hold(after_gate=record))
        await Collecting(other).collector.visit_day(day, as_of)
    assert await client.services.content.state(name) is not None


@pytest.mark.rule("G5")
async def test_the_only_bytes_of_a_blob_whose_row_was_lost_stay(
    client: Client, repository: str
) -> None:
    """Its links say that it is there, and it can be repaired from the object."""
    digest = await client.push_blob(repository, secrets.token_bytes(100))
    name = await object_name(client, digest)
    await stores_of(client).blobs.transact(digest, [tables.delete(blob_rows.BLOB)])
    await visit(client)
    assert await client.services.content.state(name) is not None


@pytest.mark.rule("G5", "G4")
async def test_an_object_that_is_doomed_waits_for_its_own_time(
    client: Client, repository: str
) -> None:
    digest = await client.push_blob(repository, secrets.token_bytes(100))
    name = await object_name(client, digest)
    collecting = Collecting(client, replace(NO_AGE, doomed=timedelta(hours=1)))
    await collecting.blob(digest)
    await visit(client)
    assert await client.services.content.state(name) is not None
    await Collecting(client).blob(digest)
    assert await client.services.content.state(name) is None


@pytest.mark.rule("G11")
async def test_while_a_backup_holds_what_was_committed_once_stays(
    client: Client, repository: str
) -> None:
    """An upload that nobody committed goes as ever."""
    blob = secrets.token_bytes(100)
    left, committed = await client.begin(repository), await client.begin(repository)
    for location in (await client.begin(repository), committed):
        assert (await client.commit(location, digest_of(blob), blob)).status_code == 201
    await client.patch(left, b"some bytes")
    holds = Holds(client.services.connection)
    await holds.make(repository.replace("/", "-"), datetime.now(UTC) + timedelta(days=1))

    async def collect() -> None:
        as_of = await moment(client)
        collector = Collector(stores_of(client), NO_AGE, holds=holds)
        for day in (as_of.date() - timedelta(days=1), as_of.date()):
            await collector.visit_day(day, as_of)

    await collect()
    assert session(left) not in await names(client)
    assert session(committed) in await names(client)
    await holds.end(repository.replace("/", "-"))
    await collect()
    assert session(committed) not in await names(client)


async def test_days_are_listed_once_each(client: Client, repository: str) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        for _ in range(2):
            await client.services.content.put(f"uploads/{day}/{secrets.token_hex(8)}", b"x", {})
    pages = client.services.content.contents(blob_rows.UPLOADS, delimiter="/")
    folders = [folder async for page in pages for folder in page.folders]
    assert folders == sorted(set(folders))
    days = {blob_rows.day_of(folder) for folder in folders}
    assert {date(2026, 1, 1), date(2026, 1, 2)} <= days
    for day in ("2026-01-01", "2026-01-02"):
        report = await Collecting(client).collector.visit_day(
            date.fromisoformat(day), await moment(client)
        )
        assert report.gone[Kind.UPLOAD] >= 2
