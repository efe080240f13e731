"""Locks: what each forbids through the edge, and that nothing overtakes one."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from registry_core.errors import ManifestUnknown, NameUnknown
from registry_core.model.attributes import COLUMNS
from registry_core.model.change import Event, Operation, Origin, SetAttributes
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows as repository_rows
from registry_core.storage import tables
from tests.integration.core.support import Client, Image, digest_of, push_blobs, rows
from tests.interference.gate import Gate
from tests.interference.kinds import SeenCall

ALL_FALSE = dict.fromkeys(COLUMNS, False)
ALL_TRUE = dict.fromkeys(COLUMNS, True)
PULLS = ["pull by tag", "pull by digest", "pull a blob", "mount a blob"]
CHANGES = [
    "push an image",
    "move the tag",
    "tag the manifest",
    "untag",
    "delete the manifest",
    "delete a blob",
]
FORBIDDEN = {
    ("repository", "WriteEnabled"): set(CHANGES),
    ("repository", "DeleteEnabled"): set[str](),
    ("repository", "ReadEnabled"): set(PULLS),
    ("manifest", "WriteEnabled"): {"tag the manifest", "delete the manifest"},
    ("manifest", "DeleteEnabled"): {"delete the manifest"},
    ("manifest", "ReadEnabled"): {"pull by tag", "pull by digest"},
    ("tag", "WriteEnabled"): {"move the tag", "untag", "delete the manifest"},
    ("tag", "DeleteEnabled"): {"untag", "delete the manifest"},
    ("tag", "ReadEnabled"): {"pull by tag"},
    **{(target, "ListEnabled"): set[str]() for target in ("repository", "manifest", "tag")},
}
"""What a lock answers with 405; written from ACR's pages on locks."""


async def set_attributes(
    client: Client, repository: str, target: Digest | Tag | None = None, **attributes: bool
) -> list[Event]:
    change = SetAttributes(attributes, target, Origin("somebody", "request-1"))
    events: list[Event] = []
    await client.services.locks.set(RepositoryName(repository), change, events.extend)
    return events


def target_of(name: str, image: Image) -> Digest | Tag | None:
    found: dict[str, Digest | Tag] = {"manifest": Digest.parse(image.digest), "tag": Tag("v1")}
    return found.get(name)


async def ask(client: Client, repository: str, what: str, image: Image, other: Image) -> Any:
    """Does one of the things that a lock may forbid, to `image`, which is tagged `v1`."""
    url = f"/v2/{repository}"
    layer = digest_of(image.layer)
    if what in ("push an image", "move the tag"):
        tag = "new" if what == "push an image" else "v1"
        return await client.put_manifest(repository, tag, other.manifest)
    if what == "tag the manifest":
        return await client.put_manifest(repository, "v2", image.manifest)
    if what == "mount a blob":
        query = {"mount": layer, "from": repository}
        return await client.send("POST", f"{url}-two/blobs/uploads/", params=query)
    method, path = {
        "pull by tag": ("GET", "manifests/v1"),
        "pull by digest": ("GET", f"manifests/{image.digest}"),
        "pull a blob": ("GET", f"blobs/{layer}"),
        "untag": ("DELETE", "manifests/v1"),
        "delete the manifest": ("DELETE", f"manifests/{image.digest}"),
        "delete a blob": ("DELETE", f"blobs/{digest_of(b'loose ' + image.layer)}"),
    }[what]
    return await client.send(method, f"{url}/{path}")


async def two_images(client: Client, repository: str) -> tuple[Image, Image]:
    """One that is tagged `v1`, beside a blob that nothing needs; and the blobs of another."""
    image, other = await client.push_image(repository, "v1"), Image.make()
    await client.push_blob(repository, b"loose " + image.layer)
    await push_blobs(client, repository, other)
    return image, other


def is_refused(answer: httpx.Response) -> bool:
    if answer.status_code != 405:
        return False
    return bool(answer.json()["errors"][0]["code"] == "REGISTRY_DISALLOWED_OPERATION")


@pytest.mark.rule("L1")
@pytest.mark.parametrize("what", PULLS + CHANGES)
@pytest.mark.parametrize(("target", "column"), FORBIDDEN)
async def test_a_lock_forbids_with_405_what_it_is_for(
    client: Client, repository: str, target: str, column: str, what: str
) -> None:
    image, another = await two_images(client, repository)
    await set_attributes(client, repository, target_of(target, image), **{column: False})
    answer = await ask(client, repository, what, image, another)
    if what in FORBIDDEN[target, column]:
        if what == "mount a blob":
            assert answer.status_code == 202  # Nothing is mounted; the bytes can be sent.
        else:
            assert is_refused(answer), answer.text
    else:
        assert answer.status_code in (200, 201, 202, 307), answer.text
        assert what != "mount a blob" or answer.status_code == 201


@pytest.mark.rule("L7")
@pytest.mark.parametrize("target", ["repository", "manifest", "tag"])
async def test_what_is_locked_in_every_way_can_be_opened_again(
    client: Client, repository: str, target: str
) -> None:
    image, another = await two_images(client, repository)
    locked = target_of(target, image)
    (event,) = await set_attributes(client, repository, locked, **ALL_FALSE)
    assert (event.operation, event.repository) == (Operation.UPDATE, repository)
    assert (event.origin.actor, event.origin.request_id) == ("somebody", "request-1")
    assert event.attributes == ALL_FALSE
    assert event.digest == ("" if target == "repository" else image.digest)
    assert event.tag == ("v1" if target == "tag" else "")
    stored = await rows(client, repository)
    shown = [row for row in stored.values() if row.values.get("WriteEnabled") is False]
    assert len(shown) == (1 if target == "repository" else 2)  # With the row that lists it.
    await set_attributes(client, repository, locked, **ALL_TRUE)
    for what in (*PULLS, *CHANGES):
        answer = await ask(client, repository, what, image, another)
        assert answer.status_code in (200, 201, 202, 307), (what, answer.text)
        assert what != "mount a blob" or answer.status_code == 201


@pytest.mark.rule("L4")
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("target", ["repository", "manifest", "tag"])
async def test_a_push_that_changes_nothing_is_201_whatever_is_locked(
    client: Client, repository: str, target: str, column: str
) -> None:
    image = await client.push_image(repository, "v1")
    await set_attributes(client, repository, target_of(target, image), **{column: False})
    for reference in ("v1", image.digest):
        answer = await client.put_manifest(repository, reference, image.manifest)
        assert answer.status_code == 201, answer.text


@pytest.mark.rule("L4")
async def test_the_same_digest_may_be_pushed_again_under_a_locked_tag(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await set_attributes(client, repository, Tag("v1"), WriteEnabled=False)
    assert (await client.put_manifest(repository, "v1", image.manifest)).status_code == 201
    row = (await rows(client, repository))["t:v1"]
    assert row.values["WriteEnabled"] is False


async def test_a_locked_tag_keeps_the_other_tags_of_a_push_where_they_are(
    client: Client, repository: str
) -> None:
    image, another = await two_images(client, repository)
    await set_attributes(client, repository, Tag("v1"), WriteEnabled=False)
    reference = f"{digest_of(another.manifest)}?tag=v0&tag=v1&tag=v2"
    assert is_refused(await client.put_manifest(repository, reference, another.manifest))
    tags = (await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    assert tags == ["v1"]
    head = await client.send("HEAD", f"/v2/{repository}/manifests/v1")
    assert head.headers["docker-content-digest"] == image.digest


@pytest.mark.rule("R1", "L6")
@pytest.mark.parametrize("what", PULLS)
async def test_a_repository_that_may_not_be_read_stops_pulls_at_once_here_and_soon_elsewhere(
    client: Client, other: Client, repository: str, what: str
) -> None:
    image, another = await two_images(client, repository)

    async def is_pulled(instance: Client) -> bool:
        answer = await ask(instance, repository, what, image, another)
        if what == "mount a blob":
            assert answer.status_code in (201, 202), answer.text
            return bool(answer.status_code == 201)
        return not is_refused(answer)

    assert await is_pulled(client)
    assert await is_pulled(other)
    await set_attributes(client, repository, ReadEnabled=False)
    assert not await is_pulled(client)
    later = time.monotonic() + other.services.settings.cache_ttl.total_seconds() + 1
    other.services.manifests._attributes._now = lambda: later
    assert not await is_pulled(other)
    # Whoever may push asks what is there, and pushes all the same.
    layer = f"/v2/{repository}/blobs/{digest_of(image.layer)}"
    assert (await other.send("HEAD", layer)).status_code == 200
    assert (await other.put_manifest(repository, "new", another.manifest)).status_code == 201


@pytest.mark.rule("L5")
async def test_a_repository_that_may_not_be_deleted_outlives_its_images_until_it_may(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    await set_attributes(client, repository, DeleteEnabled=False)
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await client.send("DELETE", url)).status_code == 202
    tags = await client.send("GET", f"/v2/{repository}/tags/list")
    assert (tags.status_code, tags.json()["tags"]) == (200, [])
    assert repository in (await client.send("GET", "/v2/_catalog?n=1000")).json()["repositories"]
    await set_attributes(client, repository, DeleteEnabled=True)
    tags = await client.send("GET", f"/v2/{repository}/tags/list")
    assert tags.json()["errors"][0]["code"] == "NAME_UNKNOWN"
    listed = (await client.send("GET", "/v2/_catalog?n=1000")).json()["repositories"]
    assert repository not in listed
    assert await rows(client, repository) == {}


async def test_what_does_not_exist_has_no_attributes(client: Client, repository: str) -> None:
    with pytest.raises(NameUnknown):
        await set_attributes(client, repository, WriteEnabled=False)
    image = await client.push_image(repository, "v1")
    for target in (Tag("v2"), Digest.of(b"absent")):
        with pytest.raises(ManifestUnknown):
            await set_attributes(client, repository, target, WriteEnabled=False)
    await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    with pytest.raises(NameUnknown):
        await set_attributes(client, repository, Tag("v1"), WriteEnabled=False)


@pytest.mark.rule("L7")
async def test_a_lock_does_not_change_when_the_repository_was_updated_last(
    client: Client, repository: str
) -> None:
    await client.push_image(repository, "v1")
    before = (await rows(client, repository))[repository_rows.LAST_UPDATE]
    await set_attributes(client, repository, WriteEnabled=False)
    await set_attributes(client, repository, Tag("v1"), WriteEnabled=False)
    assert (await rows(client, repository))[repository_rows.LAST_UPDATE] == before


@pytest.mark.rule("P6", "L2")
async def test_a_push_that_began_before_the_repository_was_locked_is_refused(
    client: Client, other: Client, repository: str
) -> None:
    await client.push_image(repository, "keep")
    image = Image.make()
    await push_blobs(client, repository, image)
    gate = Gate(client.hook, lambda call: call.method == "POST" and call.depth == 3)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    await set_attributes(other, repository, WriteEnabled=False)
    gate.open()
    assert is_refused(await push)
    assert "t:v1" not in await rows(client, repository)


OVERTAKEN = [
    (target, column, what)
    for (target, column), forbidden in FORBIDDEN.items()
    for what in sorted(forbidden & {"untag", "delete the manifest", "tag the manifest"})
]


@pytest.mark.rule("P6", "L2", "L3")
@pytest.mark.parametrize(("target", "column", "what"), OVERTAKEN)
async def test_what_began_before_a_lock_is_refused_after_it(
    client: Client, other: Client, repository: str, target: str, column: str, what: str
) -> None:
    """It has read everything, and is about to write."""
    image, another = await two_images(client, repository)
    await client.push_image(repository, "keep")
    gate = Gate(
        client.hook,
        lambda call: any(
            each.resource == repository_rows.TABLE and not each.is_read for each in call.operations
        ),
    )
    change = asyncio.create_task(ask(client, repository, what, image, another))
    await gate.reached.wait()
    await set_attributes(other, repository, target_of(target, image), **{column: False})
    gate.open()
    assert is_refused(await change)
    head = await other.send("HEAD", f"/v2/{repository}/manifests/v1")
    assert head.headers["docker-content-digest"] == image.digest
    assert "t:v2" not in await rows(other, repository)


@pytest.mark.rule("F5")
async def test_a_lock_that_came_too_late_says_so_though_its_answer_was_lost(
    client: Client, other: Client, repository: str
) -> None:
    """That nothing is there does not mean that the lock has done its work."""
    image = await client.push_image(repository, "")
    await client.push_image(repository, "keep")
    gate = Gate(
        client.hook,
        lambda call: any(not each.is_read for each in call.operations),
        loses_answer=True,
    )
    target = Digest.parse(image.digest)
    lock = asyncio.create_task(set_attributes(client, repository, target, DeleteEnabled=False))
    await gate.reached.wait()
    deleted = await other.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    assert deleted.status_code == 202
    gate.open()
    with pytest.raises(ManifestUnknown):
        await lock


@pytest.mark.rule("F6", "L5")
async def test_an_empty_repository_goes_though_its_last_update_is_missing(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "only")
    await set_attributes(client, repository, DeleteEnabled=False)
    answer = await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    assert answer.status_code == 202
    table = client.services.connection.table(repository_rows.TABLE)
    partition = repository_rows.partition(RepositoryName(repository))
    await table.transact(partition, [tables.delete(repository_rows.LAST_UPDATE)])
    await set_attributes(client, repository, DeleteEnabled=True)
    assert await rows(client, repository) == {}


@pytest.mark.rule("L7")
async def test_a_late_change_of_the_entry_does_not_undo_a_later_one(
    client: Client, other: Client, repository: str
) -> None:
    """Somebody hides a repository, and is slow; another shows it again before that has ended."""
    await client.push_image(repository, "latest")

    def writes_entry(call: SeenCall) -> bool:
        return any(each.resource == "catalog" and not each.is_read for each in call.operations)

    gate = Gate(client.hook, writes_entry)
    hiding = asyncio.create_task(set_attributes(client, repository, ListEnabled=False))
    await gate.reached.wait()
    await set_attributes(other, repository, ListEnabled=True)
    gate.open()
    await hiding
    listed = (await client.send("GET", "/v2/_catalog?n=1000")).json()["repositories"]
    assert repository in listed
