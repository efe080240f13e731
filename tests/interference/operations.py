"""What one storage call reads or writes: the rows and objects that its request names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from registry_core.model.accounts import has_account_in_path
from registry_core.storage import keys
from registry_core.storage.calls import Request

_TEXT = "'((?:[^']|'')*)'"
_ENTITY = re.compile(rf"/(\w+)\(PartitionKey={_TEXT},RowKey={_TEXT}\)$")
_QUERY = re.compile(r"/(\w+)\(\)$")
_PART = re.compile(r"^(\w+) (\S+) HTTP/1\.1\r\n(.*?)\r\n--changeset_", re.MULTILINE | re.DOTALL)
"""The operations of a transaction, each with its headers and its row."""
_RANGE = re.compile(r"PartitionKey eq '([^']*)' and RowKey ge '([^']*)' and RowKey lt '([^']*)'")
_READS = frozenset({"GET", "HEAD"})
SEND = "send"
"""What is done to a queue: it does not matter in which order messages come."""


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
    """Of objects, the `comp` parameter, such as `appendblock`; empty for the object as a whole. Of
    queues, `send`."""

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.method in _READS

    def touches(self, other: Operation) -> bool:
        """Whether both concern at least one same row or object."""
        if (self.resource, self.partition) != (other.resource, other.partition):
            return False
        if self.action == SEND:
            return False
        if self.end:
            return other.first < self.end and self.first < (other.end or other.first + "\0")
        return other.touches(self) if other.end else self.first == other.first

    def __str__(self) -> str:
        where = f"{self.first}…{self.end}" if self.end else self.first
        action = f"?{self.action}" if self.action else ""
        return f"{self.method} {self.resource}[{self.partition}]{where}{action}"


def operations_of(request: Request) -> tuple[Operation, ...]:
    """The operations of a request, in order."""
    if urlsplit(request.url).path.endswith("/$batch"):
        return tuple(_parts(bytes(request.body).decode()))
    return (_single(request.method, request.url),)


def _parts(body: str) -> Iterator[Operation]:
    for method, url, rest in _PART.findall(body):
        if method != "POST":
            yield _single(method, url)
            continue
        row = json.loads(rest.partition("\r\n\r\n")[2])
        table = urlsplit(url).path.rpartition("/")[2]
        yield Operation(method, table, row["PartitionKey"], row["RowKey"])


def _single(method: str, address: str) -> Operation:
    url = urlsplit(address)
    path = unquote(url.path)
    query = parse_qs(url.query)
    if found := _ENTITY.search(path):
        return Operation(method, *(each.replace("''", "'") for each in found.groups()))
    if found := _QUERY.search(path):
        bounds = _RANGE.search("".join(query.get("$filter", ())))
        if bounds:
            return Operation(method, found[1], *bounds.groups())
    container, name = _container_and_name(url.hostname or "", path)
    if query.get("comp") == ["list"]:
        prefix = "".join(query.get("prefix", ()))
        end = keys.end_of(prefix) if prefix else keys.AFTER_ALL
        return Operation(method, container, "", prefix, end, action="list")
    action = SEND if name == "messages" else "".join(query.get("comp", ()))
    return Operation(method, container, "", name, action=action)


def _container_and_name(host: str, path: str) -> tuple[str, str]:
    """Of an object's address."""
    parts = path.strip("/")
    if has_account_in_path(host):
        parts = parts.partition("/")[2]
    container, _, name = parts.partition("/")
    return container, name
