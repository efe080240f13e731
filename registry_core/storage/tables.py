"""Tables as the protocol sees them: point reads, ordered ranges, entity group transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from registry_core.storage import entities
from registry_core.storage.calls import Answer, Request
from registry_core.storage.entities import Int64, Part, literal, quoted
from registry_core.storage.faults import Ambiguous, RowMissing, refusal
from registry_core.storage.wire import Service

MAX_TRANSACTION_ROWS = 100
"""The most rows in one entity group transaction (Azure Tables)."""
PROPERTY_CHARACTERS = 32 * 1024
"""The most characters in one column (Azure Tables: 64 KiB of UTF-16)."""
MAX_PAGE = 1000
"""The most rows that one query call answers."""
ACCEPT = "application/json;odata=minimalmetadata"
"""What is asked for beside the values: what tells their types."""
LEAST_FILTERED_PAGE = 100
"""The fewest rows asked for in a page of a query that leaves rows out: few pages pass over many."""

T = TypeVar("T")

_KEYS = ("PartitionKey", "RowKey")
_NEXT = {
    "NextPartitionKey": "x-ms-continuation-nextpartitionkey",
    "NextRowKey": "x-ms-continuation-nextrowkey",
}
"""Where a page ends another begins: the parameter that asks for it, by the header that tells."""
_METHODS = {
    "create": "POST",
    "update": "PATCH",
    "merge_or_insert": "PATCH",
    "replace": "PUT",
    "upsert": "PUT",
    "delete": "DELETE",
}
_ON_WHAT_IS_THERE = frozenset({"update", "replace", "delete"})


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
        return int(self.values.get(column, 0))

    def time(self, column: str) -> datetime:
        """A time column, written by `time_value`."""
        return parse_time(self.text(column))


@dataclass(frozen=True)
class Page:
    """Rows from the beginning of a range."""

    rows: list[Row]
    is_last: bool
    """Whether the range is known to end with them; else a further read may find more, or none."""


def int64(value: int) -> Int64:
    """An integer column of 64 bits."""
    return Int64(value)


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

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name

    async def get(
        self, partition: str, key: str, columns: Sequence[str] | None = None
    ) -> Row | None:
        """The row, or None; with all its columns, or just those named."""
        path = entities.entity_path(self._name, partition, key)
        query = f"?$select={_selected(columns)}" if columns is not None else ""
        try:
            return await self._read(f"{path}{query}", _one)
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
        naming: str = "",
    ) -> AsyncIterator[list[Row]]:
        """The rows from key `first` to before key `end`, in order, up to `size` a storage call.

        With `having`, only those in which that column is true; with `naming`, only those in which
        that column is a text that is not empty.
        """
        async for page in self._pages(partition, first, end, columns, size, having, naming):
            yield page.rows

    async def changed(self, partition: str, first: str, end: str, since: datetime) -> list[Row]:
        """Of the rows from key `first` to before key `end`, those that were changed since a time.

        By storage's own time. What was deleted since is not told.
        """
        time = f"datetime'{time_value(since)}'"
        wanted = f"{_between(partition, first, end)} and Timestamp ge {time}"
        return [row async for page in self._follow(wanted, None, MAX_PAGE) for row in page.rows]

    async def _pages(
        self,
        partition: str,
        first: str,
        end: str,
        columns: Sequence[str] | None,
        size: int,
        having: str,
        naming: str = "",
    ) -> AsyncIterator[Page]:
        only = f" and {having} eq true" if having else ""
        only += f" and {naming} gt {literal('')}" if naming else ""
        wanted = f"{_between(partition, first, end)}{only}"
        async for page in self._follow(wanted, columns, size):
            yield page

    async def scan(
        self, first: str, end: str, columns: Sequence[str] | None = None
    ) -> AsyncIterator[list[Row]]:
        """All rows of the partitions from `first` to before `end`, in order, a page a storage call.

        A partition may go on in the next page.
        """
        wanted = f"PartitionKey ge {literal(first)} and PartitionKey lt {literal(end)}"
        async for page in self._follow(wanted, columns, MAX_PAGE):
            yield page.rows

    async def first(self, first: str, end: str) -> Row | None:
        """The first row of the partitions from `first` to before `end`, without its columns."""
        wanted = f"PartitionKey ge {literal(first)} and PartitionKey lt {literal(end)}"
        async for page in self._follow(wanted, (), 1):
            if page.rows:
                return page.rows[0]
        return None

    async def _follow(
        self, wanted: str, columns: Sequence[str] | None, size: int
    ) -> AsyncIterator[Page]:
        query = f"{self._name}()?$top={size}&$filter={quoted(wanted)}"
        if columns is not None:
            query += f"&$select={_selected(columns)}"
        following = ""
        while True:
            rows, following = await self._read(f"{query}{following}", _page)
            # Storage tells where the next page begins, as long as there may be one.
            yield Page(rows, is_last=not following)
            if not following:
                return

    async def _read(self, path: str, parse: Callable[[Answer], T]) -> T:
        url = f"{self._service.url}/{path}"
        return await self._service.read(Request("GET", url, {"Accept": ACCEPT}), parse)

    async def transact(self, partition: str, changes: Sequence[RowChange]) -> dict[str, str]:
        """Makes all the changes or none; answers the new version of each row that is left, by key.

        At most 100 changes, each of another row.

        Raises `RowMissing`, `RowExists`, `ConditionFailed` for the first that is refused, and
        `Ambiguous` when nobody knows. Never retried here: the caller reads again and decides.
        """
        url = self._service.url
        kind, body = entities.transaction(url, self._name, partition, list(map(_part, changes)))
        headers = {"Content-Type": kind, "Accept": "application/json"}
        answer = await self._service.write(Request("POST", f"{url}/$batch", headers, body))
        found = entities.transaction_answers(answer.body)
        for each in found:
            if each.status >= 300:
                raise refusal(each.status, {}, each.rest)
        if len(found) != len(changes):
            raise Ambiguous(f"storage answered {len(found)} of {len(changes)} changes")
        pairs = zip(changes, found, strict=True)
        return {change.key: each.etag for change, each in pairs if each.etag}


def _selected(columns: Sequence[str]) -> str:
    return ",".join((*_KEYS, "Timestamp", *columns))


def _between(partition: str, first: str, end: str) -> str:
    bounds = f"RowKey ge {literal(first)} and RowKey lt {literal(end)}"
    return f"PartitionKey eq {literal(partition)} and {bounds}"


def _part(change: RowChange) -> Part:
    condition = change.etag or ("*" if change.kind in _ON_WHAT_IS_THERE else "")
    return Part(_METHODS[change.kind], change.key, change.values, condition)


def _one(answer: Answer) -> Row:
    return _row(entities.parse(answer.body))


def _page(answer: Answer) -> tuple[list[Row], str]:
    """The rows, and the parameters that ask for the next page; empty after the last."""
    found = entities.parse(answer.body).get("value")
    if not isinstance(found, list):
        raise Ambiguous("storage's answer is no list of rows")
    following = "".join(
        f"&{parameter}={quoted(answer.headers[header])}"
        for parameter, header in _NEXT.items()
        if answer.headers.get(header)
    )
    return [_row(entity) for entity in found], following


def _row(entity: dict[str, Any]) -> Row:
    try:
        partition, key = (entity.pop(name) for name in _KEYS)
        timestamp = str(entity.pop("Timestamp"))
        changed = datetime.fromisoformat(timestamp)
    except (KeyError, ValueError) as error:
        raise Ambiguous("storage's answer is no row") from error
    # Its reference promises the version only with all metadata, and Azure's SDKs go without.
    etag = entity.pop("odata.etag", None) or f"W/\"datetime'{quote(timestamp)}'\""
    entity.pop("odata.metadata", None)
    return Row(partition, key, entities.columns(entity), etag, changed)
