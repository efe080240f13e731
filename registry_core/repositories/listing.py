"""Listing tags, referrers and repositories, in pages. No listing opens a blob."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from registry_core.errors import DisallowedOperation, ManifestUnknown, NameUnknown
from registry_core.model.attributes import Attributes, Target, Use
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.model.threads import beside
from registry_core.repositories import rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.read import Manifests
from registry_core.repositories.rows import is_live
from registry_core.storage import tables
from registry_core.storage.tables import Row, Table

_PAGE_BYTES = 3 * 1024 * 1024
_MANIFESTS_READ = 50
"""How many manifests a page of referrers reads at most, for annotations that rows don't hold."""
_SHOWN_BY = ("ListEnabled",)
"""What decides whether something is listed."""


@dataclass(frozen=True)
class Page:
    """Part of a listing."""

    entries: list[Any]
    next: str
    """Where the rest begins, after this entry; empty if this is the end."""


class Listings:
    """Lists what is in one registry."""

    def __init__(self, table: Table, catalog: Catalog, manifests: Manifests) -> None:
        self._table = table
        self._catalog = catalog
        self._manifests = manifests

    async def tags(self, repository: RepositoryName, last: str, count: int) -> Page:
        """The names of up to `count` tags after `last`, in order. Raises `NameUnknown`."""
        found, is_more = await read_live(
            self._table, repository, rows.TAGS, _SHOWN_BY, last, count, Target.TAG
        )
        names = [rows.TAGS.rest(row.key) for row in found]
        if not names:
            await check_there(self._table, repository)
        return Page(names, names[-1] if is_more else "")

    async def repositories(self, last: str, count: int) -> Page:
        """The names of up to `count` repositories after `last`, in order."""

        async def read(first: str, limit: int) -> tables.Page:
            return await self._catalog.entries(first, _SHOWN_BY, limit)

        found, is_more = await read_page(read, Catalog.after(last), count, Target.REPOSITORY)
        names = [Catalog.name(row.key).text for row in found]
        return Page(names, names[-1] if is_more else "")

    async def referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        artifact_type: str,
        last: str,
        count: int,
    ) -> Page:
        """Descriptors of up to `count` manifests whose subject is `subject`, after `last`.

        In the order of their digests; with an `artifact_type` those of that type, of the next
        thousand manifests (the case of media types does not count: RFC 6838, 4.2). A page has at
        most 3 MiB, and ends after so many manifests that had to be read for their annotations; the
        next one begins after the last that was looked at.
        """
        range_ = rows.referrers_of(subject)
        wanted = tables.MAX_PAGE if artifact_type else min(count + 1, tables.MAX_PAGE)
        found = await self._table.page(
            rows.partition(repository), range_.after(last), range_.end, None, wanted
        )
        descriptors: list[dict[str, Any]] = []
        size = manifests_read = 0
        looked_at = ""
        for row in found.rows:
            if artifact_type.lower() in ("", row.text("ArtifactType").lower()):
                if len(descriptors) == count or manifests_read == _MANIFESTS_READ:
                    return Page(descriptors, looked_at)
                is_large = bool(row.values.get("AnnotationsInManifest"))
                manifests_read += is_large
                descriptor = await self._referrer(repository, row)
                weight = _PAGE_BYTES if is_large else 0
                size += len(await beside(weight, json.dumps, descriptor))
                if descriptors and size > _PAGE_BYTES:
                    return Page(descriptors, looked_at)
                descriptors += [descriptor] if descriptor else []
            looked_at = str(rows.last_digest(row.key))
        return Page(descriptors, "" if found.is_last else looked_at)

    async def _referrer(self, repository: RepositoryName, row: Row) -> dict[str, Any] | None:
        """A row's descriptor, its annotations from the manifest where they are too large for it.

        None if that has gone or is locked.
        """
        descriptor = rows.referrer_descriptor(row)
        if row.values.get("AnnotationsInManifest"):
            try:
                _, _, content = await self._manifests.get(repository, rows.last_digest(row.key))
            except (ManifestUnknown, DisallowedOperation):
                return None
            document = await beside(len(content), json.loads, content)
            descriptor["annotations"] = document["annotations"]
        return descriptor


async def check_there(table: Table, repository: RepositoryName) -> None:
    """Raises `NameUnknown` if there is no repository: where nothing is listed, that may be why."""
    columns = (rows.LIVE, rows.GONE)
    if not is_live(await table.get(rows.partition(repository), rows.REPOSITORY, columns)):
        raise NameUnknown(detail={"name": str(repository)})


def is_listed(row: Row, target: Target) -> bool:
    """Whether the attributes in a row allow that it is listed."""
    return not Attributes.from_row(row.values).forbidding(target, Use.LIST)


async def read_page(
    read: Callable[[str, int], Awaitable[tables.Page]], first: str, count: int, target: Target
) -> tuple[list[Row], bool]:
    """Up to `count` rows from the key `first` on, less those hidden, and whether more follow.

    One row more is asked for, as far as a page of storage has room for it: else storage has said
    that it was the last, or is asked again.
    """
    shown: list[Row] = []
    wanted = min(count + 1, tables.MAX_PAGE)
    while True:
        found = await read(first, wanted)
        shown += [row for row in found.rows if is_listed(row, target)]
        if len(shown) > count or found.is_last:
            return shown[:count], len(shown) > count
        first = f"{found.rows[-1].key}\x20"
        # Where many are hidden, a few more would be asked for again and again.
        least = min(tables.LEAST_FILTERED_PAGE, tables.MAX_PAGE)
        wanted = max(min(count + 1 - len(shown), tables.MAX_PAGE), least)


async def read_live(
    table: Table,
    repository: RepositoryName,
    range_: rows.Range,
    columns: tuple[str, ...],
    last: str,
    count: int,
    target: Target,
) -> tuple[list[Row], bool]:
    """The same of what is live of a kind, after `last`."""

    async def read(first: str, limit: int) -> tables.Page:
        partition = rows.partition(repository)
        return await table.page(partition, first, range_.end, columns, limit, having=rows.LIVE)

    return await read_page(read, range_.after(last), count, target)
