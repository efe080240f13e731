"""Rows on the wire of Azure Tables: JSON, and the parts of an entity group transaction.

"Payload format for Table service operations" and "Performing entity group transactions", Azure
Storage REST reference.
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from registry_core.storage.faults import Ambiguous

_SAFE = "':,.~!*()@$"
"""What stays as it is in an address, beside letters and digits."""
_TYPE = "@odata.type"
_INT64, _BINARY = "Edm.Int64", "Edm.Binary"
_ANSWER = re.compile(rb"^HTTP/1\.1 (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", re.MULTILINE)
_ETAG = re.compile(rb"^ETag: *([^\r\n]+)\r\n", re.MULTILINE | re.IGNORECASE)


class Int64(int):
    """An integer column of 64 bits; any other integer has 32."""


_READ: Mapping[str, Callable[[str], Any]] = {_INT64: int, _BINARY: b64decode}


@dataclass(frozen=True)
class Part:
    """One operation of a transaction."""

    method: str
    key: str
    values: Mapping[str, Any]
    if_match: str = ""


def quoted(text: str) -> str:
    """`text` as a part of an address."""
    return quote(text, safe=_SAFE)


def literal(text: str) -> str:
    """`text` between quotation marks, as keys and filters have it; not encoded yet."""
    return "'" + text.replace("'", "''") + "'"


def entity_path(table: str, partition: str, key: str) -> str:
    """The path of a row, encoded."""
    return f"{table}(PartitionKey={quoted(literal(partition))},RowKey={quoted(literal(key))})"


def parse(body: bytes) -> dict[str, Any]:
    """A JSON answer. Raises `Ambiguous` for what is none: somebody else has answered."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Ambiguous("storage's answer is no JSON") from error
    if not isinstance(found, dict):
        raise Ambiguous("storage's answer is no JSON object")
    return found


def columns(entity: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row, as Python has them; takes what describes them away.

    Of a column that was asked for and is not there, Azure says that it is null (the emulator
    nothing): it is left out.
    """
    for name in [name for name, value in entity.items() if value is None]:
        del entity[name]
    for name in [name for name in entity if name.endswith(_TYPE)]:
        read = _READ.get(entity.pop(name))
        column = name.removesuffix(_TYPE)
        if read is not None and column in entity:
            entity[column] = read(entity[column])
    return entity


def _content(keys: Mapping[str, str], values: Mapping[str, Any]) -> str:
    entity: dict[str, Any] = {**keys, **values}
    for name, value in values.items():
        if isinstance(value, Int64):
            entity[name], entity[name + _TYPE] = str(int(value)), _INT64
        elif isinstance(value, bytes):
            entity[name], entity[name + _TYPE] = b64encode(value).decode(), _BINARY
    return json.dumps(entity, separators=(",", ":"))


def transaction(url: str, table: str, partition: str, parts: Sequence[Part]) -> tuple[str, bytes]:
    """The type and the body of a request that asks for all the parts or none of them."""
    mark = secrets.token_hex(16)
    lines = [f"--batch_{mark}", f"Content-Type: multipart/mixed; boundary=changeset_{mark}", ""]
    for part in parts:
        lines += [f"--changeset_{mark}", *_lines(url, table, partition, part)]
    lines += [f"--changeset_{mark}--", f"--batch_{mark}--", ""]
    return f"multipart/mixed; boundary=batch_{mark}", "\r\n".join(lines).encode()


def _lines(url: str, table: str, partition: str, part: Part) -> Iterator[str]:
    path = table if part.method == "POST" else entity_path(table, partition, part.key)
    yield "Content-Type: application/http"
    yield "Content-Transfer-Encoding: binary"
    yield ""
    yield f"{part.method} {url}/{path} HTTP/1.1"
    yield "Accept: application/json;odata=minimalmetadata"
    yield "DataServiceVersion: 3.0"
    if part.method == "POST":
        yield "Prefer: return-no-content"
    if part.if_match:
        yield f"If-Match: {part.if_match}"
    if part.method == "DELETE":
        yield ""
        yield ""
        return
    content = _content({"PartitionKey": partition, "RowKey": part.key}, part.values)
    yield "Content-Type: application/json"
    yield f"Content-Length: {len(content)}"
    yield ""
    yield content


@dataclass(frozen=True)
class PartAnswer:
    """What storage answered to one operation of a transaction."""

    status: int
    etag: str
    rest: bytes
    """What follows: the reason, where it is refused."""


def transaction_answers(body: bytes) -> list[PartAnswer]:
    """The answers to the parts, in order; one alone if the transaction is refused."""
    found = list(_ANSWER.finditer(body))
    ends = [*(each.start() for each in found[1:]), len(body)]
    answers = []
    for each, end in zip(found, ends, strict=False):
        etag = _ETAG.search(each[2])
        answers.append(
            PartAnswer(int(each[1]), etag[1].decode() if etag else "", body[each.end() : end])
        )
    return answers
