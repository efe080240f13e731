"""What is in storage, and what must be true of it whatever happened at once.

The rows are those of `docs/architecture.md`, "Rows"; the checks are its rules, each by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from registry_core.blobs import rows as of_blobs
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.rows import live
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


@dataclass
class World:
    """The rows that concern one repository, less tombstones."""

    repository: str
    rows: Mapping[str, Row]
    blob_rows: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)
    """Of each digest: `blob`, and this repository's `l:` and `r:`."""
    is_listed: bool = False

    @classmethod
    async def read(cls, client: Client, repository: str, digests: Iterable[str]) -> World:
        """The rows as they are now."""
        connection = client.services.connection
        partition = keys.encode(repository)
        blobs = connection.table(of_blobs.TABLE)

        async def of_blob(digest: str) -> dict[str, Row]:
            # Not the whole partition: other repositories link the same blobs.
            needs, blob, link = await asyncio.gather(
                blobs.query(digest, f"r:{partition}:", f"r:{partition};"),
                blobs.get(digest, of_blobs.BLOB),
                blobs.get(digest, f"l:{partition}"),
            )
            return {row.key: row for row in (*needs, blob, link) if row}

        wanted = list(digests)
        rows, listed, blob_rows = await asyncio.gather(
            connection.table(repository_rows.TABLE).query(partition, " ", "~"),
            connection.table(catalog.TABLE).get(catalog.PARTITION, partition),
            asyncio.gather(*map(of_blob, wanted)),
        )
        return cls(
            repository,
            {row.key: row for row in rows if live(row)},
            dict(zip(wanted, blob_rows, strict=True)),
            listed is not None,
        )

    def of(self, prefix: str) -> dict[str, Row]:
        """The rows of one kind, by the rest of their keys."""
        return {k.removeprefix(prefix): r for k, r in self.rows.items() if k.startswith(prefix)}

    @property
    def visible(self) -> Visible:
        """What of it clients can see."""
        link = of_blobs.link(RepositoryName(self.repository))
        return Visible(
            manifests=frozenset(self.of("m:")),
            tags=frozenset((name, row.text("Digest")) for name, row in self.of("t:").items()),
            referrers=frozenset(
                (key[: len(key) // 2], key[len(key) // 2 + 1 :]) for key in self.of("s:")
            ),
            blobs=frozenset(digest for digest, rows in self.blob_rows.items() if link in rows),
            is_listed=self.is_listed,
            locks=frozenset(
                (key, column)
                for key, row in self.rows.items()
                for column in ("WriteEnabled", "DeleteEnabled")
                if row.values.get(column) is False
            ),
        )

    def broken(self, artifacts: Iterable[Artifact]) -> list[str]:
        """The rules that do not hold, in words; empty if all do."""
        by_digest = {artifact.digest: artifact for artifact in artifacts}
        return [
            *self._broken_tags(),
            *self._broken_repository(),
            *self._broken_manifests(by_digest),
            *self._broken_blobs(),
        ]

    def _broken_tags(self) -> Iterable[str]:
        tags, manifests = self.of("t:"), self.of("m:")
        for name, row in tags.items():
            if row.text("Digest") not in manifests:
                yield f"tag {name} names a manifest that is not there"
        expected = {f"{row.text('Digest')}:{name}" for name, row in tags.items()}
        if set(self.of("g:")) != expected:
            yield f"g: rows {sorted(self.of('g:'))} for tags {sorted(expected)}"
        times = {
            f"{repository_rows.inverted(row.time('Updated'))}:{name}" for name, row in tags.items()
        }
        if set(self.of("T:")) != times:
            yield f"T: rows {sorted(self.of('T:'))} for tags updated {sorted(times)}"

    def _broken_repository(self) -> Iterable[str]:
        exists, is_writable, holds = "h" in self.rows, "hw" in self.rows, bool(self.of("m:"))
        if exists != holds:
            yield f"h: {exists}, manifests: {holds}"
        is_locked = exists and self.rows["h"].values.get("WriteEnabled") is False
        if is_writable != (exists and not is_locked):
            yield f"hw: {is_writable}, h: {exists}, locked: {is_locked}"
        if holds and not self.is_listed:
            yield "the repository holds a manifest and is not in the catalogue"
        if not exists and self.rows:
            yield f"rows without a repository: {sorted(self.rows)}"

    def _broken_manifests(self, artifacts: Mapping[str, Artifact]) -> Iterable[str]:
        manifests = self.of("m:")
        times = {
            f"{repository_rows.inverted(row.time('Updated'))}:{d}" for d, row in manifests.items()
        }
        if set(self.of("M:")) != times:
            yield f"M: rows {sorted(self.of('M:'))} for manifests updated {sorted(times)}"
        for digest in manifests:
            artifact = artifacts[digest]
            yield from self._unprotected(artifact)
            for child in artifact.children:
                if f"c:{child}:{digest}" not in self.rows:
                    yield f"the child {child} does not know its index"
            if artifact.subject and f"s:{artifact.subject}:{digest}" not in self.rows:
                yield f"the referrer {digest} is not listed for its subject"
        for kind, position in (("c:", 1), ("s:", 1)):
            for key in self.of(kind):
                middle = len(key) // 2
                if (key[:middle], key[middle + 1 :])[position] not in manifests:
                    yield f"{kind}{key} speaks of a manifest that is not there"

    def _unprotected(self, artifact: Artifact) -> Iterable[str]:
        name = RepositoryName(self.repository)
        for digest in artifact.blobs:
            rows = self.blob_rows[digest]
            needed = rows.get(f"r:{keys.encode(self.repository)}:{artifact.digest}")
            if of_blobs.link(name) not in rows:
                yield f"{artifact.digest} cannot be pulled: {digest} is not linked"
            if needed is None or needed.values.get("Released"):
                yield f"garbage collection may take {digest} from {artifact.digest}"

    def _broken_blobs(self) -> Iterable[str]:
        link = of_blobs.link(RepositoryName(self.repository))
        for digest, rows in self.blob_rows.items():
            if link not in rows:
                continue
            if of_blobs.BLOB not in rows:
                yield f"{digest} is linked, and there is no such blob"
            elif rows[link].text("Location") != rows[of_blobs.BLOB].text("Location"):
                yield f"the link to {digest} leads elsewhere than the blob's row"
