"""What is in storage, and what must be true of it whatever happened at once.

The product's own check of the rows (`docs/faults.md`, "The check"); and beside it what the
scenarios know of their artifacts, which the product might have stored wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from registry_core.blobs import rows as blob_rows
from registry_core.model.digest import Digest
from registry_core.model.invariants import Finding
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.repositories.check import Snapshot, check
from registry_core.repositories.rows import StoredUsage, is_live
from registry_core.storage import keys
from registry_core.storage.tables import Row
from tests.integration.core.support import Client


@dataclass(frozen=True)
class Artifact:
    """A manifest that a scenario pushes, and what it refers to."""

    content: bytes
    digest: str
    media_type: str
    blobs: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    """Blobs that an index names as if they were manifests: protected where they are there."""
    subject: str = ""


@dataclass(frozen=True)
class Visible:
    """What clients can see of a repository, and operators of its locks."""

    manifests: frozenset[str]
    tags: frozenset[tuple[str, str]]
    referrers: frozenset[tuple[str, str]]
    blobs: frozenset[str]
    is_listed: bool
    locks: frozenset[tuple[str, str]]
    restorable: frozenset[str] = frozenset()
    deleted_tags: frozenset[tuple[str, str]] = frozenset()

    def renamed(self, names: Mapping[str, str]) -> Visible:
        """The same, with what is different in every execution called by its name."""

        def pairs(found: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
            return frozenset((_named(one, names), _named(two, names)) for one, two in found)

        return replace(
            self,
            manifests=frozenset(_named(each, names) for each in self.manifests),
            tags=pairs(self.tags),
            referrers=pairs(self.referrers),
            blobs=frozenset(_named(each, names) for each in self.blobs),
            locks=pairs(self.locks),
            restorable=frozenset(_named(each, names) for each in self.restorable),
            deleted_tags=pairs(self.deleted_tags),
        )


@dataclass
class World:
    """The rows that concern one repository."""

    repository: RepositoryName
    rows: Mapping[str, Row]
    blob_rows: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)
    """Of each digest: `blob` and its marker, and this repository's `l:` and `r:`."""
    is_listed: bool = False
    contents: Mapping[Digest, bytes] = field(default_factory=dict)
    """The bytes of manifests that lie elsewhere than in their rows."""
    is_listed_as_deleted: bool = False
    missing: frozenset[str] = frozenset()
    """Of the digests whose objects were looked for: those whose object is not there."""

    @classmethod
    async def read(
        cls, client: Client, repository: str, digests: Iterable[str], own: Iterable[str] = ()
    ) -> World:
        """The rows as they are now. Of `own` digests it is looked whether the bytes are there."""
        connection = client.services.connection
        name = RepositoryName(repository)
        blobs = connection.table(blob_rows.TABLE)
        needs = blob_rows.requirements(name)

        async def of_blob(digest: str) -> dict[str, Row]:
            # Not the whole partition: other repositories link the same blobs.
            needed, link, blob_and_marker = await asyncio.gather(
                blobs.query(digest, needs, keys.end_of(needs)),
                blobs.get(digest, blob_rows.link(name)),
                blobs.query(digest, "b:", f"{blob_rows.BLOB} "),
            )
            return {row.key: row for row in (*needed, link, *blob_and_marker) if row}

        wanted = list(digests)
        entry = catalog.entry_key(name)
        found, listed, deleted, of_blobs = await asyncio.gather(
            connection.table(rows.TABLE).query(rows.partition(name), " ", "~"),
            connection.table(catalog.TABLE).get(catalog.PARTITION, entry),
            connection.table(catalog.TABLE).get(catalog.DELETED, entry),
            asyncio.gather(*map(of_blob, wanted)),
        )
        world = cls(
            name,
            {row.key: row for row in found},
            dict(zip(wanted, of_blobs, strict=True)),
            listed is not None,
            is_listed_as_deleted=deleted is not None,
        )
        world.missing = frozenset([each for each in own if await world._is_missing(client, each)])
        world.contents = await world._contents(client)
        return world

    async def _is_missing(self, client: Client, digest: str) -> bool:
        blob = self.blob_rows[digest].get(blob_rows.BLOB)
        if blob is None:
            return False
        location = blob_rows.Link.from_row(blob).location
        return await client.services.content.state(location.name) is None

    async def _contents(self, client: Client) -> dict[Digest, bytes]:
        contents = {}
        for digest, manifest in self.snapshot.kept.items():
            if manifest.location is not None and str(digest) not in self.missing:
                contents[digest] = await client.services.manifests.content(manifest)
        return contents

    @property
    def snapshot(self) -> Snapshot:
        """The rows, as the product checks them."""
        blobs = {Digest.parse(digest): found for digest, found in self.blob_rows.items()}
        return Snapshot(
            self.repository,
            self.rows,
            self.is_listed,
            blobs,
            self.contents,
            is_listed_as_deleted=self.is_listed_as_deleted,
        )

    @property
    def visible(self) -> Visible:
        """What of it clients can see."""
        return self.seen()

    def seen(self, *, going: bool = False) -> Visible:
        """What of it clients can see; or will, once what is `going` has not gone after all."""
        found, link = self.snapshot, blob_rows.link(self.repository)
        return Visible(
            manifests=frozenset(map(str, found.manifests)),
            tags=frozenset((str(tag.tag), str(tag.digest)) for tag in found.tags),
            referrers=frozenset(
                (str(rows.subject_of(key)), str(rows.last_digest(key)))
                for key in found.keys(rows.REFERRERS)
            ),
            blobs=frozenset(
                digest
                for digest, present in self.blob_rows.items()
                if link in present and (going or not present[link].text(blob_rows.GOING))
            ),
            is_listed=self.is_listed,
            locks=frozenset(
                (key, column)
                for key, row in self.rows.items()
                for column in ("WriteEnabled", "DeleteEnabled", "ReadEnabled")
                if key == rows.REPOSITORY or key.startswith(("m:", "t:"))
                if is_live(row) and row.values.get(column) is False
            ),
            restorable=frozenset(map(str, found.restorable)),
            deleted_tags=frozenset(
                (str(tag.tag), str(tag.digest))
                for tag in map(rows.DeletedTag.parse, found.keys(rows.DELETED_TAGS))
            ),
        )

    def broken(self, artifacts: Iterable[Artifact], *, garbage: bool = False) -> list[str]:
        """The rules that do not hold, in words; empty if all do.

        With `garbage`, what was begun and not ended is allowed: somebody has died.
        """
        found = [f for f in check(self.snapshot) if f.is_broken or not garbage]
        return [
            *map(_text, found),
            *(f"the bytes of {digest} are not there" for digest in sorted(self.missing)),
            *self._changed_tombstones(),
            *self._stored_wrong(artifacts),
            *self._counted_wrong(),
        ]

    def _counted_wrong(self) -> Iterable[str]:
        """A count of the last update is that of what is there."""
        counted = StoredUsage.from_row(self.rows.get(rows.USAGE))
        last_update = self.rows.get(rows.LAST_UPDATE)
        if counted is None or last_update is None or counted.of != last_update.etag:
            return
        found = self.snapshot
        if (counted.manifests, counted.tags) != (len(found.manifests), len(found.tags)):
            yield f"{counted.manifests} manifests and {counted.tags} tags were counted"

    def _changed_tombstones(self) -> Iterable[str]:
        """Nothing may be merged into a tombstone: who did took it for what is live."""
        for key, row in self.rows.items():
            if row.values.get(rows.GONE) and set(row.values) - {"Updated"} != {rows.GONE, "Stamp"}:
                yield f"{key} is a tombstone that was written to: {sorted(row.values)}"

    def _stored_wrong(self, artifacts: Iterable[Artifact]) -> Iterable[str]:
        """Where the rows name other things than the manifest does."""
        by_digest = {artifact.digest: artifact for artifact in artifacts}
        for digest, manifest in self.snapshot.kept.items():
            artifact = by_digest[str(digest)]
            least = artifact.blobs | ({artifact.digest} if manifest.location else set())
            if (
                not least
                <= {str(blob.digest) for blob in manifest.blobs}
                <= least | artifact.layers
            ):
                yield f"{digest} needs {artifact.blobs}, and its row has {manifest.blobs}"
            if str(manifest.subject or "") != artifact.subject:
                yield f"{digest} refers to {artifact.subject}, and its row to {manifest.subject}"
            for blob in manifest.blobs:
                if str(blob.digest) in artifact.layers:
                    continue
                present = self.blob_rows[str(blob.digest)].get(blob_rows.BLOB)
                if present is None or present.text("Location") != str(blob.location):
                    yield f"{digest} says that {blob.digest} lies at {blob.location}"


def _named(text: str, names: Mapping[str, str]) -> str:
    for random, name in names.items():
        text = text.replace(random, name)
    return text


def _text(finding: Finding) -> str:
    return f"{finding.key}: {finding.text}"
