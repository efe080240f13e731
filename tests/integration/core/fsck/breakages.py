"""Ways to break a registry, each by what storage would have lost or garbled."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.collection.partition import partitions
from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.fsck.checker import Checker
from registry_core.lifecycle.fsck.report import Fault
from registry_core.model.digest import Digest
from registry_core.model.invariants import Invariant
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import catalog, rows
from registry_core.storage import tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row, RowChange
from tests.integration.core.soft import keeping
from tests.integration.core.support import (
    OCI_INDEX,
    Client,
    Image,
    digest_of,
    index_of,
)


async def _at_once() -> None:
    """In place of the wait for requests that are under way: there is none."""


@dataclass
class Shelf:
    """An index `v1` of one image, a signature of it, a large manifest, and another image `v2`."""

    client: Client
    name: RepositoryName
    image: Image
    other: Image
    index: str
    signature: Image
    large: Image

    @classmethod
    async def fill(cls, client: Client, repository: str) -> Shelf:
        image = await client.push_image(repository, "")
        index = index_of([image.descriptor])
        assert (await client.put_manifest(repository, "v1", index, OCI_INDEX)).status_code == 201
        return cls(
            client,
            RepositoryName(repository),
            image,
            await client.push_image(repository, "v2"),
            digest_of(index),
            await client.push_image(repository, "", subject=image.descriptor),
            await client.push_image(repository, "large", annotations={"long": "x" * 600_000}),
        )

    @property
    def stores(self) -> Stores:
        return Stores.over(self.client.services.connection)

    @property
    def partition(self) -> str:
        return rows.partition(self.name)

    @property
    def layer(self) -> str:
        """The digest of a layer that `v2` needs."""
        return digest_of(self.other.layer)

    @property
    def digests(self) -> Iterable[str]:
        """All blobs that it has."""
        images = (self.image, self.other, self.signature, self.large)
        return [*(digest_of(blob) for each in images for blob in each.blobs), self.large.digest]

    async def row(self, key: str) -> Row:
        found = await self.stores.repositories.get(self.partition, key)
        assert found is not None, key
        return found

    async def blob_row(self, key: str, digest: str = "") -> Row:
        found = await self.stores.blobs.get(digest or self.layer, key)
        assert found is not None, key
        return found

    async def location(self, digest: str = "") -> Location:
        return blob_rows.Link.from_row(await self.blob_row(blob_rows.BLOB, digest)).location

    async def change(self, *changes: RowChange) -> None:
        await self.stores.repositories.transact(self.partition, changes)

    async def change_blob(self, *changes: RowChange, digest: str = "") -> None:
        await self.stores.blobs.transact(digest or self.layer, changes)

    async def check(self, by: Client | None = None, *, repair: bool = False) -> list[Fault]:
        """What is broken here, by the check; it looks at nothing else."""
        found = list[Fault]()
        stores = Stores.over((by or self.client).services.connection)
        checker = Checker(stores, found.append, wait=_at_once, repair=repair)
        await checker.check_repository(self.name)
        for digest in self.digests:
            read = await stores.blobs.query(digest, blob_rows.FIRST, blob_rows.END)
            await checker.check_blobs(list(partitions(read)))
        await checker.judge_later()
        await checker.look_for_lost()
        assert (checker.report.failed, checker.report.unsettled) == (0, 0)
        return found


Break = Callable[[Shelf], Awaitable[str]]
"""Breaks something; answers the key of the row that is named."""


@dataclass(frozen=True)
class Breakage:
    """A way to break a registry."""

    invariant: Invariant
    break_: Break
    is_lost: bool = False
    """Whether no repair can mend it."""
    is_only_pushed: bool = False
    """Whether the bytes are lost, so that they have to be pushed again before the repair."""
    is_alone: bool = True
    """Whether nothing else is broken by it."""

    @property
    def name(self) -> str:
        return f"{self.invariant.value}-{self.break_.__name__}"


BREAKAGES: list[Breakage] = []


def breakage(invariant: Invariant, **options: bool) -> Callable[[Break], Break]:
    def register(break_: Break) -> Break:
        BREAKAGES.append(Breakage(invariant, break_, **options))
        return break_

    return register


def _tag(name: str) -> str:
    return rows.tag_key(Tag(name))


async def _without(shelf: Shelf, key: str) -> str:
    await shelf.change(tables.delete(key))
    return key


async def _with(shelf: Shelf, key: str, **columns: Any) -> str:
    await shelf.change(tables.insert(key, **columns))
    return key


async def _by_time(shelf: Shelf, range_: rows.Range, name: str) -> str:
    found = await shelf.stores.repositories.query(shelf.partition, range_.first, range_.end, ())
    return next(row.key for row in found if rows.name_in(row.key) == name)


# The repository itself.


@breakage(Invariant.REPOSITORY, is_alone=False)
async def the_repository_is_missing(shelf: Shelf) -> str:
    return await _without(shelf, rows.REPOSITORY)


@breakage(Invariant.GUARDS)
async def the_guard_of_pushes_is_missing(shelf: Shelf) -> str:
    return await _without(shelf, rows.PUSH_GUARD)


@breakage(Invariant.GUARDS)
async def the_guard_of_deletions_is_missing(shelf: Shelf) -> str:
    return await _without(shelf, rows.DELETE_GUARD)


@breakage(Invariant.GUARDS)
async def a_guard_of_a_locked_repository_is_there(shelf: Shelf) -> str:
    url = f"/acr/v1/{shelf.name}"
    answer = await shelf.client.send("PATCH", url, json={"writeEnabled": False})
    assert answer.status_code == 200, answer.text
    return await _with(shelf, rows.PUSH_GUARD)


@breakage(Invariant.LAST_UPDATE)
async def the_last_update_is_missing(shelf: Shelf) -> str:
    return await _without(shelf, rows.LAST_UPDATE)


@breakage(Invariant.CATALOG)
async def the_entry_is_missing(shelf: Shelf) -> str:
    entry = tables.delete(catalog.entry_key(shelf.name))
    await shelf.stores.catalog.transact(catalog.PARTITION, [entry])
    return rows.REPOSITORY


@breakage(Invariant.CATALOG)
async def the_entry_is_hidden(shelf: Shelf) -> str:
    entry = tables.merge(catalog.entry_key(shelf.name), **{catalog.HIDDEN_BY: False})
    await shelf.stores.catalog.transact(catalog.PARTITION, [entry])
    return rows.REPOSITORY


# Tags.


@breakage(Invariant.TAG, is_lost=True)
async def a_tag_points_at_what_is_not_there(shelf: Shelf) -> str:
    await shelf.change(tables.merge(_tag("v2"), Digest=digest_of(b"nothing")))
    old = rows.manifest_tag(Digest.parse(shelf.other.digest), Tag("v2"))
    new = rows.manifest_tag(Digest.of(b"nothing"), Tag("v2"))
    by_time = await _by_time(shelf, rows.TAG_TIMES, "v2")
    shown = tables.merge(by_time, Digest=digest_of(b"nothing"))
    await shelf.change(tables.delete(old), tables.insert(new), shown)
    return _tag("v2")


@breakage(Invariant.TAG_ROWS)
async def a_tag_is_not_listed_with_its_manifest(shelf: Shelf) -> str:
    return await _without(shelf, rows.manifest_tag(Digest.parse(shelf.other.digest), Tag("v2")))


@breakage(Invariant.TAG_ROWS)
async def a_tag_that_is_gone_is_listed_with_a_manifest(shelf: Shelf) -> str:
    return await _with(shelf, rows.manifest_tag(Digest.parse(shelf.other.digest), Tag("v9")))


@breakage(Invariant.TAG_ROWS)
async def a_tag_is_not_listed_by_time(shelf: Shelf) -> str:
    return await _without(shelf, await _by_time(shelf, rows.TAG_TIMES, "v2"))


@breakage(Invariant.TAG_ROWS)
async def a_tag_is_listed_by_another_time(shelf: Shelf) -> str:
    return await _with(shelf, f"{rows.TAG_TIMES.prefix}{rows.LATEST:019d}:v2")


@breakage(Invariant.TAG_ROWS)
async def a_tag_is_listed_with_another_attribute(shelf: Shelf) -> str:
    key = await _by_time(shelf, rows.TAG_TIMES, "v2")
    await shelf.change(tables.merge(key, WriteEnabled=False))
    return key


@breakage(Invariant.TAG_ROWS)
async def a_tag_is_listed_with_another_digest(shelf: Shelf) -> str:
    key = await _by_time(shelf, rows.TAG_TIMES, "v2")
    await shelf.change(tables.merge(key, Digest=shelf.index))
    return key


# Manifests.


@breakage(Invariant.MANIFEST_ROWS)
async def a_manifest_is_not_listed_by_time(shelf: Shelf) -> str:
    return await _without(shelf, await _by_time(shelf, rows.MANIFEST_TIMES, shelf.index))


@breakage(Invariant.MANIFEST_ROWS)
async def a_manifest_that_is_gone_is_listed_by_time(shelf: Shelf) -> str:
    gone = rows.manifest_time(rows.time_in(f"M:{rows.LATEST:019d}:x"), Digest.of(b"gone"))
    return await _with(shelf, gone)


@breakage(Invariant.MANIFEST_ROWS)
async def a_manifest_is_listed_with_another_attribute(shelf: Shelf) -> str:
    key = await _by_time(shelf, rows.MANIFEST_TIMES, shelf.index)
    await shelf.change(tables.merge(key, DeleteEnabled=False))
    return key


async def _deleted(shelf: Shelf, range_: rows.Range) -> str:
    """Deletes an image so that it can be restored; answers a key of what that leaves."""
    image = await shelf.client.push_image(shelf.name.text, "v3")
    async with keeping(shelf.client):
        path = f"/v2/{shelf.name}/manifests/{image.digest}"
        assert (await shelf.client.send("DELETE", path)).status_code == 202
    query = shelf.stores.repositories.query
    (row,) = await query(shelf.partition, range_.first, range_.end, ())
    return row.key


@breakage(Invariant.DELETED)
async def a_deleted_manifest_is_not_listed_by_time(shelf: Shelf) -> str:
    return await _without(shelf, await _deleted(shelf, rows.DELETED_MANIFEST_TIMES))


@breakage(Invariant.DELETED)
async def a_manifest_that_cannot_be_restored_is_listed_by_time(shelf: Shelf) -> str:
    await _deleted(shelf, rows.DELETED_MANIFEST_TIMES)
    return await _with(shelf, rows.deleted_manifest(datetime.now(UTC), Digest.of(b"gone")))


@breakage(Invariant.DELETED)
async def a_deleted_tag_is_not_listed_by_time(shelf: Shelf) -> str:
    return await _without(shelf, await _deleted(shelf, rows.DELETED_TAG_TIMES))


@breakage(Invariant.DELETED)
async def a_repository_is_not_listed_in_which_something_was_deleted(shelf: Shelf) -> str:
    await _deleted(shelf, rows.DELETED_MANIFEST_TIMES)
    entry = tables.delete(catalog.entry_key(shelf.name))
    await shelf.stores.catalog.transact(catalog.DELETED, [entry])
    return rows.REPOSITORY


@breakage(Invariant.REFERRERS)
async def a_referrer_is_not_listed(shelf: Shelf) -> str:
    subject, signature = shelf.image.digest, shelf.signature.digest
    return await _without(shelf, rows.referrer(Digest.parse(subject), Digest.parse(signature)))


@breakage(Invariant.REFERRERS)
async def a_referrer_that_is_gone_is_listed(shelf: Shelf) -> str:
    return await _with(shelf, rows.referrer(Digest.parse(shelf.image.digest), Digest.of(b"gone")))


@breakage(Invariant.CHILDREN)
async def a_child_does_not_know_its_index(shelf: Shelf) -> str:
    return await _without(
        shelf, rows.child(Digest.parse(shelf.image.digest), Digest.parse(shelf.index))
    )


@breakage(Invariant.CHILDREN)
async def an_index_is_said_to_hold_what_it_does_not(shelf: Shelf) -> str:
    return await _with(
        shelf, rows.child(Digest.parse(shelf.other.digest), Digest.parse(shelf.index))
    )


@breakage(Invariant.MANIFEST, is_lost=True)
async def the_bytes_of_a_manifest_have_changed(shelf: Shelf) -> str:
    key = rows.manifest_key(Digest.parse(shelf.other.digest))
    content = json.loads(shelf.other.manifest)
    content["annotations"] = {"changed": "yes"}
    await shelf.change(tables.merge(key, Bytes0=json.dumps(content).encode()))
    return key


@breakage(Invariant.MANIFEST, is_lost=True)
async def the_row_of_a_manifest_names_another_size(shelf: Shelf) -> str:
    key = rows.manifest_key(Digest.parse(shelf.other.digest))
    await shelf.change(tables.merge(key, Size=tables.int64(7)))
    return key


@breakage(Invariant.MANIFEST, is_lost=True)
async def the_row_of_a_manifest_does_not_name_its_blobs(shelf: Shelf) -> str:
    key = rows.manifest_key(Digest.parse(shelf.other.digest))
    row = await shelf.row(rows.manifest_key(Digest.parse(shelf.index)))
    await shelf.change(tables.merge(key, Blobs0=row.values["Blobs0"]))
    return key


# What is needed of blobs.


def _need(shelf: Shelf) -> str:
    return blob_rows.requirement(shelf.name, Digest.parse(shelf.other.digest))


@breakage(Invariant.NEEDS)
async def a_need_is_missing(shelf: Shelf) -> str:
    await shelf.change_blob(tables.delete(_need(shelf)))
    return _need(shelf)


@breakage(Invariant.NEEDS)
async def a_need_was_released(shelf: Shelf) -> str:
    await shelf.change_blob(tables.merge(_need(shelf), **{blob_rows.RELEASED: True}))
    return _need(shelf)


@breakage(Invariant.LINKS)
async def a_link_is_missing(shelf: Shelf) -> str:
    await shelf.change_blob(tables.delete(blob_rows.link(shelf.name)))
    return blob_rows.link(shelf.name)


async def _elsewhere(shelf: Shelf) -> Location:
    return dataclasses.replace(await shelf.location(), name="uploads/2026-01-01/elsewhere")


@breakage(Invariant.LOCATIONS)
async def a_link_leads_elsewhere(shelf: Shelf) -> str:
    key = blob_rows.link(shelf.name)
    await shelf.change_blob(tables.merge(key, Location=str(await _elsewhere(shelf))))
    return key


@breakage(Invariant.LOCATIONS)
async def a_link_tells_another_size(shelf: Shelf) -> str:
    key = blob_rows.link(shelf.name)
    await shelf.change_blob(tables.merge(key, Size=tables.int64(7)))
    return key


@breakage(Invariant.CONTENT_ROW)
async def the_row_of_a_blob_is_missing(shelf: Shelf) -> str:
    await shelf.change_blob(tables.delete(blob_rows.BLOB))
    return blob_rows.BLOB


@breakage(Invariant.MARKERS)
async def the_marker_is_missing(shelf: Shelf) -> str:
    key = blob_rows.marker(await shelf.location())
    await shelf.change_blob(tables.delete(key))
    return key


@breakage(Invariant.MARKERS)
async def a_marker_of_another_place_is_there(shelf: Shelf) -> str:
    key = blob_rows.marker(await _elsewhere(shelf))
    await shelf.change_blob(tables.insert(key))
    return key


# Objects.


@breakage(Invariant.OBJECTS)
async def the_row_of_a_blob_tells_another_size(shelf: Shelf) -> str:
    changes = [
        tables.merge(key, Size=tables.int64(7))
        for key in (blob_rows.BLOB, blob_rows.link(shelf.name))
    ]
    await shelf.change_blob(*changes)
    return blob_rows.BLOB


@breakage(Invariant.OBJECTS)
async def the_object_has_no_mark(shelf: Shelf) -> str:
    name = (await shelf.location()).name
    state = await shelf.stores.content.state(name)
    assert state is not None
    await shelf.stores.content.set_metadata(name, {"nonce": state.metadata["nonce"]}, state.etag)
    return blob_rows.BLOB


@breakage(Invariant.OBJECTS, is_only_pushed=True)
async def the_object_is_gone(shelf: Shelf) -> str:
    assert await shelf.stores.content.remove((await shelf.location()).name)
    return blob_rows.BLOB


@breakage(Invariant.MANIFEST, is_lost=True, is_alone=False)
async def the_object_of_a_large_manifest_is_gone(shelf: Shelf) -> str:
    digest = shelf.large.digest
    assert await shelf.stores.content.remove((await shelf.location(digest)).name)
    return rows.manifest_key(Digest.parse(digest))


# Rows that cannot be read.


@breakage(Invariant.READABLE, is_lost=True)
async def an_attribute_is_neither_true_nor_false(shelf: Shelf) -> str:
    await shelf.change(tables.merge(_tag("v2"), WriteEnabled="no"))
    return _tag("v2")


@breakage(Invariant.READABLE, is_lost=True)
async def a_tag_has_no_digest(shelf: Shelf) -> str:
    await shelf.change(tables.merge(_tag("v2"), Digest=""))
    return _tag("v2")


@breakage(Invariant.READABLE, is_lost=True)
async def the_blobs_of_a_manifest_cannot_be_read(shelf: Shelf) -> str:
    key = rows.manifest_key(Digest.parse(shelf.image.digest))
    await shelf.change(tables.merge(key, Blobs0=b"garbled"))
    return key


@breakage(Invariant.READABLE, is_lost=True)
async def a_link_leads_nowhere(shelf: Shelf) -> str:
    key = blob_rows.link(shelf.name)
    await shelf.change_blob(tables.merge(key, Location="nowhere"))
    return key
