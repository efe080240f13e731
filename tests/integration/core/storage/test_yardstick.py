"""Every operation on storage, by our own requests and by Azure's SDKs: values, conditions, errors.

The SDKs are the yardstick. Each test does the same through both, on rows and objects of its own
for each, and compares what was answered and what is there afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.data.tables import EdmType, EntityProperty, UpdateMode
from azure.data.tables.aio import TableClient
from azure.storage.blob import BlobType
from azure.storage.blob.aio import BlobClient, ContainerClient

from devhost.processes.azurite import Azurite
from registry_core.settings import StorageSettings
from registry_core.storage import tables
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from registry_core.storage.documents import Documents
from registry_core.storage.entities import Int64
from registry_core.storage.faults import (
    ConditionFailed,
    RowMissing,
    StorageFault,
    StoreMissing,
    refusal,
)
from registry_core.storage.objects import AppendRefused, Objects
from registry_core.storage.tables import RowChange, Table

TABLE, CONTAINER = "yardstick", "yardstick"
KEYS = [
    "m:sha256:0a",
    "plain.name,with-marks~!",
    "it's a key",
    "100% + more & less = ü",
    "(a)@$;[b]{c}|^`<>",
]
"""Azure Tables refuses ``/ \\ # ?`` and control characters in keys; the rest is allowed."""
VALUES: Mapping[str, Any] = {
    "Empty": "",
    "Text": 'quotes " and \\ and ü and \U0001f40b and \r\n--changeset_ HTTP/1.1 404',
    "Long": "ü" * tables.PROPERTY_CHARACTERS,
    "Yes": True,
    "No": False,
    "Small": 7,
    "Negative": -(2**31),
    "Large": tables.int64(2**63 - 1),
    "Zero": tables.int64(0),
    "Bytes": bytes(range(256)),
    "NoBytes": b"",
}


@dataclass
class Both:
    """One account, through our own requests and through the SDKs."""

    connection: Connection
    rows: TableClient
    container: ContainerClient
    partition: str
    """Of our rows; the SDK's have another."""

    @property
    def ours(self) -> Table:
        return self.connection.table(TABLE)

    @property
    def objects(self) -> Objects:
        return Objects(self.connection, CONTAINER)

    @property
    def other(self) -> str:
        return f"{self.partition} of the SDK"

    def blob(self, name: str) -> BlobClient:
        return self.container.get_blob_client(name)

    async def sdk_rows(self, partition: str) -> dict[str, dict[str, Any]]:
        """The rows of a partition as the SDK reads them."""
        found = {}
        pages = self.rows.query_entities("PartitionKey eq @p", parameters={"p": partition})
        async for entity in pages:
            values = {name: plain(value) for name, value in entity.items()}
            del values["PartitionKey"]
            found[values.pop("RowKey")] = values
        return found

    async def our_rows(self, partition: str) -> dict[str, dict[str, Any]]:
        """The same as we read them."""
        return {row.key: dict(row.values) for row in await self.ours.query(partition, " ", "\x7f")}


def plain(value: Any) -> Any:
    return value.value if isinstance(value, EntityProperty) else value


@pytest.fixture
async def both(azurite: Azurite) -> AsyncIterator[Both]:
    connection = Connection(StorageSettings(azurite.connection_string), CallHook())
    await connection.make((TABLE,), (CONTAINER,))
    text = azurite.connection_string
    async with (
        TableClient.from_connection_string(text, TABLE) as rows,
        ContainerClient.from_connection_string(text, CONTAINER) as container,
    ):
        yield Both(connection, rows, container, f"it's {secrets.token_hex(8)}")
    await connection.close()


def entity(partition: str, change: RowChange) -> dict[str, Any]:
    """What the SDK is given for a change."""
    values = {
        name: EntityProperty(int(value), EdmType.INT64) if isinstance(value, Int64) else value
        for name, value in change.values.items()
    }
    return {"PartitionKey": partition, "RowKey": change.key, **values}


def operation(partition: str, change: RowChange) -> Any:
    kind, mode = {
        "create": ("create", None),
        "update": ("update", UpdateMode.MERGE),
        "replace": ("update", UpdateMode.REPLACE),
        "upsert": ("upsert", UpdateMode.REPLACE),
        "merge_or_insert": ("upsert", UpdateMode.MERGE),
        "delete": ("delete", None),
    }[change.kind]
    options: dict[str, Any] = {"mode": mode} if mode else {}
    if change.etag is not None:
        options |= {"etag": change.etag, "match_condition": MatchConditions.IfNotModified}
    return kind, entity(partition, change), options


async def outcome(attempt: Awaitable[Any]) -> type[Exception] | None:
    """The fault that an attempt ends in, ours or the SDK's; None where it succeeds."""
    try:
        await attempt
    except (StorageFault, AppendRefused) as fault:
        return type(fault)
    except HttpResponseError as error:
        code = str(getattr(error, "error_code", "") or "").rpartition(".")[2]
        code = getattr(getattr(error, "error_code", ""), "value", code)
        return type(refusal(error.status_code or 0, {"x-ms-error-code": code}))
    return None


async def same_outcome(
    ours: Awaitable[Any], theirs: Awaitable[Any], differs: Mapping[Any, Any] | None = None
) -> type[Exception] | None:
    """Both end in the same; `differs` has what another of our exceptions stands for."""
    expected = await outcome(theirs)
    assert await outcome(ours) is (differs or {}).get(expected, expected)
    return expected


@pytest.mark.parametrize("key", KEYS)
async def test_what_either_writes_both_read_as_the_same(both: Both, key: str) -> None:
    change = tables.insert(key, **VALUES)
    await both.ours.transact(both.partition, [change])
    await both.rows.create_entity(entity(both.other, change))
    for partition in (both.partition, both.other):
        assert await both.sdk_rows(partition) == {key: dict(VALUES)}
        assert await both.our_rows(partition) == {key: dict(VALUES)}
        ours = await both.ours.get(partition, key)
        theirs = await both.rows.get_entity(partition, key)
        assert ours is not None
        assert (ours.partition, ours.key, dict(ours.values)) == (partition, key, dict(VALUES))
        assert (ours.etag, ours.timestamp) == (
            theirs.metadata["etag"],
            theirs.metadata["timestamp"],
        )


async def test_columns_that_are_chosen_are_the_same_for_both(both: Both) -> None:
    await both.ours.transact(both.partition, [tables.insert("k", A="x", B=tables.int64(2), C=True)])
    for chosen in ([], ["B"], ["A", "Absent"]):
        ours = await both.ours.get(both.partition, "k", chosen)
        theirs = await both.rows.get_entity(
            both.partition, "k", select=["PartitionKey", "RowKey", "Timestamp", *chosen]
        )
        assert ours is not None
        assert dict(ours.values) == {n: plain(v) for n, v in theirs.items() if n in chosen}
        assert ours.etag == theirs.metadata["etag"]


Change = Callable[[str], RowChange]
"""A change of row `k`, which was of the version given."""
WRONG = "W/\"datetime'2026-01-01T00%3A00%3A00.0000000Z'\""
CHANGES: Mapping[str, Change] = {
    "insert": lambda _: tables.insert("k", B="b"),
    "merge": lambda _: tables.merge("k", B="b"),
    "merge-on-its-version": lambda etag: tables.merge("k", etag, B="b"),
    "merge-on-another-version": lambda _: tables.merge("k", WRONG, B="b"),
    "replace-on-its-version": lambda etag: tables.replace("k", etag, B="b"),
    "replace-on-another-version": lambda _: tables.replace("k", WRONG, B="b"),
    "upsert": lambda _: tables.upsert("k", B="b"),
    "merge-or-insert": lambda _: tables.merge_or_insert("k", B="b"),
    "delete": lambda _: tables.delete("k"),
    "delete-on-its-version": lambda etag: tables.delete("k", etag),
    "delete-on-another-version": lambda _: tables.delete("k", WRONG),
}


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "absent"])
@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_succeeds_or_is_refused_alike_and_leaves_the_same(
    both: Both, name: str, is_there: bool
) -> None:
    """With another beside it, which is made or not with it."""
    etags = {both.partition: WRONG, both.other: WRONG}
    for partition in etags:
        if is_there:
            await both.rows.create_entity({"PartitionKey": partition, "RowKey": "k", "A": "a"})
            found = await both.rows.get_entity(partition, "k")
            etags[partition] = str(found.metadata["etag"])
    beside = tables.insert("beside", N=tables.int64(1))
    ours = [beside, CHANGES[name](etags[both.partition])]
    theirs = [beside, CHANGES[name](etags[both.other])]
    refused = await same_outcome(
        both.ours.transact(both.partition, ours),
        both.rows.submit_transaction([operation(both.other, each) for each in theirs]),
    )
    left = await both.sdk_rows(both.partition)
    assert left == await both.sdk_rows(both.other)
    assert ("beside" in left) is (refused is None)


async def test_the_versions_that_a_transaction_answers_are_those_of_its_rows(both: Both) -> None:
    await both.ours.transact(both.partition, [tables.insert("gone"), tables.insert("kept")])
    changes = [
        tables.upsert("kept", A="x"),
        tables.delete("gone"),
        *(tables.insert(f"n{number:02}", A="y") for number in range(98)),
    ]
    versions = await both.ours.transact(both.partition, changes)
    found = await both.ours.query(both.partition, " ", "\x7f")
    assert versions == {row.key: row.etag for row in found}
    assert len(versions) == 99


@pytest.mark.parametrize("size", [1, 3, 4, 1000])
@pytest.mark.parametrize("having", ["", "Live"])
async def test_pages_hold_the_same_rows_in_the_same_order(
    both: Both, size: int, having: str
) -> None:
    rows = [
        tables.insert(f"k:{number}'", Live=True, N=number)
        if number % 3
        else tables.insert(f"k:{number}'", N=number)
        for number in range(8)
    ]
    await both.ours.transact(both.partition, rows)
    ours = both.ours.pages(both.partition, "k:1'", "k:7'", ["N"], size, having)
    theirs = both.rows.query_entities(
        "PartitionKey eq @p and RowKey ge @first and RowKey lt @end"
        + (" and Live eq true" if having else ""),
        parameters={"p": both.partition, "first": "k:1'", "end": "k:7'"},
        results_per_page=size,
        select=["PartitionKey", "RowKey", "Timestamp", "N"],
    ).by_page()
    expected = [[(each["RowKey"], each["N"]) async for each in page] async for page in theirs]
    assert [[(row.key, row.values["N"]) for row in page] async for page in ours] == expected
    assert sum(map(len, expected)) == (4 if having else 6)


async def test_what_lies_in_no_table_or_container_is_told_as_such(both: Both) -> None:
    absent = both.connection.table("absent")
    objects = Objects(both.connection, "absent")
    attempts: Sequence[Awaitable[Any]] = [
        absent.get("p", "k"),
        absent.query("p", "a", "b"),
        absent.transact("p", [tables.insert("k")]),
        objects.create("x", {}),
        objects.put("x", b"x", {}),
        objects.read_all(objects.location("x"), 1),
    ]
    assert [await outcome(each) for each in attempts] == [StoreMissing] * len(attempts)


REFUSED = {RowMissing: AppendRefused, ConditionFailed: AppendRefused}
"""An append says just that it was refused."""
METADATA = {"upload": "a1", "other": "value with spaces, and = signs"}
NAMES = ["uploads/2026-01-01/x", "a b+c%20d~(e)"]


@pytest.mark.parametrize("name", NAMES)
async def test_an_append_blob_is_made_and_grows_alike(both: Both, name: str) -> None:
    ours, theirs = f"ours/{name}", f"theirs/{name}"
    objects, blob = both.objects, both.blob(theirs)

    async def append(etag: str, offset: int) -> Any:
        return await blob.append_block(
            b"more",
            appendpos_condition=offset,
            etag=etag,
            match_condition=MatchConditions.IfNotModified,
        )

    await same_outcome(
        objects.append(ours, memoryview(b"more"), 0, '"0x1"'), append('"0x1"', 0), REFUSED
    )
    etag = await objects.create(ours, METADATA)
    created = await blob.create_append_blob(
        metadata=METADATA, match_condition=MatchConditions.IfMissing
    )
    other = str(created["etag"])
    await same_outcome(
        objects.create(ours, METADATA),
        blob.create_append_blob(metadata=METADATA, match_condition=MatchConditions.IfMissing),
    )
    for offset in (1, 0):
        refused = await same_outcome(
            objects.append(ours, memoryview(b"more"), offset, etag), append(other, offset), REFUSED
        )
        assert (refused is None) is (offset == 0)
    # By now it is another version.
    await same_outcome(
        objects.append(ours, memoryview(b"more"), 4, etag), append(other, 4), REFUSED
    )
    for each in (ours, theirs):
        state, properties = await objects.state(each), await both.blob(each).get_blob_properties()
        assert state is not None
        assert (state.size, state.etag, dict(state.metadata)) == (
            properties.size,
            properties.etag,
            properties.metadata,
        )
        assert (state.size, dict(state.metadata)) == (4, METADATA)
        assert properties.blob_type is BlobType.APPENDBLOB


# aiohttp's, of the SDK that hands it so many bytes at once.
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
async def test_an_object_is_put_once_and_its_metadata_replaced_alike(both: Both) -> None:
    content, objects, blob = secrets.token_bytes(3 * 1024 * 1024), both.objects, both.blob("theirs")

    def put() -> Awaitable[Any]:
        return blob.upload_blob(content, metadata=METADATA, overwrite=False, max_concurrency=1)

    for _ in range(2):
        await same_outcome(objects.put("ours", content, METADATA), put())
    for name in ("ours", "theirs"):
        assert await objects.read_all(objects.location(name), len(content)) == content
        assert await (await both.blob(name).download_blob()).readall() == content
        settings = (await both.blob(name).get_blob_properties()).content_settings
        assert settings.content_type == "application/octet-stream"
    for metadata, right in (({"a": "1"}, True), ({"a": "2"}, False), ({}, True)):
        state = await objects.state("ours")
        theirs = await blob.get_blob_properties()
        assert state is not None
        await same_outcome(
            objects.set_metadata("ours", metadata, state.etag if right else '"0x1"'),
            blob.set_blob_metadata(
                metadata,
                etag=theirs.etag if right else '"0x1"',
                match_condition=MatchConditions.IfNotModified,
            ),
        )
        state = await objects.state("ours")
        assert state is not None
        assert dict(state.metadata) == (await blob.get_blob_properties()).metadata


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (0, 1), (3, 4), (9, 1), (5, 100), (10, 1), (11, 5), (0, 0)]
)
async def test_a_range_holds_the_same_bytes(both: Both, offset: int, length: int) -> None:
    name = secrets.token_hex(8)
    await both.blob(name).upload_blob(b"0123456789")
    objects = both.objects
    if length:
        await same_outcome(
            objects.open(objects.location(name), offset, length),
            both.blob(name).download_blob(offset=offset, length=length),
        )
    if offset < 10:
        chunks = [each async for each in objects.read(objects.location(name), offset, length)]
        assert b"".join(chunks) == b"0123456789"[offset : offset + length]


async def test_what_is_read_on_its_version_is_that_version(both: Both) -> None:
    objects, name = both.objects, secrets.token_hex(8)
    etag = (await both.blob(name).upload_blob(b"0123456789"))["etag"]
    for version in (etag, '"0x1"'):
        await same_outcome(
            objects.open(objects.location(name), 0, 10, version),
            both.blob(name).download_blob(
                etag=version, match_condition=MatchConditions.IfNotModified
            ),
        )
    absent = objects.location("absent")
    await same_outcome(objects.open(absent, 0, 1), both.blob("absent").download_blob())
    assert await objects.state("absent") is None


async def test_a_document_is_written_on_its_version_alike(both: Both) -> None:
    documents, blob = Documents(both.connection, CONTAINER), both.blob("theirs.json")
    assert await documents.read("ours.json") is None
    for content, version in ((b"{}", ""), (b"{1}", ""), (b"{2}", '"0x1"'), (b"{3}", "right")):
        ours = theirs = version
        if version == "right":
            found = await documents.read("ours.json")
            assert found is not None
            ours, theirs = found[1], (await blob.get_blob_properties()).etag
        options: dict[str, Any] = {"overwrite": False}
        if version:
            unchanged = MatchConditions.IfNotModified
            options = {"overwrite": True, "etag": theirs, "match_condition": unchanged}
        await same_outcome(
            documents.write("ours.json", content, ours), blob.upload_blob(content, **options)
        )
        read = await documents.read("ours.json")
        assert read is not None
        assert read[0] == await (await blob.download_blob()).readall()
