"""Retention in one repository: what goes, what stays, what it costs, and what is told of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest

from registry_core.lifecycle.retention.decide import Kept, Why
from registry_core.lifecycle.retention.policy import Rule, Tags
from registry_core.lifecycle.retention.report import Visit
from registry_core.model.digest import Digest
from registry_core.model.glob import Glob
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.storage import tables
from registry_core.storage.calls import traced
from tests.integration.conftest import TALLY
from tests.integration.core.collection.support import moment
from tests.integration.core.retention.support import AT_ONCE, Retaining
from tests.integration.core.support import (
    OCI_INDEX,
    OCI_MANIFEST,
    Client,
    Image,
    digest_of,
    index_of,
    rows,
)
from tests.interference.gate import Gate
from tests.interference.kinds import SeenCall


def rule(tags: Tags | None = None, untagged: timedelta | None = None, brake: int = 100) -> Rule:
    return Rule("a-rule", (Glob("**"),), tags, untagged, every_repository=True, brake=brake)


async def push_index(client: Client, repository: str, tag: str, *children: Image) -> bytes:
    content = index_of(child.descriptor for child in children)
    answer = await client.put_manifest(repository, tag or digest_of(content), content, OCI_INDEX)
    assert answer.status_code == 201, answer.text
    return content


async def fill(client: Client, repository: str, count: int, *, tagged: bool = True) -> list[Image]:
    """So many images of the same blobs; each has a tag, or none."""
    first = await client.push_image(repository, "t0" if tagged else "")
    images = [first]
    for number in range(1, count):
        another = first.with_manifest(annotations={"number": str(number)})
        reference = f"t{number}" if tagged else another.digest
        await client.put_manifest(repository, reference, another.manifest)
        images.append(another)
    return images


async def present(client: Client, repository: str) -> set[str]:
    """The digests of what is live, and the tags."""
    found = await rows(client, repository)
    return {key[2:] for key in found if key.startswith(("m:", "t:"))}


def is_change(call: SeenCall) -> bool:
    return call.method == "POST" and call.path.endswith("$batch")


def reasons(visit: Visit) -> dict[str, str]:
    return {
        **{str(each.what): each.why.value for each in visit.staying},
        **{str(each.what): each.why for each in visit.gone},
    }


@pytest.mark.rule("K2", "K3")
async def test_untagged_manifests_of_every_type_go_and_what_is_needed_stays(
    client: Client, repository: str
) -> None:
    kept, child, orphan, old_child = [await client.push_image(repository, "") for _ in range(4)]
    await client.put_manifest(repository, "kept", kept.manifest)
    index = await push_index(client, repository, "index", child)
    old_index = await push_index(client, repository, "", old_child)
    signature = await client.push_image(repository, "", subject=kept.descriptor)
    old_signature = await client.push_image(repository, "", subject=orphan.descriptor)
    visit = await Retaining(client, repository).visit()
    assert reasons(visit) == {
        kept.digest: Kept.TAGGED.value,
        digest_of(index): Kept.TAGGED.value,
        child.digest: Kept.CHILD.value,
        signature.digest: Kept.REFERRER.value,
        orphan.digest: Why.UNTAGGED.value,
        old_signature.digest: Why.WITH_SUBJECT.value,
        digest_of(old_index): Why.UNTAGGED.value,
        old_child.digest: Why.WITH_INDEX.value,
    }
    left = {kept.digest, digest_of(index), child.digest, signature.digest, "kept", "index"}
    assert await present(client, repository) == left
    assert (await Retaining(client, repository).visit()).gone == []


@pytest.mark.rule("K5")
@pytest.mark.parametrize("prefix", ["g:", "c:", "s:"])
async def test_nothing_goes_because_a_row_is_missing_that_hints_at_what_holds_it(
    client: Client, repository: str, prefix: str
) -> None:
    child = await client.push_image(repository, "")
    await push_index(client, repository, "index", child)
    await client.push_image(repository, "", subject=child.descriptor)
    before = await present(client, repository)
    table = client.services.connection.table(repository_rows.TABLE)
    partition = repository_rows.partition(RepositoryName(repository))
    found = await table.query(partition, prefix, f"{prefix}~")
    assert found
    await table.transact(partition, [tables.delete(row.key) for row in found])
    assert await Retaining(client, repository).gone() == set()
    assert await present(client, repository) == before


@pytest.mark.rule("K4")
async def test_what_was_touched_within_the_grace_period_stays(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "")
    await client.push_image(repository, "v1")
    retaining = Retaining(client, repository)
    visit = await retaining.visit(grace=timedelta(hours=1))
    assert reasons(visit)[image.digest] == Kept.TOUCHED.value
    later = await moment(client) + timedelta(hours=2)
    visit = await retaining.visit(later, dry_run=True, grace=timedelta(hours=1))
    assert reasons(visit)[image.digest] == Why.UNTAGGED.value
    assert image.digest in await present(client, repository)


@pytest.mark.rule("K4")
@pytest.mark.parametrize("attribute", ["deleteEnabled", "writeEnabled"])
@pytest.mark.parametrize("target", ["manifest", "tag", "repository"])
async def test_locks_are_respected(
    client: Client, repository: str, target: str, attribute: str
) -> None:
    images = await fill(client, repository, 3, tagged=True)
    urls = {
        "manifest": f"/acr/v1/{repository}/_manifests/{images[0].digest}",
        "tag": f"/acr/v1/{repository}/_tags/t0",
        "repository": f"/acr/v1/{repository}",
    }
    answer = await client.send("PATCH", urls[target], json={attribute: False})
    assert answer.status_code == 200, answer.text
    retaining = Retaining(client, repository, [rule(Tags(keep_last=1), timedelta(0))])
    visit = await retaining.visit()
    left = await present(client, repository)
    if target == "manifest":
        assert left == {images[0].digest, images[2].digest, "t2"}
    elif target == "tag":
        assert left == {images[0].digest, images[2].digest, "t0", "t2"}
    elif attribute == "writeEnabled":
        assert {each.what for each in visit.staying if each.why is Kept.LOCKED} >= {
            Digest.parse(images[0].digest),
            Digest.parse(images[1].digest),
        }
        assert len(left) == 6
    else:  # It protects the repository itself and not its images.
        assert left == {images[2].digest, "t2"}


@pytest.mark.rule("K1")
async def test_tags_go_by_age_and_pattern_and_their_manifests_stay_where_no_rule_takes_them(
    client: Client, repository: str
) -> None:
    images = await fill(client, repository, 4)
    await client.put_manifest(repository, "v1", images[1].manifest)
    tags = Tags((Glob("t*"),), (Glob("t3"),), older_than=timedelta(hours=1))
    retaining = Retaining(client, repository, [rule(tags)])
    assert await retaining.gone() == set()
    later = await moment(client) + timedelta(hours=2)
    visit = await retaining.visit(later, dry_run=True)
    assert {str(each.what) for each in visit.gone} == {"t0", "t1", "t2"}
    retaining.rules = [rule(Tags((Glob("t*"),), (Glob("t3"),), keep_last=1))]
    assert await retaining.gone() == {"t0", "t1"}
    assert await present(client, repository) == {"t2", "t3", "v1"} | {i.digest for i in images}
    # From then on they have no tag.
    (row,) = [
        row
        for key, row in (await rows(client, repository)).items()
        if key == f"m:{images[0].digest}"
    ]
    assert row.text("Untagged") > row.text("Updated")


@pytest.mark.rule("K6")
async def test_the_brake_stops_a_visit_and_force_goes_on(client: Client, repository: str) -> None:
    await client.push_image(repository, "v1")
    await fill(client, repository, 12, tagged=False)
    retaining = Retaining(client, repository, [rule(untagged=timedelta(0), brake=50)])
    before = await present(client, repository)
    visit = await retaining.visit()
    assert (visit.gone, len(visit.held_back)) == ((), 12)
    assert "12 of 13 manifests; its brake allows 10" in visit.stopped
    assert await present(client, repository) == before
    dry = await retaining.visit(dry_run=True)
    assert dry.stopped == visit.stopped
    assert len((await retaining.visit(force=True)).gone) == 12
    assert len(await present(client, repository)) == 2


@pytest.mark.rule("K8")
async def test_each_deletion_is_an_audit_record_with_the_name_of_its_rule(
    client: Client, repository: str, caplog: pytest.LogCaptureFixture
) -> None:
    images = await fill(client, repository, 3)
    untagged = await client.push_image(repository, "")
    caplog.set_level(logging.INFO, logger="slipway.audit")
    tag_rule = Rule("tags", (Glob("**"),), Tags(keep_last=2), None, every_repository=True)
    await Retaining(client, repository, [tag_rule, AT_ONCE]).visit()
    records = [json.loads(record.getMessage()) for record in caplog.records]
    told = {
        (each["OperationName"], each["Digest"], each.get("Tags", [""])[0], each["Rule"])
        for each in records
        if each["Repository"] == repository and each.get("Rule")
    }
    assert told == {
        ("Delete", images[0].digest, "t0", "at-once"),
        ("Delete", untagged.digest, "", "at-once"),
    }
    mine = [each for each in records if each.get("Rule")]
    assert {each["Identity"] for each in mine} == {"retention"}
    caplog.clear()
    await Retaining(client, repository, [rule(Tags(keep_last=1))]).visit()
    records = [json.loads(record.getMessage()) for record in caplog.records]
    (record,) = [each for each in records if each.get("Rule")]
    assert (record["OperationName"], record["Tag"], record["Rule"]) == ("Untag", "t1", "a-rule")


@pytest.mark.rule("K5")
async def test_a_repository_goes_with_its_last_manifest(client: Client, repository: str) -> None:
    await client.push_image(repository, "")
    await Retaining(client, repository).visit()
    answer = await client.send("GET", f"/acr/v1/{repository}")
    assert answer.status_code == 404
    catalog = await client.send("GET", "/v2/_catalog?n=1000")
    assert repository not in catalog.json()["repositories"]


MEANWHILE: dict[str, Callable[[Image], tuple[str, str, bytes, str]]] = {
    "a tag is pushed": lambda image: (
        "PUT",
        "/v2/{}/manifests/again",
        image.manifest,
        OCI_MANIFEST,
    ),
    "an index is pushed": lambda image: (
        "PUT",
        "/v2/{}/manifests/index",
        index_of([image.descriptor]),
        OCI_INDEX,
    ),
    "it is locked": lambda image: (
        "PATCH",
        f"/acr/v1/{{}}/_manifests/{image.digest}",
        b'{"deleteEnabled": false}',
        "application/json",
    ),
}


@pytest.mark.rule("K5")
@pytest.mark.parametrize("what", MEANWHILE)
async def test_what_is_used_between_the_decision_and_the_deletion_stays(
    client: Client, other: Client, repository: str, what: str
) -> None:
    """Every row was read by then: only the condition on the write can find it out."""
    saved, gone = [await client.push_image(repository, "") for _ in range(2)]
    gate = Gate(client.hook, is_change)
    retaining = Retaining(client, repository)
    visiting = asyncio.create_task(retaining.visit(await moment(other)))
    await gate.reached.wait()
    method, url, content, media_type = MEANWHILE[what](saved)
    answer = await other.send(
        method,
        url.format(repository),
        content=content,
        headers={"content-type": media_type},
    )
    assert answer.status_code < 300, answer.text
    gate.open()
    visit = await visiting
    assert {str(each.what) for each in visit.gone} == {gone.digest}
    assert reasons(visit)[saved.digest] == Kept.CHANGED.value
    assert saved.digest in await present(client, repository)


@pytest.mark.rule("K5")
async def test_a_tag_that_is_pushed_between_the_decision_and_the_deletion_stays(
    client: Client, other: Client, repository: str
) -> None:
    images = await fill(client, repository, 3)
    gate = Gate(client.hook, is_change)
    retaining = Retaining(client, repository, [rule(Tags(keep_last=1))])
    visiting = asyncio.create_task(retaining.visit(await moment(other)))
    await gate.reached.wait()
    await other.put_manifest(repository, "t0", images[0].manifest)
    gate.open()
    visit = await visiting
    assert {str(each.what) for each in visit.gone} == {"t1"}
    assert reasons(visit)["t0"] == Kept.CHANGED.value
    assert {"t0", "t2"} <= await present(client, repository)


@pytest.mark.rule("K3", "K5")
async def test_what_was_to_go_with_what_holds_it_stays_where_that_stays(
    client: Client, other: Client, repository: str
) -> None:
    """A lock of what holds it changes nothing of what it holds."""
    child, subject = [await client.push_image(repository, "") for _ in range(2)]
    index = digest_of(await push_index(client, repository, "", child))
    signature = await client.push_image(repository, "", subject=subject.descriptor)
    gate = Gate(client.hook, is_change)
    visiting = asyncio.create_task(Retaining(client, repository).visit(await moment(other)))
    await gate.reached.wait()
    for digest in (index, subject.digest):
        url = f"/acr/v1/{repository}/_manifests/{digest}"
        assert (await other.send("PATCH", url, json={"deleteEnabled": False})).is_success
    gate.open()
    visit = await visiting
    assert not visit.gone
    assert reasons(visit) == {
        index: Kept.CHANGED.value,
        subject.digest: Kept.CHANGED.value,
        child.digest: Kept.HELD.value,
        signature.digest: Kept.HELD.value,
    }
    assert len(await present(client, repository)) == 4


@pytest.mark.rule("K3")
async def test_what_an_index_holds_that_can_be_restored_stays(
    client: Client, repository: str
) -> None:
    """Soft delete makes such rows; here one is made by hand."""
    child = await client.push_image(repository, "")
    content = await push_index(client, repository, "", child)
    await client.push_image(repository, "v1")
    table = client.services.connection.table(repository_rows.TABLE)
    partition = repository_rows.partition(RepositoryName(repository))
    key = repository_rows.manifest_key(Digest.parse(digest_of(content)))
    row = await table.get(partition, key)
    assert row is not None
    deleted = {name: value for name, value in row.values.items() if name != repository_rows.LIVE}
    deleted[repository_rows.DELETED] = row.text("Updated")
    await table.transact(partition, [tables.replace(key, row.etag, **deleted)])
    visit = await Retaining(client, repository).visit()
    assert not visit.gone
    assert reasons(visit)[child.digest] == Kept.CHILD.value


# What it costs.


@pytest.mark.rule("K9")
@pytest.mark.parametrize("count", [1, 40])
async def test_a_visit_takes_a_call_for_a_thousand_rows_and_two_for_32_manifests(
    client: Client, repository: str, count: int, record_property: Callable[[str, object], None]
) -> None:
    await client.push_image(repository, "v1")
    await fill(client, repository, count, tagged=False)
    retaining, as_of = Retaining(client, repository), await moment(client)
    with traced() as trace:
        await retaining.visit(as_of, dry_run=True)
    assert trace.count == 1
    with traced() as trace:
        visit = await retaining.visit(as_of)
    assert len(visit.gone) == count
    batches = -(-count // 32)
    # The survey; what goes once more, in pages where it is more than a few; for each batch the
    # repository's row and the transaction; what announces what is freed; whether it is empty now,
    # which takes a second look where the first manifests have just gone; and whether what goes is
    # kept for a while.
    again = 1 if count == 1 else 2
    assert trace.count <= 1 + again + 2 * batches + 1 + 2 + 1, trace.count
    record_property(TALLY, f"{trace.count:6} calls: retention of {count} manifests")


@pytest.mark.rule("K9")
async def test_tags_go_24_at_a_time(
    client: Client, repository: str, record_property: Callable[[str, object], None]
) -> None:
    await fill(client, repository, 49)
    retaining = Retaining(client, repository, [rule(Tags(keep_last=1))])
    as_of = await moment(client)
    with traced() as trace:
        visit = await retaining.visit(as_of)
    assert len(visit.gone) == 48
    # The survey, two transactions after a read each, and whether tags are kept for a while.
    assert trace.count <= 1 + 2 * 2 + 1, trace.count
    record_property(TALLY, f"{trace.count:6} calls: retention of 48 tags")


@pytest.mark.rule("K9")
async def test_what_indexes_hold_is_read_only_where_something_would_go(
    client: Client, repository: str
) -> None:
    children = [await client.push_image(repository, "") for _ in range(2)]
    for child in children:
        await push_index(client, repository, f"of-{child.digest[7:19]}", child)
    retaining, as_of = Retaining(client, repository), await moment(client)
    with traced() as trace:
        await retaining.visit(as_of, grace=timedelta(hours=1))
    assert trace.count == 1
    with traced() as trace:
        await retaining.visit(as_of)
    assert trace.count == 1 + len(children)
