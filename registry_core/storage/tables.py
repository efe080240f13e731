"""Tables as the protocol sees them: point reads, ordered ranges, entity group transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from azure.core import MatchConditions
from azure.data.tables import EdmType, EntityProperty, UpdateMode
from azure.data.tables.aio import TableClient

from registry_core.storage.faults import NO_RETRY, RowMissing, reading, translated

MAX_TRANSACTION_ROWS = 100
"""The most rows in one entity group transaction (Azure Tables)."""
PROPERTY_CHARACTERS = 32 * 1024
"""The most characters in one column (Azure Tables: 64 KiB of UTF-16)."""
MAX_PAGE = 1000
"""The most rows that one query call answers."""
LEAST_FILTERED_PAGE = 100
"""The fewest rows asked for in a page of a query that leaves rows out: few pages pass over many."""

_KEYS = ("PartitionKey", "RowKey")


@dataclass(frozen=True)
class Row:
    """A row as it was read."""

    partition: str
    key: str
    values: Mapping[str, Any]
    etag: str
    timestamp: datetime
    """The server's own time of the last change; the only time that decides what is old."""

    def text(self, column: str) -> str:
        """A string column; empty if it is missing."""
        value = self.values.get(column)
        return value if isinstance(value, str) else ""

    def number(self, column: str) -> int:
        """An integer column; 0 if it is missing."""
        value = self.values.get(column, 0)
        return int(value.value if isinstance(value, EntityProperty) else value)

    def time(self, column: str) -> datetime:
        """A time column, written by `time_value`."""
        return parse_time(self.text(column))


@dataclass(frozen=True)
class Page:
    """Rows from the beginning of a range."""

    rows: list[Row]
    is_last: bool
    """Whether the range is known to end with them; else a further read may find more, or none."""


def int64(value: int) -> EntityProperty:
    """An integer column of 64 bits."""
    return EntityProperty(value, EdmType.INT64)


def time_value(time: datetime) -> str:
    """A time as the rows keep it: RFC 3339, UTC, microseconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The time that `time_value` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def split_text(name: str, text: str) -> dict[str, str]:
    """A long text as the columns `name0`, `name1` and so on."""
    starts = range(0, len(text), PROPERTY_CHARACTERS)
    return {f"{name}{i}": text[s : s + PROPERTY_CHARACTERS] for i, s in enumerate(starts)}


def join_text(name: str, values: Mapping[str, Any], limit: int) -> str:
    """The text of at most `limit` characters that `split_text` split."""
    count = -(-limit // PROPERTY_CHARACTERS)
    return "".join(values.get(f"{name}{i}", "") for i in range(count))


@dataclass(frozen=True)
class RowChange:
    """One row's part in a transaction. An `etag` makes it conditional on that version."""

    kind: str
    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    etag: str | None = None


def insert(key: str, **values: Any) -> RowChange:
    """Adds a row that must not exist (409)."""
    return RowChange("create", key, values)


def merge(key: str, etag: str | None = None, /, **values: Any) -> RowChange:
    """Changes some columns of a row that must exist (404), and be at `etag` if given (412)."""
    return RowChange("update", key, values, etag)


def upsert(key: str, **values: Any) -> RowChange:
    """Writes a row whole, whatever was there. Never for rows with attributes or times."""
    return RowChange("upsert", key, values)


def replace(key: str, etag: str, /, **values: Any) -> RowChange:
    """Writes a row that must be at `etag` (412) anew: nothing of what it held stays."""
    return RowChange("replace", key, values, etag)


def merge_or_insert(key: str, **values: Any) -> RowChange:
    """Inserts a row, or changes just these columns of the one that is there."""
    return RowChange("merge_or_insert", key, values)


def combine(changes: Iterable[RowChange]) -> list[RowChange]:
    """The changes with all merges of one row made one: a transaction may name a row once."""
    combined: dict[str, RowChange] = {}
    for change in changes:
        other = combined.get(change.key)
        if other is not None:
            if {change.kind, other.kind} != {"update"}:
                raise ValueError(f"two changes of row {change.key}")
            values = {**other.values, **change.values}
            combined[change.key] = merge(change.key, other.etag or change.etag, **values)
        else:
            combined[change.key] = change
    return list(combined.values())


def delete(key: str, etag: str | None = None) -> RowChange:
    """Removes a row that must exist (404), and be at `etag` if given (412)."""
    return RowChange("delete", key, {}, etag)


class Table:
    """One table. Refusals are raised as the faults of `registry_core.storage.faults`."""

    def __init__(self, client: TableClient) -> None:
        self._client = client

    async def get(
        self, partition: str, key: str, columns: Sequence[str] | None = None
    ) -> Row | None:
        """The row, or None; with all its columns, or just those named."""
        select = None if columns is None else [*_KEYS, "Timestamp", *columns]
        try:
            with reading():
                return _row(await self._client.get_entity(partition, key, select=select))
        except RowMissing:
            return None

    async def query(
        self,
        partition: str,
        first: str,
        end: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        having: str = "",
    ) -> list[Row]:
        """The rows from key `first` to before key `end`, in order: all, or at most `limit`.

        With `having`, only those in which that column is true.
        """
        if limit is not None:
            return (await self.page(partition, first, end, columns, limit, having)).rows
        pages = self._pages(partition, first, end, columns, MAX_PAGE, having)
        return [row async for page in pages for row in page.rows]

    async def page(
        self,
        partition: str,
        first: str,
        end: str,
        columns: Sequence[str] | None,
        limit: int,
        having: str = "",
    ) -> Page:
        """The first `limit` rows from key `first` to before key `end`, or all that there are.

        A page that storage answers may be short or empty and still have a continuation: it is
        followed until `limit` rows are there or the range has ended.
        """
        rows: list[Row] = []
        size = min(limit, MAX_PAGE)
        if having:
            # Storage may end a page early where it has passed over many rows.
            size = max(size, min(LEAST_FILTERED_PAGE, MAX_PAGE))
        async for page in self._pages(partition, first, end, columns, size, having):
            rows.extend(page.rows)
            if page.is_last or len(rows) >= limit:
                return Page(rows[:limit], page.is_last and len(rows) <= limit)
        return Page(rows, is_last=True)

    async def pages(
        self,
        partition: str,
        first: str,
        end: str,
        columns: Sequence[str] | None = None,
        size: int = MAX_PAGE,
        having: str = "",
    ) -> AsyncIterator[list[Row]]:
        """The rows from key `first` to before key `end`, in order, up to `size` a storage call."""
        async for page in self._pages(partition, first, end, columns, size, having):
            yield page.rows

    async def _pages(
        self,
        partition: str,
        first: str,
        end: str,
        columns: Sequence[str] | None,
        size: int,
        having: str,
    ) -> AsyncIterator[Page]:
        only = f" and {having} eq true" if having else ""
        pages: Any = self._client.query_entities(
            f"PartitionKey eq @partition and RowKey ge @first and RowKey lt @end{only}",
            parameters={"partition": partition, "first": first, "end": end},
            select=None if columns is None else [*_KEYS, "Timestamp", *columns],
            results_per_page=size,
        ).by_page()
        with reading():
            async for page in pages:
                rows = [_row(entity) async for entity in page]
                # None once storage has told of no continuation.
                yield Page(rows, pages.continuation_token is None)

    async def transact(self, partition: str, changes: Sequence[RowChange]) -> dict[str, str]:
        """Makes all the changes or none; answers the new version of each row that is left, by key.

        At most 100 changes, each of another row.

        Raises `RowMissing`, `RowExists`, `ConditionFailed` for the first that is refused, and
        `Ambiguous` when nobody knows. Never retried here: the caller reads again and decides.
        """
        operations = [_operation(partition, change) for change in changes]
        with translated():
            answers = await self._client.submit_transaction(operations, **NO_RETRY)
        pairs = zip(changes, answers, strict=True)
        return {change.key: answer["etag"] for change, answer in pairs if answer.get("etag")}


def _operation(partition: str, change: RowChange) -> Any:
    entity = {"PartitionKey": partition, "RowKey": change.key, **change.values}
    options: dict[str, Any] = {}
    kind = change.kind
    if kind == "merge_or_insert":
        kind, options["mode"] = "upsert", UpdateMode.MERGE
    elif kind == "update":
        options["mode"] = UpdateMode.MERGE
    elif kind == "replace":
        kind, options["mode"] = "update", UpdateMode.REPLACE
    elif kind == "upsert":
        options["mode"] = UpdateMode.REPLACE
    if change.etag is not None:
        options |= {"etag": change.etag, "match_condition": MatchConditions.IfNotModified}
    return (kind, entity, options)


def _row(entity: Mapping[str, Any]) -> Row:
    metadata: Mapping[str, Any] = entity.metadata  # type: ignore[attr-defined]
    values = {name: value for name, value in entity.items() if name not in _KEYS}
    return Row(
        partition=entity["PartitionKey"],
        key=entity["RowKey"],
        values=values,
        etag=metadata["etag"],
        timestamp=metadata["timestamp"],
    )
