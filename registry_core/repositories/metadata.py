"""What is told of repositories, tags and manifests beside their content. No lock forbids it.

All of it lies in rows. No listing opens a blob or a manifest.
"""

from __future__ import annotations

import json
from dataclasses import replace
from enum import Enum

from registry_core.errors import ManifestUnknown, NameUnknown, TagUnknown
from registry_core.model.attributes import COLUMNS as ATTRIBUTES
from registry_core.model.attributes import Attributes, Target
from registry_core.model.digest import Digest
from registry_core.model.media_types import INDEXES
from registry_core.model.names import RepositoryName, Tag
from registry_core.model.threads import beside
from registry_core.repositories import rows
from registry_core.repositories.facts import ManifestFacts, RepositoryFacts, TagFacts
from registry_core.repositories.listing import Page, check_there, read_live
from registry_core.repositories.manifest_tags import ManifestTags
from registry_core.repositories.read import Manifests
from registry_core.repositories.rows import StoredManifest, live
from registry_core.repositories.timeline import Timeline, place_of
from registry_core.storage.pacing import both, together
from registry_core.storage.tables import Table

MAX_MANIFESTS_BY_TIME = 100
"""The most manifests of a page in the order of time: the tags of each take a call."""


class Order(Enum):
    """The order of a listing."""

    NAME = "name"
    LATEST = "timedesc"
    OLDEST = "timeasc"


class Metadata:
    """Tells what is in the repositories of one registry."""

    def __init__(self, table: Table, manifests: Manifests) -> None:
        self._table = table
        self._manifests = manifests
        self._timeline = Timeline(table)
        self._manifest_tags = ManifestTags(table, self._timeline)

    # One of a kind.

    async def repository(self, repository: RepositoryName) -> RepositoryFacts:
        """A repository. Its tags and manifests are counted, 1,000 a call. Raises `NameUnknown`."""
        partition = rows.partition(repository)
        columns = (rows.LIVE, rows.GONE, "Created", *ATTRIBUTES)
        ranges = (rows.MANIFEST_TIMES, rows.TAG_TIMES)
        (own, last_update), (manifests, tags) = await both(
            both(
                self._table.get(partition, rows.REPOSITORY, columns),
                self._table.get(partition, rows.LAST_UPDATE, ("Updated",)),
            ),
            together(self._count(partition, range_) for range_ in ranges),
        )
        row = live(own)
        if row is None:
            raise NameUnknown(detail={"name": str(repository)})
        created = row.time("Created")
        updated = last_update.time("Updated") if last_update else created
        attributes = Attributes.from_row(row.values)
        return RepositoryFacts(created, updated, manifests, tags, attributes)

    async def _count(self, partition: str, range_: rows.Range) -> int:
        pages = self._table.pages(partition, range_.first, range_.end, ())
        return sum([len(page) async for page in pages])

    async def tag(self, repository: RepositoryName, tag: Tag) -> TagFacts:
        """A tag. Raises `TagUnknown`."""
        partition, key = rows.partition(repository), rows.tag_key(tag)
        row = live(await self._table.get(partition, key, (*rows.TAG_FACTS, rows.GONE)))
        if row is None:
            raise TagUnknown
        return TagFacts.from_row(row)

    async def manifest(self, repository: RepositoryName, digest: Digest) -> ManifestFacts:
        """A manifest. Raises `ManifestUnknown`."""
        found, tags = await both(
            self._table.get(rows.partition(repository), rows.manifest_key(digest)),
            self._tags_between(repository, digest, digest),
        )
        row = live(found)
        if row is None:
            raise ManifestUnknown
        facts = replace(ManifestFacts.from_row(row), tags=tags.get(str(digest), ()))
        if facts.media_type.lower() not in INDEXES:
            return facts
        content = await self._manifests.content(StoredManifest.from_row(row))
        document = await beside(len(content), json.loads, content)
        return replace(facts, children=document.get("manifests") or ())

    # Pages.

    async def tags(
        self, repository: RepositoryName, order: Order, of: Digest | None, last: str, count: int
    ) -> Page:
        """Up to `count` tags after `last`, all or those of one manifest. Raises `NameUnknown`."""
        by_name, latest = order is Order.NAME, order is Order.LATEST
        if of is None and by_name:
            columns = rows.TAG_FACTS
            found = await read_live(
                self._table, repository, rows.TAGS, columns, last, count, Target.TAG
            )
        elif of is None:
            found = await self._timeline.page(repository, Target.TAG, last, count, latest=latest)
        elif by_name:
            found = await self._manifest_tags.by_name(repository, of, last, count)
        else:
            pages = self._manifest_tags
            found = await pages.by_time(repository, of, last, count, latest=latest)
        listed, is_more = [TagFacts.from_row(row) for row in found[0]], found[1]
        if not listed:
            await check_there(self._table, repository)
        if not is_more:
            return Page(listed, "")
        end = listed[-1]
        return Page(listed, end.name if by_name else place_of(end.name, end.updated))

    async def manifests(
        self, repository: RepositoryName, order: Order, last: str, count: int
    ) -> Page:
        """Up to `count` manifests after `last`, with their tags. Raises `NameUnknown`.

        In the order of time, 100 at most.
        """
        kind, by_name = Target.MANIFEST, order is Order.NAME
        if by_name:
            columns = rows.LISTED_MANIFEST_FACTS
            found = await read_live(
                self._table, repository, rows.MANIFESTS, columns, last, count, kind
            )
        else:
            count, latest = min(count, MAX_MANIFESTS_BY_TIME), order is Order.LATEST
            found = await self._timeline.page(repository, kind, last, count, latest=latest)
        listed, is_more = [ManifestFacts.from_row(row) for row in found[0]], found[1]
        if not listed:
            await check_there(self._table, repository)
        digests = [rows.last_digest(row.key) for row in found[0]]
        # In the order of digests, the tags of them all stand together.
        spans = [(digests[0], digests[-1])] if by_name and digests else [(d, d) for d in digests]
        parts = await together(self._tags_between(repository, *span) for span in spans)
        tags = {digest: names for part in parts for digest, names in part.items()}
        listed = [replace(facts, tags=tags.get(facts.digest, ())) for facts in listed]
        if not is_more:
            return Page(listed, "")
        end = listed[-1]
        return Page(listed, end.digest if by_name else place_of(end.digest, end.updated))

    async def _tags_between(
        self, repository: RepositoryName, first: Digest, last: Digest
    ) -> dict[str, list[str]]:
        """The tags of the manifests from `first` to `last`, by digest."""
        begin, end = rows.tags_of(first).first, rows.tags_of(last).end
        found = await self._table.query(rows.partition(repository), begin, end, ())
        tags: dict[str, list[str]] = {}
        for row in found:
            digest, _, tag = rows.MANIFEST_TAGS.rest(row.key).rpartition(":")
            tags.setdefault(digest, []).append(tag)
        return tags
