"""Making backups: rows are exported, then the bytes that they name are copied, then it is told.

Rules B1 to B5 of `docs/backup.md`. A run that ends early, by its time or by a fault, leaves a
document by which the next one goes on. The last document makes a backup complete.
"""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from registry_core import __version__
from registry_core.access import signing_keys, store
from registry_core.blobs import rows as blob_rows
from registry_core.blobs.rows import Link
from registry_core.lifecycle.backup import documents, work
from registry_core.lifecycle.backup.documents import Backup, Content, Counts, Document, Exported
from registry_core.lifecycle.backup.holds import LIFETIME, Hold, HoldEnded, Holds, KeptHold
from registry_core.lifecycle.backup.progress import Counter, Progress, Step, Tell, nobody
from registry_core.lifecycle.backup.shelves import Check, Container, Shelf, transfer
from registry_core.lifecycle.backup.snapshot import Snapshots
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.model.threads import beside
from registry_core.repositories import catalog, rows
from registry_core.repositories.rows import StoredManifest
from registry_core.storage import keys
from registry_core.storage.connection import Connection
from registry_core.storage.faults import RowMissing, StoreMissing
from registry_core.storage.objects import Objects
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row
from registry_core.system import SCHEMA_VERSION

POLICIES = "policies/"
"""What a backup has of the container `system`: no keys, and no state of this registry's own."""
_SCHEMA_PARTITION = "schema"
"""The partition of the catalog that lists no repositories."""
_READ_AT_ONCE = 8
_PART_BYTES = 8 * 1024 * 1024
"""About how much one document of rows holds, before it is packed."""
_LOOKS = 3
"""How often it is looked for what is missing; after the first time nothing should be."""
_PARTITIONS = (store.TOKENS, store.SCOPE_MAPS, store.ROLES)
_LOGGER = logging.getLogger("slipway.backup")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    backup: Backup
    is_complete: bool
    """Else the next run goes on with it."""
    copied: int = 0
    """How many objects this run copied: the others were there."""
    copied_size: int = 0


@dataclass(frozen=True)
class Wanted:
    """What kind of backup is wanted."""

    keep_for: timedelta | None = None
    """Rows only: so long the registry keeps the bytes that they name."""


class Backups:
    """Makes the backups of one registry on one shelf."""

    def __init__(
        self,
        connection: Connection,
        shelf: Shelf,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._shelf = shelf
        self._now = now
        self._holds = Holds(connection)
        self._snapshots = Snapshots(connection.table(rows.TABLE))
        self._catalog = connection.table(catalog.TABLE)
        self._blobs = connection.table(blob_rows.TABLE)

    async def run(
        self, wanted: Wanted | None = None, *, seconds: float = float("inf"), tell: Tell = nobody
    ) -> Outcome:
        """Makes a backup, or goes on with one that is unfinished; ends after about `seconds`.

        Raises `Taken` while another process works on the shelf, and what storage raises.
        """
        over = time.monotonic() + seconds
        async with self._shelf.locked() as check:
            while True:
                backup, hold = await self._begin(wanted or Wanted())
                with suppress(HoldEnded):  # The next round sees that too, and begins anew.
                    return await self._run(backup, hold, over, check, tell)

    async def _run(
        self, backup: Backup, hold: KeptHold, over: float, check: Check, tell: Tell
    ) -> Outcome:
        backup = await self._export(backup, hold, over, tell)
        if backup.following is not None:
            return Outcome(backup, is_complete=False)
        needed = await self._needed(backup, hold)
        copied = _Copied()
        if not backup.rows_only:
            copying = _Copying(self._connection, self._shelf, hold)
            copied = await copying.copy(needed, over, tell)
            if not copied.is_all:
                return Outcome(backup, is_complete=False, copied=copied.count)
            check()
        backup = await self._complete(backup, needed, copied.lost)
        return Outcome(backup, True, copied.count, copied.size)

    async def _begin(self, wanted: Wanted) -> tuple[Backup, KeptHold]:
        """The backup that is gone on with, or a new one, held (B1)."""
        names = await self._shelf.names(documents.BACKUPS)
        rows_only = wanted.keep_for is not None
        if (found := await self._unfinished(names, rows_only=rows_only)) is not None:
            return found
        now = self._now()
        known = {each.backup for each in documents.backups_in(names)}
        while documents.id_at(now) in known:
            now += timedelta(seconds=1)
        until = now + (wanted.keep_for or LIFETIME)
        backup = Backup(
            id=documents.id_at(now),
            account=self._connection.account,
            schema=SCHEMA_VERSION,
            release=__version__,
            rows_only=rows_only,
            held_until=until.isoformat(timespec="seconds") if rows_only else "",
        )
        hold = await self._holds.make(backup.id, until)
        await self._save(backup)
        return backup, self._kept(backup, hold)

    async def _unfinished(
        self, names: Iterable[str], *, rows_only: bool
    ) -> tuple[Backup, KeptHold] | None:
        """The newest backup that can be gone on with, and its hold, renewed."""
        is_newest = True
        for listed in reversed(documents.backups_in(names)):
            if not listed.is_unfinished:
                is_newest = is_newest and not listed.is_complete
                continue
            name = documents.unfinished_name(listed.backup)
            try:
                found = Backup.parse(name, await self._shelf.read(name))
            except documents.Damaged:
                continue
            if found.account != self._connection.account or found.rows_only != rows_only:
                continue
            hold = await self._holds.of(found.id, self._now())
            if hold is not None:
                kept = self._kept(found, hold)
                with suppress(HoldEnded):
                    await kept.renew()
                    return found, kept
            if is_newest:
                _LOGGER.warning(
                    "the backup %s begins anew: its hold ended before it was renewed, so "
                    "collection may have taken what it named",
                    found.id,
                )
        return None

    def _kept(self, backup: Backup, hold: Hold) -> KeptHold:
        lifetime = None if backup.rows_only else LIFETIME
        return KeptHold(self._holds, backup.id, hold, self._now, lifetime)

    async def _save(self, backup: Backup) -> None:
        await self._shelf.write(documents.unfinished_name(backup.id), backup.dump())

    async def _write(self, name: str, lines: Sequence[object]) -> Document:
        content = await beside(_PART_BYTES, documents.pack, lines)
        await self._shelf.write(name, content)
        return Document.of(name, content)

    # Rows.

    async def _export(self, backup: Backup, hold: KeptHold, over: float, tell: Tell) -> Backup:
        """Exports what is not exported yet (B2)."""
        if backup.following is None:
            return backup
        async for part, following in self._parts(backup.following):
            lines = [line for each in part for line in each.lines()]
            number = len(backup.parts) + 1
            name = f"{documents.folder(backup.id)}rows-{number:06d}.jsonl.gz"
            document = await self._write(name, lines)
            backup = replace(
                backup,
                following=following,
                parts=(*backup.parts, document),
                counts=sum(map(_counts, part), backup.counts),
            )
            await self._save(backup)
            await hold.renew()
            tell(Progress(Step.EXPORT, backup.counts.repositories))
            if time.monotonic() >= over:
                return backup
        lines = await self._registry()
        document = await self._write(f"{documents.folder(backup.id)}registry.jsonl.gz", lines)
        backup = replace(backup, following=None, registry=document)
        await self._save(backup)
        return backup

    async def _parts(self, first: str) -> AsyncIterator[tuple[list[Exported], str]]:
        """The repositories from a key of the catalog on, and from which key on the others are."""
        entries = await self._entries(first)
        names = sorted(entries)
        part, size = list[Exported](), 0
        for start in range(0, len(names), _READ_AT_ONCE):
            some = names[start : start + _READ_AT_ONCE]
            read = await together(self._repository(each, entries[each]) for each in some)
            part += [each for each in read if each is not None]
            size += sum(_size(each) for each in read if each is not None)
            if size >= _PART_BYTES or some[-1] == names[-1]:
                yield part, f"{some[-1]}\x20"
                part, size = [], 0

    async def _entries(self, first: str) -> dict[str, dict[str, Mapping[str, Any]]]:
        """The catalog's entries of the same repository, by key and partition.

        There are others than those of what is live: whatever lists repositories is one.
        """
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        async for page in self._catalog.scan("\x20", keys.AFTER_ALL):
            for row in page:
                if row.partition != _SCHEMA_PARTITION and row.key >= first:
                    found.setdefault(row.key, {})[row.partition] = row.values
        return found

    async def _repository(
        self, key: str, entries: Mapping[str, Mapping[str, Any]]
    ) -> Exported | None:
        """A repository as it was after some change; None if there is nothing of it."""
        name = catalog.Catalog.name(key)
        found = await self._snapshots.read(name)
        if not any(row.key in rows.MANIFESTS or row.key == rows.REPOSITORY for row in found):
            return None
        linked = await self._linked(name, found)
        return documents.exported(name.text, entries, found, linked)

    async def _linked(self, name: RepositoryName, found: Iterable[Row]) -> list[Content]:
        """The blobs of which the manifests do not say where they lie: they came later."""
        unknown = {
            blob.digest
            for row in found
            if row.key in rows.MANIFESTS
            for blob in StoredManifest.from_row(row).blobs
            if blob.location is None
        }
        key = blob_rows.link(name)
        asked = sorted(unknown)
        links = await together(
            self._blobs.get(str(digest), key, blob_rows.LINK_COLUMNS) for digest in asked
        )
        return [
            Content(digest, link.size, link.location)
            for digest, row in zip(asked, links, strict=True)
            if row is not None
            for link in [Link.from_row(row)]
        ]

    async def _registry(self) -> list[object]:
        """Access and policies: all that the registry knows beside its repositories."""
        lines: list[object] = []
        table = self._connection.table(store.TABLE)
        for partition in _PARTITIONS:
            try:
                found = await table.query(partition, "\x20", keys.AFTER_ALL)
            except StoreMissing:
                continue
            lines += [[partition, row.key, documents.columns(row.values)] for row in found]
        system = Objects(self._connection, signing_keys.CONTAINER)
        async for page in system.contents(POLICIES):
            for listed in page.objects:
                content = await system.read_all(system.location(listed.name), listed.size)
                lines.append({"document": listed.name, "content": b64encode(content).decode()})
        return lines

    # Content.

    async def _needed(self, backup: Backup, hold: KeptHold) -> dict[str, Content]:
        """The content that the exported rows name, by digest; read from the documents.

        So it is seen that these are as they were written.
        """
        needed: dict[str, Content] = {}
        for part in backup.parts:
            content = part.check(await self._shelf.read(part.name))
            lines = await beside(len(content), documents.unpack, part.name, content)
            for each in documents.repositories(lines):
                for content_of in contents(each):
                    needed.setdefault(str(content_of.digest), content_of)
            await hold.renew()
        return needed

    async def _complete(
        self, backup: Backup, needed: dict[str, Content], lost: Iterable[Digest]
    ) -> Backup:
        """Writes the last documents (B4)."""
        for digest in map(str, lost):
            del needed[digest]
            backup = replace(backup, lost=(*backup.lost, digest))
        lines = [documents.content_line(needed[digest]) for digest in sorted(needed)]
        document = await self._write(f"{documents.folder(backup.id)}content.jsonl.gz", lines)
        backup = replace(
            backup,
            content=document,
            objects=len(needed),
            size=sum(each.size for each in needed.values()),
            ended=self._now().isoformat(timespec="seconds"),
        )
        await self._shelf.write(documents.last_name(backup.id), backup.dump())
        await self._shelf.remove(documents.unfinished_name(backup.id))
        if not backup.rows_only:
            await self._holds.end(backup.id)
        return backup


@dataclass(frozen=True)
class _Copied:
    count: int = 0
    size: int = 0
    lost: Sequence[Digest] = ()
    is_all: bool = True


class _Copying:
    """Copies content that the shelf does not have (B3)."""

    def __init__(self, connection: Connection, shelf: Shelf, hold: KeptHold) -> None:
        self._source = Container(connection, blob_rows.CONTAINER)
        self._shelf = shelf
        self._hold = hold

    async def copy(self, needed: Mapping[str, Content], over: float, tell: Tell) -> _Copied:
        """Copies what is missing, and looks again: what is there is told by the shelf's own list.

        What the registry itself lacks keeps nobody from backing up the rest. Raises `Damaged` if
        the destination lacks what it has taken.
        """
        lost = set[Digest]()
        count = size = 0
        missing: list[Content] = []
        for _ in range(_LOOKS):
            there = await self._shelf.names(documents.CONTENT)
            missing = [
                each
                for digest, each in sorted(needed.items())
                if each.digest not in lost
                and there.get(documents.content_name(digest)) != each.size
            ]
            if not missing:
                return _Copied(count, size, sorted(lost))
            counter = Counter(tell, Step.COPY, sum(each.size for each in missing))

            async def copy(content: Content, counter: Counter = counter) -> None:
                nonlocal count, size
                await self._hold.renew()
                if await self._copy(content, counter):
                    count, size = count + 1, size + content.size
                else:
                    lost.add(content.digest)

            if not await work.each(missing, copy, lambda: time.monotonic() >= over):
                return _Copied(count, size, is_all=False)
        names = ", ".join(str(each.digest) for each in missing[:5])
        raise documents.Damaged(f"the destination has not kept what was copied: {names}")

    async def _copy(self, content: Content, counter: Counter) -> bool:
        """False where there is no such object."""
        source, digest = content.location.name, content.digest
        name = documents.content_name(str(digest))
        to, moved = self._shelf, counter.moved
        try:
            await transfer(self._source, source, to, name, digest, content.size, {}, moved)
        except RowMissing:
            return False
        return True


def contents(exported: Exported) -> list[Content]:
    """The content that the manifests of a repository name, and that lies in the registry."""
    found = [
        Content(blob.digest, blob.size, blob.location)
        for manifest in manifests(exported)
        for blob in manifest.blobs
        if blob.location is not None
    ]
    return [*found, *exported.linked]


def manifests(exported: Exported) -> list[StoredManifest]:
    """The manifests of a repository: those that are live, and those that can be restored."""
    return [
        StoredManifest.from_row(row) for row in exported_rows(exported) if row.key in rows.MANIFESTS
    ]


def exported_rows(exported: Exported) -> list[Row]:
    """The rows of a repository, as if they had been read."""
    partition = rows.partition(RepositoryName(exported.name))
    never = datetime.fromtimestamp(0, UTC)
    return [Row(partition, key, values, "", never) for key, values in exported.rows]


def _counts(exported: Exported) -> Counts:
    found = [key for key, values in exported.rows if values.get(rows.LIVE) is True]
    return Counts(
        1,
        sum(key in rows.MANIFESTS for key in found),
        sum(key in rows.TAGS for key in found),
    )


def _size(exported: Exported) -> int:
    """About how much of a document a repository takes."""
    return sum(
        200 + sum(len(value) for value in values.values() if isinstance(value, bytes | str))
        for _, values in exported.rows
    )
