"""Visits of blobs: what goes, what stays, how many calls it takes."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Kind
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.storage import tables
from registry_core.storage.calls import traced
from registry_core.storage.objects import Location
from tests.integration.core.collection.support import (
    NO_AGE,
    Collecting,
    blob_partition,
    moment,
    stores_of,
)
from tests.integration.core.support import Client, Image, digest_of, is_pullable, push_blobs
from tests.interference.kinds import Drop, Hold, Interference, SeenCall

MOST_CALLS = 6
"""For each blob that is collected, all its visits together."""


async def object_is_there(client: Client, location: str) -> bool:
    name = Location.parse(location).name
    return await client.services.content.state(name) is not None


async def location_of(client: Client, digest: str) -> str:
    return (await blob_partition(client, digest))[blob_rows.BLOB].text("Location")


async def delete(client: Client, repository: str, digest: str) -> None:
    answer = await client.send("DELETE", f"/v2/{repository}/manifests/{digest}")
    assert answer.status_code == 202


@pytest.mark.rule("G1", "G2", "G3", "G4", "G9")
async def test_the_blobs_of_a_deleted_image_go_in_two_visits_of_six_calls_at_most(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    await delete(client, repository, image.digest)
    collecting = Collecting(client)
    for blob in image.blobs:
        digest = digest_of(blob)
        location = await location_of(client, digest)
        as_of = await moment(client)
        with traced() as first:
            visit = await collecting.blob(digest, as_of)
        assert visit.report.gone == Counter({Kind.NEED: 1, Kind.LINK: 1, Kind.CONTENT: 1})
        assert list(await blob_partition(client, digest)) == [
            blob_rows.doomed(Location.parse(location))
        ]
        assert await object_is_there(client, location)
        as_of = await moment(client)
        with traced() as second:
            visit = await collecting.blob(digest, as_of)
        assert visit.report.gone == Counter({Kind.OBJECT: 1})
        assert (visit.report.size, visit.due) == (len(blob), None)
        assert await blob_partition(client, digest) == {}
        assert not await object_is_there(client, location)
        assert first.count + second.count <= MOST_CALLS


@pytest.mark.rule("G1", "G9")
async def test_a_blob_whose_manifest_was_deleted_with_many_takes_six_calls_at_most(
    client: Client, repository: str
) -> None:
    """Nobody has said there that it is released: the manifest is looked for."""
    digest = await pushed_in_vain(client, repository)
    calls = 0
    for _ in range(2):
        as_of = await moment(client)
        with traced() as trace:
            await Collecting(client).blob(digest, as_of)
        calls += trace.count
    assert await blob_partition(client, digest) == {}
    assert calls <= MOST_CALLS


async def pushed_in_vain(client: Client, repository: str) -> str:
    """A blob that a push has protected which did not come to its end."""
    blob = secrets.token_bytes(64)
    digest = await client.push_blob(repository, blob)
    link = await client.services.blobs.known(RepositoryName(repository), Digest.parse(digest))
    manifest = Digest.of(secrets.token_bytes(8))
    assert await client.services.blobs.protect(
        RepositoryName(repository), Digest.parse(digest), manifest, link, required=True
    )
    return digest


@pytest.mark.rule("G1", "G2", "G3", "G4")
@pytest.mark.parametrize(
    ("age", "left"),
    [
        ("change", {"b", "blob", "l", "r"}),
        ("link", {"b", "blob", "l"}),
        ("doomed", {"x"}),
        ("upload", set[str]()),
    ],
)
async def test_what_is_not_old_enough_stays_and_the_visit_says_when_it_will_be(
    client: Client, repository: str, age: str, left: set[str]
) -> None:
    digest = await pushed_in_vain(client, repository)
    hour = timedelta(hours=1)
    collecting = Collecting(client, replace(NO_AGE, **{age: hour}))
    for _ in range(2):
        await collecting.blob(digest)
    visit = await collecting.blob(digest)
    found = await blob_partition(client, digest)
    assert {key.partition(":")[0] for key in found} == left
    if left:
        prefix = {"change": "r:", "link": "l:", "doomed": "x:"}[age]
        (waits,) = [row for key, row in found.items() if key.startswith(prefix)]
        assert visit.due == waits.timestamp + hour
    else:
        assert visit.due is None


@pytest.mark.rule("G1", "G2", "G3")
async def test_what_a_live_manifest_needs_stays(client: Client, repository: str) -> None:
    image = await client.push_image(repository)
    before = [await blob_partition(client, digest_of(blob)) for blob in image.blobs]
    for blob in image.blobs:
        visit = await Collecting(client).blob(digest_of(blob))
        assert visit.due is None
    after = [await blob_partition(client, digest_of(blob)) for blob in image.blobs]
    assert before == after
    assert await is_pullable(client, repository, image)


@pytest.mark.rule("G1")
async def test_what_a_manifest_needs_that_can_be_restored_stays(
    client: Client, repository: str
) -> None:
    """Nothing makes a manifest so yet: its row is written here as it will be."""
    image = await client.push_image(repository)
    table = client.services.connection.table(repository_rows.TABLE)
    partition = repository_rows.partition(RepositoryName(repository))
    key = repository_rows.manifest_key(Digest.parse(image.digest))
    deleted = {repository_rows.LIVE: False, repository_rows.DELETED: "2026-01-01T00:00:00.000000Z"}
    await table.transact(partition, [tables.merge(key, **deleted)])
    for blob in image.blobs:
        await Collecting(client).blob(digest_of(blob))
    assert not [await blob_partition(client, digest_of(b)) for b in image.blobs].count({})
    await table.transact(partition, [tables.merge(key, **{repository_rows.LIVE: True})])
    assert await is_pullable(client, repository, image)


@pytest.mark.rule("G2", "G3")
async def test_a_blob_goes_from_one_repository_and_stays_in_another(
    client: Client, repository: str
) -> None:
    image = Image.make()
    for name in (repository, f"{repository}/two"):
        await push_blobs(client, name, image)
        await client.put_manifest(name, "v1", image.manifest)
    await delete(client, repository, image.digest)
    for blob in image.blobs:
        visit = await Collecting(client).blob(digest_of(blob))
        assert visit.report.gone == Counter({Kind.NEED: 1, Kind.LINK: 1})
    assert await is_pullable(client, f"{repository}/two", image)


@pytest.mark.rule("G2")
async def test_a_manifest_that_is_pushed_later_finds_its_blob_within_the_grace_period(
    client: Client, repository: str
) -> None:
    image = Image.make()
    await push_blobs(client, repository, image)
    collecting = Collecting(client, replace(NO_AGE, link=timedelta(hours=1)))
    for blob in image.blobs:
        await collecting.blob(digest_of(blob))
    answer = await client.put_manifest(repository, "v1", image.manifest)
    assert answer.status_code == 201
    assert await is_pullable(client, repository, image)


@pytest.mark.rule("G1")
@pytest.mark.parametrize("after", [1, 2])
async def test_a_manifest_is_read_after_the_rows_that_say_what_it_needs(
    client: Client, other: Client, repository: str, after: int
) -> None:
    """However long a visit takes between the two: here a whole push comes, and all is old."""
    image = await client.push_image(repository, "v1")
    await delete(client, repository, image.digest)
    digest = digest_of(image.layer)
    link = await client.services.blobs.known(RepositoryName(repository), Digest.parse(digest))
    manifest = Digest.parse(image.digest)
    await client.services.blobs.protect(
        RepositoryName(repository), Digest.parse(digest), manifest, link, required=True
    )

    async def push() -> None:
        assert (await client.put_manifest(repository, "v1", image.manifest)).status_code == 201

    as_of = await moment(client)
    # The visit believes that all is old, that which is pushed meanwhile as well.
    later = -timedelta(days=1)
    collecting = Collecting(other, replace(NO_AGE, change=later, link=later))
    with traced():
        other.hook.plan_nth(after, Hold(after_gate=push))
        await collecting.blob(digest, as_of)
    assert await is_pullable(client, repository, image)


@pytest.mark.rule("G4")
async def test_an_address_that_was_handed_out_goes_on_working_until_the_object_is_old(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    digest = digest_of(image.layer)
    location = await location_of(client, digest)
    await delete(client, repository, image.digest)
    collecting = Collecting(client, replace(NO_AGE, doomed=timedelta(hours=1)))
    for _ in range(2):
        await collecting.blob(digest)
    assert await object_is_there(client, location)


@pytest.mark.rule("G4")
async def test_an_object_that_its_blob_names_again_stays(client: Client, repository: str) -> None:
    image = await client.push_image(repository)
    digest = digest_of(image.layer)
    location = Location.parse(await location_of(client, digest))
    doomed = tables.insert(blob_rows.doomed(location), Size=tables.int64(512))
    await stores_of(client).blobs.transact(digest, [doomed])
    visit = await Collecting(client).blob(digest)
    assert not visit.report.gone
    assert blob_rows.doomed(location) not in await blob_partition(client, digest)
    assert await is_pullable(client, repository, image)


@pytest.mark.rule("G4")
async def test_an_object_that_was_sent_anew_since_it_was_doomed_stays(
    client: Client, repository: str
) -> None:
    """A session can begin anew once its object has gone: of two visits at once, one is too late."""
    content = client.services.content
    blob = secrets.token_bytes(16)
    digest = digest_of(blob)
    name = f"uploads/2026-01-01/{secrets.token_hex(16)}"
    table = stores_of(client).blobs
    key = blob_rows.doomed(content.location(name))
    await table.transact(digest, [tables.insert(key, Size=tables.int64(16))])
    row = await table.get(digest, key)
    assert row is not None
    # Storage compares whole seconds: the object is sent until it is in a later one.
    while True:
        await content.put(name, blob, {})
        (listed,) = [each async for page in content.contents(name) for each in page.objects]
        if listed.modified > row.timestamp:
            break
        assert await content.remove(name, etag=listed.etag)
    visit = await Collecting(client).blob(digest)
    assert not visit.report.gone
    assert await blob_partition(client, digest) == {}
    assert await content.state(name) is not None


@pytest.mark.rule("G9")
@pytest.mark.parametrize("kind", ["death", "lost answer"])
async def test_a_visit_that_dies_or_loses_an_answer_anywhere_is_ended_by_the_next(
    client: Client, other: Client, repository: str, kind: str
) -> None:
    for nth in range(1, 6):
        image = await client.push_image(repository, f"v{nth}")
        kept = await client.push_image(repository, "kept")
        await delete(client, repository, image.digest)
        digest = digest_of(image.layer)
        location = await location_of(client, digest)
        for _ in range(2):
            await interfered(other, digest, nth, kind)
        for _ in range(2):
            await Collecting(client).blob(digest)
        assert await blob_partition(client, digest) == {}
        assert not await object_is_there(client, location)
        assert await is_pullable(client, repository, kept)


async def interfered(client: Client, digest: str, nth: int, kind: str) -> None:
    class Dead(Exception):
        pass

    class Die(Interference):
        async def before(self, call: SeenCall) -> None:
            raise Dead

    as_of = await moment(client)
    interference = Die() if kind == "death" else Drop()
    with traced() as trace:
        client.hook.plan_nth(nth, interference)
        try:
            await Collecting(client).blob(digest, as_of)
        except Dead:
            pass
        finally:
            client.hook.plan = None
    assert trace.count


@pytest.mark.rule("G9")
async def test_two_visits_at_once_end_as_one(
    client: Client, other: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    await delete(client, repository, image.digest)
    digest = digest_of(image.layer)
    as_of = await moment(client)
    entered = Hold(before_gate=lambda: Collecting(client).blob(digest, as_of))
    other.hook.plan = lambda call: entered if not all(o.is_read for o in call.operations) else None
    visit = await Collecting(other).blob(digest, as_of)
    other.hook.plan = None
    assert not visit.report.gone
    assert {key.partition(":")[0] for key in await blob_partition(client, digest)} == {"x"}


@pytest.mark.rule("G9")
async def test_a_blob_with_more_rows_than_a_transaction_takes_goes_whole(
    client: Client, repository: str
) -> None:
    digest = await pushed_in_vain(client, repository)
    table = stores_of(client).blobs
    name = RepositoryName(repository)
    needs = [blob_rows.requirement(name, Digest.of(bytes([n]))) for n in range(150)]
    for first in range(0, 150, 75):
        await table.transact(digest, [tables.insert(key) for key in needs[first : first + 75]])
    visit = await Collecting(client).blob(digest)
    assert visit.report.gone == Counter({Kind.NEED: 151, Kind.LINK: 1, Kind.CONTENT: 1})
    await Collecting(client).blob(digest)
    assert await blob_partition(client, digest) == {}


@pytest.mark.rule("G9")
async def test_a_dry_run_tells_what_would_go_and_takes_nothing(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    await delete(client, repository, image.digest)
    digest = digest_of(image.layer)
    before = await blob_partition(client, digest)
    collecting = Collecting(client)
    visit = await collecting.blob(digest, dry_run=True)
    assert visit.report.gone == Counter({Kind.NEED: 1, Kind.LINK: 1, Kind.CONTENT: 1})
    assert [thing.kind.rule for thing in collecting.things] == ["G1", "G2", "G3"]
    assert await blob_partition(client, digest) == before


async def test_what_will_be_garbage_later_is_told_and_not_taken(
    client: Client, repository: str
) -> None:
    digest = await client.push_blob(repository, json.dumps(repository).encode())
    later = await moment(client) + timedelta(days=1000)
    collector = Collector.of(client.services.connection, client.registry.settings)
    visit = await collector.visit_blob(Digest.parse(digest), later, dry_run=True)
    assert visit.report.gone == Counter({Kind.LINK: 1, Kind.CONTENT: 1})
    with pytest.raises(ValueError, match="later"):
        await collector.visit_blob(Digest.parse(digest), later)
    assert len(await blob_partition(client, digest)) == 3
