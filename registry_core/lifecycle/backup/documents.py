"""The documents of a backup: what each says, and how it is spelt. Nothing here touches storage.

content/<algorithm>/<two digits>/<digest>   the bytes of a blob, once for all backups
backups/<id>/rows-<number>.jsonl.gz         repositories, one after the other
backups/<id>/content.jsonl.gz               which bytes the backup needs
backups/<id>/registry.json.gz               access and policies
backups/<id>/unfinished.json                how far a backup is that is under way
backups/<id>/backup.json                    all of them, with their digests: written last
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from registry_core.model.digest import Digest
from registry_core.storage import tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row

FORMAT = 1
"""The version of all this. A restore refuses another."""
CONTENT, BACKUPS = "content/", "backups/"
_LAST, _UNFINISHED = "backup.json", "unfinished.json"
_ID = "%Y-%m-%dT%H%M%SZ"
_INT, _BYTES = "int", "bytes"


class Damaged(Exception):
    """A document or an object of a backup is missing, or is not as it was written."""


# Names.


def id_at(time: datetime) -> str:
    """The id of a backup that begins then."""
    return time.astimezone(UTC).strftime(_ID)


def time_of(backup: str) -> datetime:
    """When the backup of an id began. Raises `ValueError` for what is no id."""
    return datetime.strptime(backup, _ID).replace(tzinfo=UTC)


def content_name(digest: str) -> str:
    """Where the bytes of a digest lie."""
    algorithm, _, digits = digest.partition(":")
    return f"{CONTENT}{algorithm}/{digits[:2]}/{digits}"


def folder(backup: str) -> str:
    """What the names of a backup's documents begin with."""
    return f"{BACKUPS}{backup}/"


def last_name(backup: str) -> str:
    """The document without which a backup is not complete."""
    return f"{folder(backup)}{_LAST}"


def unfinished_name(backup: str) -> str:
    """The document by which a backup is gone on with."""
    return f"{folder(backup)}{_UNFINISHED}"


@dataclass(frozen=True)
class Listed:
    """What the names of documents tell of a backup."""

    backup: str
    is_complete: bool
    is_unfinished: bool


def backups_in(names: Iterable[str]) -> list[Listed]:
    """The backups there are, the oldest first."""
    found: dict[str, set[str]] = {}
    for name in names:
        backup, _, document = name.removeprefix(BACKUPS).partition("/")
        try:
            time_of(backup)
        except ValueError:
            continue
        found.setdefault(backup, set()).add(document)
    return [
        Listed(backup, _LAST in documents, _UNFINISHED in documents and _LAST not in documents)
        for backup, documents in sorted(found.items())
    ]


# Documents.


@dataclass(frozen=True)
class Document:
    """A document, by which it can be told whether it is as it was written."""

    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, content: bytes) -> Self:
        """That of this content."""
        return cls(name, len(content), hashlib.sha256(content).hexdigest())

    def check(self, content: bytes | None) -> bytes:
        """The content, if it is as it was written. Raises `Damaged`."""
        if content is None:
            raise Damaged(f"{self.name} is missing")
        if Document.of(self.name, content) != self:
            raise Damaged(f"{self.name} is damaged")
        return content


@dataclass(frozen=True)
class Counts:
    """How much there is of each."""

    repositories: int = 0
    manifests: int = 0
    tags: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.repositories + other.repositories,
            self.manifests + other.manifests,
            self.tags + other.tags,
        )


@dataclass(frozen=True)
class Backup:
    """What is known of a backup, under way or complete."""

    id: str
    account: str
    """The storage account of the registry that it is of."""
    schema: int
    release: str
    rows_only: bool = False
    held_until: str = ""
    """With `rows_only`: so long the registry keeps the bytes."""
    following: str | None = ""
    """The catalog's entry from which the export goes on; None once all are exported."""
    counts: Counts = Counts()
    parts: Sequence[Document] = ()
    registry: Document | None = None
    content: Document | None = None
    objects: int = 0
    size: int = 0
    """The bytes of all content."""
    lost: Sequence[str] = ()
    """The blobs whose bytes the registry itself did not have."""
    ended: str = ""
    format: int = FORMAT

    @property
    def documents(self) -> list[Document]:
        """All that it consists of, but for its own document and the content."""
        return [*self.parts, *filter(None, (self.registry, self.content))]

    def dump(self) -> bytes:
        """The document of it."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def parse(cls, name: str, content: bytes | None) -> Self:
        """The backup in a document. Raises `Damaged`."""
        if content is None:
            raise Damaged(f"{name} is missing")
        try:
            found = json.loads(content)
            if found["format"] != FORMAT:
                raise Damaged(
                    f"{name} has format {found['format']}, and this release knows format {FORMAT}: "
                    "use the release that wrote it"
                )
            known = cls(**found)
            return replace(
                known,
                counts=Counts(**found["counts"]),
                parts=tuple(Document(**each) for each in found["parts"]),
                registry=_document(found["registry"]),
                content=_document(found["content"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise Damaged(f"{name} is damaged") from error


def _document(found: Mapping[str, Any] | None) -> Document | None:
    return Document(**found) if found else None


def pack(lines: Iterable[object]) -> bytes:
    """A document of lines. The same lines make the same bytes."""
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)


def unpack(name: str, content: bytes) -> list[Any]:
    """The lines of a document. Raises `Damaged`."""
    try:
        return [json.loads(line) for line in gzip.decompress(content).splitlines()]
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise Damaged(f"{name} is damaged") from error


# Repositories.


@dataclass(frozen=True)
class Content:
    """Bytes that a backup needs."""

    digest: Digest
    size: int
    location: Location
    """Where they lay in the registry."""


@dataclass
class Exported:
    """A repository, as it was after some change."""

    name: str
    entries: Mapping[str, Mapping[str, Any]]
    """The columns of its entries in the catalog, by partition."""
    linked: Sequence[Content]
    """The blobs whose manifests do not say where they lie, and that are there all the same."""
    rows: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """Keys and columns of its sources, in order."""

    def lines(self) -> Iterator[object]:
        """The repository as lines of a document."""
        linked = [[str(each.digest), each.size, str(each.location)] for each in self.linked]
        entries = {partition: _written(values) for partition, values in self.entries.items()}
        yield {"repository": self.name, "entries": entries, "linked": linked}
        for key, values in self.rows:
            yield [key, _written(values)]


def exported(
    name: str,
    entries: Mapping[str, Mapping[str, Any]],
    found: Iterable[Row],
    linked: Sequence[Content],
) -> Exported:
    """A repository that was read."""
    return Exported(name, entries, linked, [(row.key, row.values) for row in found])


def repositories(lines: Iterable[Any]) -> Iterator[Exported]:
    """The repositories in the lines of a document."""
    current: Exported | None = None
    for line in lines:
        if isinstance(line, dict):
            if current is not None:
                yield current
            linked = [content_of(*each) for each in line["linked"]]
            entries = {name: _read(values) for name, values in line["entries"].items()}
            current = Exported(line["repository"], entries, linked)
        elif current is not None:
            key, values = line
            current.rows.append((key, _read(values)))
    if current is not None:
        yield current


def content_of(digest: str, size: int, location: str) -> Content:
    """What a line says of content."""
    return Content(Digest(*digest.split(":", 1)), size, Location.parse(location))


def content_line(content: Content) -> object:
    """The line of it."""
    return [str(content.digest), content.size, str(content.location)]


def columns(values: Mapping[str, Any]) -> dict[str, object]:
    """Columns in JSON, with their types."""
    return _written(values)


def values_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that `columns` wrote, to be written to a table."""
    return _read(found)


def _written(values: Mapping[str, Any]) -> dict[str, object]:
    written: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, bytes):
            written[name] = {_BYTES: b64encode(value).decode()}
        elif isinstance(value, int) and not isinstance(value, bool):
            written[name] = {_INT: str(value)}
        else:
            written[name] = value
    return written


def _read(found: Mapping[str, Any]) -> dict[str, Any]:
    """Every integer as one of 64 bits: what a row has read does not tell its size."""
    return {name: _value(value) for name, value in found.items()}


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if _INT in value:
        return tables.int64(int(value[_INT]))
    return b64decode(value[_BYTES])
