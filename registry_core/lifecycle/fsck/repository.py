"""Looking at one repository: all its rows in pages, and again at each thing that seems wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.fsck.parsing import check_content, why_unreadable, why_unreadable_blob
from registry_core.lifecycle.fsck.settle import Unsettled, settled, version
from registry_core.model.attributes import COLUMNS as ATTRIBUTES
from registry_core.model.digest import Digest
from registry_core.model.invariants import Finding, Invariant, same
from registry_core.model.manifest import References
from registry_core.model.names import RepositoryName, Tag
from registry_core.model.threads import beside
from registry_core.repositories import catalog, rows
from registry_core.repositories.check import Snapshot, check_need, check_rows
from registry_core.repositories.rows import (
    DeletedTag,
    State,
    StoredBlob,
    StoredManifest,
    StoredTag,
    state_of,
)
from registry_core.storage import keys
from registry_core.storage.faults import ConditionFailed, RowMissing
from registry_core.storage.pacing import together
from registry_core.storage.tables import Row

_ENDING_IN_MANIFEST = (
    rows.MANIFEST_TIMES,
    rows.CHILDREN,
    rows.REFERRERS,
    rows.DELETED_MANIFEST_TIMES,
)
"""The rows whose keys end in the manifest that they follow from."""
_FACTS = (
    *(rows.LIVE, rows.GONE, rows.DELETED, rows.DELETING),
    *("Digest", "MediaType", "Size", "Created", "Updated", "Stamp", *ATTRIBUTES),
)
"""Of all rows but those of manifests."""
_BYTES = ("Bytes", "Blobs")
"""The columns of a manifest that are read and not kept begin so."""
_MANIFESTS_A_PAGE = 100
"""Each may hold a megabyte."""
_FEW_OF_A_BLOB = 200
"""Most blobs have fewer rows, and are read by one call; of others, only those that matter."""
BLOB_COLUMNS = ("Location", "Size", blob_rows.RELEASED, blob_rows.GOING)


@dataclass(frozen=True)
class Suspect:
    """What seems broken, by rows that were not read at one moment."""

    finding: Finding
    manifest: Digest | None = None
    """The manifest that needs a blob, if it is about one."""
    blob: Digest | None = None


@dataclass
class Glance:
    """What was read of a repository, page by page: not of one moment."""

    name: RepositoryName
    present: dict[str, Row] = field(default_factory=dict)
    """Its rows, less the bytes of manifests, and less what cannot be read."""
    refers: dict[Digest, References] = field(default_factory=dict)
    needs: dict[StoredBlob, list[Digest]] = field(default_factory=dict)
    """Which of its manifests need a blob, by the blob as they name it."""
    findings: list[Finding] = field(default_factory=list)
    """What is wrong with single rows."""
    unreadable: set[str] = field(default_factory=set)
    is_listed: bool = False
    is_listed_as_deleted: bool = False

    @property
    def suspects(self) -> Iterable[Suspect]:
        """What seems broken, and does not only follow from a row that cannot be read."""
        snapshot = Snapshot(
            self.name,
            self.present,
            self.is_listed,
            {},
            {},
            self.refers,
            self.is_listed_as_deleted,
        )
        for finding in (*self.findings, *check_rows(snapshot)):
            if finding.is_broken and not self.unreadable & sources_of(finding.key) - {finding.key}:
                yield Suspect(finding)

    def count(self, range_: rows.Range) -> int:
        """How many live manifests or tags there are."""
        return sum(key in range_ and rows.is_live(row) for key, row in self.present.items())


@dataclass(frozen=True)
class Few:
    """The rows that something depends on."""

    repository: RepositoryName
    rows: Mapping[str, Row | None]
    """Of the repository."""
    blob: Mapping[str, Row] = field(default_factory=dict)
    """Of `digest`, as far as they concern the repository."""
    digest: Digest | None = None
    """A blob that one of the manifests needs."""
    entry: Row | None = None
    """In the catalog."""
    entry_of_deleted: Row | None = None
    """In the catalog's list of repositories with something to restore."""
    contents: Mapping[Digest, bytes] = field(default_factory=dict)
    latest: frozenset[str] = frozenset()
    """The keys of what was updated last, where that is asked for."""

    @property
    def versions(self) -> Mapping[object, str]:
        """The version of each row; empty for those that are not there."""
        return {
            **{(self.repository, key): version(row) for key, row in self.rows.items()},
            **{(self.digest, key): version(row) for key, row in self.blob.items()},
            "entry": version(self.entry),
            "entry of deleted": version(self.entry_of_deleted),
        }

    @property
    def readable(self) -> dict[str, Row]:
        """The repository's rows that are there and can be read."""
        return {key: row for key, row in self.rows.items() if row and not why_unreadable(row)}

    def still(self, finding: Finding) -> Finding | None:
        """The same finding, if it is true of these rows."""
        return same(self.findings(), finding)

    def findings(self) -> Iterable[Finding]:
        """What is wrong with these rows, if no others count."""
        for row in filter(None, self.rows.values()):
            if why := why_unreadable(row):
                yield Finding(Invariant.READABLE, row.key, f"it cannot be read ({why})")
        snapshot = Snapshot(
            self.repository,
            self.readable,
            self.entry is not None,
            {},
            self.contents,
            is_listed_as_deleted=self.entry_of_deleted is not None,
        )
        yield from check_rows(snapshot)
        if self.entry and is_hidden_wrongly(self.rows.get(rows.REPOSITORY), self.entry):
            yield hidden_wrongly()
        for digest, manifest in snapshot.kept.items():
            content = manifest.content if manifest.location is None else self.contents.get(digest)
            if content is None:
                yield _lost(digest)
                continue
            yield from check_content(manifest, content)
            for blob in manifest.blobs:
                if blob.digest == self.digest:
                    yield from check_need(self.repository, digest, blob, self.blob)


def hidden_wrongly() -> Finding:
    """The entry of a repository does not follow its attribute."""
    text = "it is listed though it is to be hidden, or hidden though it is to be listed"
    return Finding(Invariant.CATALOG, rows.REPOSITORY, text)


def is_hidden_wrongly(repository: Row | None, entry: Row) -> bool:
    """Whether an entry is hidden that is to be shown, or the other way round."""
    if repository is None or not rows.is_live(repository):
        return False
    hidden = (entry.values.get(catalog.HIDDEN_BY), repository.values.get(catalog.HIDDEN_BY))
    return (hidden[0] is False) is not (hidden[1] is False)


def _lost(digest: Digest) -> Finding:
    return Finding(Invariant.MANIFEST, rows.manifest_key(digest), "its bytes are not there")


def sources_of(key: str) -> set[str]:
    """The row of a key, and that which it follows from."""
    if key in rows.TAG_TIMES:
        return {key, rows.tag_key(Tag(rows.name_in(key)))}
    if key in rows.MANIFEST_TAGS:
        return {key, rows.tag_key(Tag(key.rsplit(":", 1)[1]))}
    if any(key in range_ for range_ in _ENDING_IN_MANIFEST):
        return {key, rows.manifest_key(rows.last_digest(key))}
    if key in rows.DELETED_TAG_TIMES or key in rows.DELETED_TAGS:
        tag = DeletedTag.parse(key)
        return {tag.key, tag.by_time}
    if key in (*rows.GUARDS, rows.LAST_UPDATE):
        return {key, rows.REPOSITORY}
    return {key}


class Repositories:
    """Looks at the repositories of one registry."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def partitions(self) -> AsyncIterator[str]:
        """The partitions of all repositories of which there are rows, in order."""
        last = ""
        while True:
            page = await self._stores.repositories.first(f"{last}\x20", keys.AFTER_ALL)
            if page is None:
                return
            last = page.partition
            yield last

    async def glance(self, name: RepositoryName) -> Glance:
        """Reads all rows of a repository, and its entry. Raises `Unavailable`."""
        glance, table, partition = Glance(name), self._stores.repositories, rows.partition(name)
        manifests = rows.MANIFESTS
        for first, end in (("\x20", manifests.first), (manifests.end, keys.AFTER_ALL)):
            async for page in table.pages(partition, first, end, _FACTS):
                for row in page:
                    _take(glance, row)
        pages = table.pages(partition, manifests.first, manifests.end, None, _MANIFESTS_A_PAGE)
        async for page in pages:
            await together(self._take_manifest(glance, row) for row in page)
        entry = await self._stores.catalog.get(catalog.PARTITION, catalog.entry_key(name))
        glance.is_listed = entry is not None
        glance.is_listed_as_deleted = await self._entry_of_deleted(name) is not None
        if entry and is_hidden_wrongly(glance.present.get(rows.REPOSITORY), entry):
            glance.findings.append(hidden_wrongly())
        return glance

    async def _take_manifest(self, glance: Glance, row: Row) -> None:
        """Reads a manifest, and keeps what it refers to and needs."""
        if not _take(glance, row) or state_of(row) is State.GONE:
            return
        manifest = StoredManifest.from_row(row)
        for blob in manifest.blobs:
            glance.needs.setdefault(blob, []).append(manifest.digest)
        content = await self._content(manifest)
        if content is None:
            glance.findings.append(_lost(manifest.digest))
            # What follows from it is not known: nothing of that is held against it.
            glance.unreadable.add(row.key)
            return
        glance.findings += await beside(len(content), list, check_content(manifest, content))
        glance.refers[manifest.digest] = await beside(len(content), References.read, content)

    async def _content(self, manifest: StoredManifest) -> bytes | None:
        """The bytes of a manifest; None where they lie elsewhere and are not there."""
        if manifest.location is None:
            return manifest.content or b""
        try:
            return await self._stores.content.read_all(manifest.location, manifest.size)
        except (RowMissing, ConditionFailed, LookupError):
            return None

    async def needed(
        self, name: RepositoryName, blob: StoredBlob, by: Iterable[Digest]
    ) -> list[Suspect]:
        """What seems broken of a blob that manifests need."""
        present = await self.blob_rows(name, blob.digest)
        return [
            Suspect(finding, manifest, blob.digest)
            for manifest in by
            for finding in check_need(name, manifest, blob, present)
        ]

    async def blob_rows(self, name: RepositoryName, digest: Digest) -> dict[str, Row]:
        """The rows of a blob that concern one repository, and perhaps others."""
        table, partition = self._stores.blobs, str(digest)
        first, end = blob_rows.FIRST, blob_rows.DOOMED
        page = await table.page(partition, first, end, BLOB_COLUMNS, _FEW_OF_A_BLOB)
        found = page.rows
        if not page.is_last:
            needs = blob_rows.requirements(name)
            link = blob_rows.link(name)
            parts = await together(
                table.query(partition, first, end, BLOB_COLUMNS)
                for first, end in (
                    (first, f"{blob_rows.BLOB}\x20"),
                    (link, f"{link}\x20"),
                    (needs, keys.end_of(needs)),
                )
            )
            found = [row for part in parts for row in part]
        # Of the others it counts only that they are there.
        return {
            row.key: row
            for row in found
            if row.key != blob_rows.BLOB or not why_unreadable_blob(row)
        }

    async def settled(self, name: RepositoryName, suspect: Suspect) -> Few | Unsettled:
        """The rows that a finding is about, as they were at one moment. Raises `Unavailable`."""
        return await settled(
            lambda: self.few(name, suspect), lambda few: few.still(suspect.finding) is None
        )

    async def few(self, name: RepositoryName, suspect: Suspect) -> Few:
        """The rows that a finding is about, read one after the other."""
        finding, digest = suspect.finding, suspect.blob
        wanted = set() if finding.digest else sources_of(finding.key)
        if suspect.manifest:
            wanted.add(rows.manifest_key(suspect.manifest))
        if finding.key == rows.REPOSITORY:
            wanted |= await self._a_manifest(name)
            if finding.invariant is Invariant.DELETED:
                wanted |= await self._something_deleted(name)
        found = await self._get(name, wanted)
        found |= await self._get(name, _pointed_at(found.values()))
        blob = await self.blob_rows(name, digest) if digest else {}
        entry = await self._stores.catalog.get(catalog.PARTITION, catalog.entry_key(name))
        of_deleted = await self._entry_of_deleted(name)
        few = Few(name, found, blob, digest, entry, of_deleted)
        latest = await self._latest(name) if finding.key == rows.LAST_UPDATE else frozenset[str]()
        return dataclasses.replace(few, contents=await self._contents(few), latest=latest)

    async def _a_manifest(self, name: RepositoryName) -> set[str]:
        """The key of a live manifest, if there is any."""
        found = await self._stores.repositories.query(
            rows.partition(name),
            rows.MANIFESTS.first,
            rows.MANIFESTS.end,
            (),
            limit=1,
            having=rows.LIVE,
        )
        return {row.key for row in found}

    async def _something_deleted(self, name: RepositoryName) -> set[str]:
        """The key of something that can be restored, if there is anything."""
        first, end = rows.DELETED_TIMES.first, rows.DELETED_TIMES.end
        partition = rows.partition(name)
        found = await self._stores.repositories.query(partition, first, end, (), limit=1)
        return {row.key for row in found}

    async def _entry_of_deleted(self, name: RepositoryName) -> Row | None:
        return await self._stores.catalog.get(catalog.DELETED, catalog.entry_key(name), ())

    async def _latest(self, name: RepositoryName) -> frozenset[str]:
        """The keys of what was updated last."""
        table, partition = self._stores.repositories, rows.partition(name)
        ranges = (rows.MANIFEST_TIMES, rows.TAG_TIMES)
        found = await together(
            table.query(partition, each.first, each.end, (), limit=1) for each in ranges
        )
        return frozenset(row.key for each in found for row in each)

    async def _get(self, name: RepositoryName, wanted: Iterable[str]) -> dict[str, Row | None]:
        table, partition, every = self._stores.repositories, rows.partition(name), list(wanted)
        found = await together(table.get(partition, key) for key in every)
        return dict(zip(every, found, strict=True))

    async def _contents(self, few: Few) -> dict[Digest, bytes]:
        """The bytes of those manifests that lie elsewhere."""
        large = [
            manifest
            for key, row in few.readable.items()
            if key in rows.MANIFESTS and state_of(row) is not State.GONE
            if (manifest := StoredManifest.from_row(row)).location
        ]
        found = await together(map(self._content, large))
        pairs = zip(large, found, strict=True)
        return {manifest.digest: content for manifest, content in pairs if content is not None}


def _pointed_at(found: Iterable[Row | None]) -> set[str]:
    """The manifests that live tags name."""
    return {
        rows.manifest_key(StoredTag.from_row(row).digest)
        for row in found
        if row and row.key in rows.TAGS and rows.is_live(row) and not why_unreadable(row)
    }


def _take(glance: Glance, row: Row) -> bool:
    """Keeps a row, less the bytes of a manifest; False if it cannot be read."""
    if why := why_unreadable(row):
        text = f"it cannot be read ({why})"
        glance.findings.append(Finding(Invariant.READABLE, row.key, text))
        glance.unreadable.add(row.key)
        return False
    values = {k: v for k, v in row.values.items() if not k.startswith(_BYTES)}
    glance.present[row.key] = dataclasses.replace(row, values=values)
    return True
