"""What one storage call reads or writes: the rows and objects that its request names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from registry_core.model.accounts import has_account_in_path

_ENTITY = re.compile(r"/(\w+)\(PartitionKey='([^']*)',RowKey='([^']*)'\)$")
_QUERY = re.compile(r"/(\w+)\(\)$")
_TABLE = re.compile(r"/(\w+)$")
_RANGE = re.compile(r"PartitionKey eq '([^']*)' and RowKey ge '([^']*)' and RowKey lt '([^']*)'")
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Operation:
    """One operation of a call; a transaction has several, any other call one."""

    method: str
    """HTTP's. Of a transaction's parts: POST inserts, PUT and PATCH write or merge."""
    resource: str
    """The table, or the container."""
    partition: str
    """Empty for objects."""
    first: str
    """The row's key or the object's name; of a query the least key that it can answer."""
    end: str = ""
    """Of a query, the least key that comes after all that it can answer; else empty."""
    action: str = ""
    """Of objects, the `comp` parameter, such as `appendblock`; empty for the object as a whole."""

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.method in _READS

    def touches(self, other: Operation) -> bool:
        """Whether both concern at least one same row or object."""
        if (self.resource, self.partition) != (other.resource, other.partition):
            return False
        if self.end:
            return other.first < self.end and self.first < (other.end or other.first + "\0")
        return other.touches(self) if other.end else self.first == other.first

    def __str__(self) -> str:
        where = f"{self.first}…{self.end}" if self.end else self.first
        action = f"?{self.action}" if self.action else ""
        return f"{self.method} {self.resource}[{self.partition}]{where}{action}"


def operations_of(request: Any) -> tuple[Operation, ...]:
    """The operations of an SDK's request, in order."""
    return tuple(_parts(request))


def _parts(request: Any) -> Iterator[Operation]:
    parts = getattr(request, "_multipart_mixed_info", None) or getattr(
        request, "multipart_mixed_info", None
    )
    if parts:
        for part in parts[0]:
            yield from _parts(part)
        return
    yield _single(request)


def _single(request: Any) -> Operation:
    method, url = request.method, urlsplit(request.url)
    path = unquote(url.path)
    query = parse_qs(url.query)
    if found := _ENTITY.search(path):
        return Operation(method, *found.groups())
    if found := _QUERY.search(path):
        bounds = _RANGE.search("".join(query.get("$filter", ())))
        if bounds:
            return Operation(method, found[1], *bounds.groups())
    body = getattr(request, "_data", None) or getattr(request, "data", None)
    if method == "POST" and isinstance(body, str) and (found := _TABLE.search(path)):
        row = json.loads(body)
        if "RowKey" in row:  # Else it makes a table.
            return Operation(method, found[1], row["PartitionKey"], row["RowKey"])
    container, name = _container_and_name(url.hostname or "", path)
    return Operation(method, container, "", name, action="".join(query.get("comp", ())))


def _container_and_name(host: str, path: str) -> tuple[str, str]:
    """Of an object's address."""
    parts = path.strip("/")
    if has_account_in_path(host):
        parts = parts.partition("/")[2]
    container, _, name = parts.partition("/")
    return container, name
