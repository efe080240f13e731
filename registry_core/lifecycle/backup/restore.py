"""Restoring a backup into an empty registry: content first, rows last (rules B6 to B8).

Everything is written on the condition that it is not there, and can be repeated. A restore that was
ended at any point is gone on with by the next.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

from registry_core.access import signing_keys, store
from registry_core.blobs import rows as blob_rows
from registry_core.blobs.links import Links
from registry_core.lifecycle.backup import derived, documents, stored, work
from registry_core.lifecycle.backup.backup import exported_rows, manifests
from registry_core.lifecycle.backup.derived import Bundle
from registry_core.lifecycle.backup.documents import Backup, Content, Damaged, Exported
from registry_core.lifecycle.backup.holds import Holds, KeptHold
from registry_core.lifecycle.backup.progress import Counter, Progress, Step, Tell, nobody
from registry_core.lifecycle.backup.shelves import Container, Shelf, transfer
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.repositories.rows import StoredBlob
from registry_core.storage import keys, tables
from registry_core.storage.budget import attempts, repeated
from registry_core.storage.cache import Cache
from registry_core.storage.connection import Connection
from registry_core.storage.documents import Documents
from registry_core.storage.faults import (
    Ambiguous,
    ConditionFailed,
    RowExists,
    RowMissing,
    StoreMissing,
)
from registry_core.storage.lookup import look_up
from registry_core.storage.objects import Location, Objects
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row, Table
from registry_core.system import SCHEMA_VERSION

_UNDER_WAY = "restores/under-way.json"
HELD_FOR = timedelta(days=30)
"""How long a restore that was cut keeps what it has copied. Nobody uses the registry meanwhile."""
_ATTEMPTS = 8
_NOTHING = timedelta(0)


class NotEmpty(Exception):
    """The registry holds something already. Nothing was touched."""


class OtherRestore(Exception):
    """Another restore into this registry was begun and not ended. Nothing was touched."""


@dataclass(frozen=True)
class _State:
    """A restore that was begun: what another run has to know to go on with it."""

    backup: str
    day: str
    """The day in the names of the objects."""
    secret: str
    """What the rest of the names is made from, beside the digest."""
    was_empty: bool = False
    """Whether the registry was seen to be empty after this was written; nothing else was before."""

    def dump(self) -> bytes:
        """It as a document."""
        return json.dumps(asdict(self)).encode()

    def name(self, digest: Digest) -> str:
        """The name that the object of a digest gets, in every run."""
        upload = uuid.uuid5(uuid.UUID(self.secret), str(digest))
        return blob_rows.upload_object(date.fromisoformat(self.day), upload)


@dataclass(frozen=True)
class Ready:
    """A backup that is whole, and may be restored here."""

    backup: Backup
    needed: Mapping[str, Content]
    begun: _State | None
    """A restore of it that was begun before."""

    @property
    def goes_on(self) -> bool:
        """Whether it was begun before."""
        return self.begun is not None


async def under_way(connection: Connection) -> str | None:
    """The backup whose restore was begun in a registry and has not come to its end, if any."""
    begun = await _begun(Documents(connection, signing_keys.CONTAINER))
    return begun.backup if begun else None


async def _begun(documents_: Documents) -> _State | None:
    found = await documents_.read(_UNDER_WAY)
    return _State(**json.loads(found[0])) if found else None


class Restores:
    """Restores a backup from one shelf into one registry.

    `content` is where the bytes lie of a backup of rows only: the container of the registry that
    it is of.
    """

    def __init__(
        self,
        connection: Connection,
        shelf: Shelf,
        content: Shelf | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._shelf = shelf
        self._content = content
        self._now = now
        self._documents = Documents(connection, signing_keys.CONTAINER)
        self._holds = Holds(connection)

    # Before anything is written.

    async def check(
        self, wanted: str | None = None, *, reads: bool = False, tell: Tell = nobody
    ) -> Ready:
        """Whether a backup is whole, and the registry empty. Writes nothing.

        Raises `NoPlace`, `NoBackup`, `Damaged`, `NotEmpty`, `OtherRestore`.
        """
        backup = await stored.choose(self._shelf, wanted)
        if backup.schema != SCHEMA_VERSION:
            raise Damaged(
                f"the backup {backup.id} is of schema version {backup.schema}, and this release "
                f"knows version {SCHEMA_VERSION}: restore it with release {backup.release}"
            )
        if backup.rows_only and self._content is None:
            raise Damaged(
                f"the backup {backup.id} has rows only: its bytes lie in the storage account "
                f"{backup.account}. Name its container with --content-from"
            )
        begun = await _begun(self._documents)
        if begun is not None:
            _check_same(begun, backup)
        if begun is None or not begun.was_empty:
            await self._check_empty()
        needed = await stored.check(self._shelf, backup, reads=reads, tell=tell)
        if backup.rows_only and self._content is not None:
            await _check_content(self._content, backup, needed)
        return Ready(backup, needed, begun)

    async def _check_empty(self) -> None:
        """No repository, and no row that is left of one (B6)."""
        for table, first in ((catalog.TABLE, ""), (rows.TABLE, None), (blob_rows.TABLE, None)):
            row = await self._first(self._connection.table(table), first)
            if row is not None:
                what = keys.decode(row.key if first is not None else row.partition)
                raise NotEmpty(
                    f"the registry in {self._connection.account} is not empty: table {table} has "
                    f"{what}. A backup is restored into an empty one: deploy another, or delete "
                    "the tables and containers of this one"
                )

    async def _first(self, table: Table, first: str | None) -> Row | None:
        try:
            if first is not None:
                found = await table.query(catalog.PARTITION, "\x20", keys.AFTER_ALL, (), limit=1)
                return found[0] if found else None
            async for page in table.scan("\x20", keys.AFTER_ALL, ()):
                if page:
                    return page[0]
        except StoreMissing:
            pass
        return None

    # Writing.

    async def run(
        self, ready: Ready, prepare: Callable[[], Awaitable[object]], tell: Tell = nobody
    ) -> None:
        """Restores it. `prepare` makes the tables and the keys of a registry that has none.

        Raises `Damaged`, `HoldEnded`, and what storage raises: then the same again goes on with it.
        Raises `NotEmpty` and `OtherRestore` where that has come since `check`.
        """
        await prepare()
        state = await self._begin(ready.backup)
        hold = await self._held(ready.backup)
        source = self._content if ready.backup.rows_only and self._content else self._shelf
        writing = _Writing(self._connection, state)
        await _copy_content(source, writing, ready, hold, tell)
        await self._write_registry(ready.backup, writing)
        entries: dict[str, list[Bundle]] = {}
        done = 0
        for part in ready.backup.parts:
            lines = await stored.read_lines(self._shelf, part)
            for exported in documents.repositories(lines):
                await writing.repository(exported)
                key = catalog.entry_key(RepositoryName(exported.name))
                for partition, values in exported.entries.items():
                    entry = Bundle([tables.insert(key, **values)])
                    entries.setdefault(partition, []).append(entry)
                done += 1
                tell(Progress(Step.ROWS, done, ready.backup.counts.repositories))
            await hold.renew()
        for partition, some in entries.items():
            await writing.insert(self._connection.table(catalog.TABLE), partition, some)
        await self._holds.end(_hold_name(ready.backup))
        await Objects(self._connection, signing_keys.CONTAINER).remove(_UNDER_WAY)

    async def _held(self, backup: Backup) -> KeptHold:
        """Holds what is copied until rows name it, before it is looked at what there is (G11)."""
        name, now = _hold_name(backup), self._now()
        hold = await self._holds.of(name, now) or await self._holds.make(name, now + HELD_FOR)
        kept = KeptHold(self._holds, name, hold, self._now, HELD_FOR)
        await kept.renew()
        return kept

    async def _begin(self, backup: Backup) -> _State:
        """Notes that it has begun, and then that the registry was empty: only then it may write.

        Checking has taken its time. What died in between is checked anew by the next run. Raises
        `NotEmpty`, having taken the note away, and `OtherRestore`.
        """
        async for _ in attempts(most=_ATTEMPTS):
            with suppress(RowExists, ConditionFailed, Ambiguous):  # What is there tells.
                await self._note(backup)
            found = await self._documents.read(_UNDER_WAY)
            if found is None:
                continue
            state, version = _State(**json.loads(found[0])), found[1]
            _check_same(state, backup)
            if state.was_empty:
                return state
            with suppress(ConditionFailed, Ambiguous):  # Another run of the same was faster.
                return await self._confirm(state, version)
        raise AssertionError("unreachable")

    async def _note(self, backup: Backup) -> None:
        state = _State(backup.id, self._now().date().isoformat(), str(uuid.uuid4()))
        await self._documents.write(_UNDER_WAY, state.dump())

    async def _confirm(self, state: _State, version: str) -> _State:
        try:
            await self._check_empty()
        except NotEmpty:
            system = Objects(self._connection, signing_keys.CONTAINER)
            await system.remove(_UNDER_WAY, etag=version)
            raise
        confirmed = replace(state, was_empty=True)
        await self._documents.write(_UNDER_WAY, confirmed.dump(), version)
        return confirmed

    async def _write_registry(self, backup: Backup, writing: _Writing) -> None:
        """Access and policies, as far as the registry has no other."""
        if backup.registry is None:
            return
        found: dict[str, list[Bundle]] = {}
        for line in await stored.read_lines(self._shelf, backup.registry):
            if isinstance(line, dict):
                await self._write_document(line["document"], b64decode(line["content"]))
                continue
            partition, key, values = line
            row = tables.insert(key, **documents.values_of(values))
            found.setdefault(partition, []).append(Bundle([row]))
        table = self._connection.table(store.TABLE)
        for partition, changes in found.items():
            await writing.insert(table, partition, changes)

    async def _write_document(self, name: str, content: bytes) -> None:
        with suppress(RowExists):
            await repeated(lambda: self._documents.write(name, content), most=_ATTEMPTS)


@dataclass
class _Need:
    """A blob of a repository, and which manifests need it."""

    size: int = 0
    is_there: bool = False
    by: list[Digest] = field(default_factory=list)


class _Writing:
    """Writes the rows of one registry."""

    def __init__(self, connection: Connection, state: _State) -> None:
        self.content = Objects(connection, blob_rows.CONTAINER)
        self.shelf = Container(connection, blob_rows.CONTAINER)
        self._state = state
        self._repositories = connection.table(rows.TABLE)
        self._blobs = connection.table(blob_rows.TABLE)
        none = Cache[blob_rows.Link](_NOTHING)
        self._links = Links(self._blobs, none, none, _NOTHING)

    def name(self, digest: Digest) -> str:
        """The name of the object of a digest."""
        return self._state.name(digest)

    @property
    def folder(self) -> str:
        """What the names of all objects begin with."""
        return blob_rows.uploads_of(date.fromisoformat(self._state.day))

    async def repository(self, exported: Exported) -> None:
        """Writes the links and needs of a repository, and then its own rows (B7)."""
        name = RepositoryName(exported.name)
        needs = _needs(exported)
        placed = await together(self._link(name, *each) for each in needs.items())
        where = dict(zip(needs, placed, strict=True))
        contents = await self._large_manifests(exported, where)

        def location(blob: StoredBlob) -> Location | None:
            return where[blob.digest] if blob.location is not None else None

        made = derived.bundles(exported_rows(exported), location, contents)
        await self.insert(self._repositories, rows.partition(name), made)

    async def _link(self, name: RepositoryName, digest: Digest, need: _Need) -> Location | None:
        """Links a blob, and tells who needs it; answers where it lies."""
        location = None
        if need.is_there:
            own = self.content.location(self.name(digest))
            location = await self._links.record(name, digest, own, need.size)
        changes = [tables.upsert(blob_rows.requirement(name, each)) for each in need.by]
        for first in range(0, len(changes), tables.MAX_TRANSACTION_ROWS):
            some = changes[first : first + tables.MAX_TRANSACTION_ROWS]
            await repeated(partial(self._blobs.transact, str(digest), some), most=_ATTEMPTS)
        return location

    async def _large_manifests(
        self, exported: Exported, where: Mapping[Digest, Location | None]
    ) -> dict[Digest, bytes]:
        """The bytes of the manifests that do not lie in their rows."""
        contents = {}
        for manifest in manifests(exported):
            location = where.get(manifest.digest) if manifest.location else None
            if location is not None:
                with suppress(RowMissing):  # The registry that was backed up did not have them.
                    content = await self.content.read_all(location, manifest.size)
                    contents[manifest.digest] = content
        return contents

    async def insert(self, table: Table, partition: str, some: Iterable[Bundle]) -> None:
        """Writes those bundles whose first row is not there; in order, a transaction at a time."""
        for part in derived.packed(some):
            await self._insert(table, partition, part)

    async def _insert(self, table: Table, partition: str, part: Sequence[Bundle]) -> None:
        left = list(part)
        async for _ in attempts(most=_ATTEMPTS):
            try:
                changes = [change for bundle in left for change in bundle.changes]
                await table.transact(partition, changes)
                return
            except (RowExists, Ambiguous):
                found = await look_up(table, partition, [each.key for each in left], ())
                left = [each for each in left if found[each.key] is None]
                if not left:
                    return


def _needs(exported: Exported) -> dict[Digest, _Need]:
    """What the manifests of a repository need, by digest."""
    needs: dict[Digest, _Need] = {}
    for manifest in manifests(exported):
        for blob in manifest.blobs:
            need = needs.setdefault(blob.digest, _Need())
            need.by.append(manifest.digest)
            if blob.location is not None:
                need.size, need.is_there = blob.size, True
    for content in exported.linked:
        need = needs.setdefault(content.digest, _Need())
        need.size, need.is_there = content.size, True
    return needs


def _check_same(begun: _State, backup: Backup) -> None:
    if begun.backup != backup.id:
        raise OtherRestore(
            f"the restore of the backup {begun.backup} was begun here and has not come to its "
            f"end. Go on with it: --backup {begun.backup}"
        )


def _hold_name(backup: Backup) -> str:
    return f"restore-{backup.id}"


async def _copy_content(
    source: Shelf, writing: _Writing, ready: Ready, hold: KeptHold, tell: Tell
) -> None:
    """Copies what is not there. Objects that are there were written whole, by a run before."""
    there = await writing.shelf.names(writing.folder)
    missing = [
        each
        for _, each in sorted(ready.needed.items())
        if there.get(writing.name(each.digest)) != each.size
    ]
    counter = Counter(tell, Step.COPY, sum(each.size for each in missing))

    async def copy(content: Content) -> None:
        digest = content.digest
        await hold.renew()
        try:
            await transfer(
                source,
                _source_name(ready.backup, content),
                writing.shelf,
                writing.name(digest),
                digest,
                content.size,
                {blob_rows.COMMITTED_AS: str(digest)},
                counter.moved,
            )
        except RowMissing as error:
            raise Damaged(f"the bytes of {digest} are missing by now") from error

    await work.each(missing, copy, lambda: False)


def _source_name(backup: Backup, content: Content) -> str:
    if backup.rows_only:
        return content.location.name
    return documents.content_name(str(content.digest))


async def _check_content(content: Shelf, backup: Backup, needed: Mapping[str, Content]) -> None:
    """Whether the bytes of a backup of rows only are where they were."""
    there = await content.names(blob_rows.UPLOADS)
    gone = [digest for digest, each in needed.items() if there.get(each.location.name) != each.size]
    if gone:
        raise Damaged(
            f"the backup {backup.id} has rows only, was held until {backup.held_until}, and the "
            f"bytes of {len(gone)} blobs are gone by now: {', '.join(sorted(gone)[:5])}"
        )
