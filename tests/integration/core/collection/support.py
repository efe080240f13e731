"""Collection in which nothing has to wait: what is there at a moment is old, what follows is not.

No setting goes below the documented least; the ages are those of these tests alone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from registry_core.blobs import rows as blob_rows
from registry_core.lifecycle.collection.ages import Ages
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.collection.report import Report, Thing, Visit
from registry_core.lifecycle.collection.stores import Stores
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog
from registry_core.storage import tables
from registry_core.storage.tables import Row
from tests.integration.core.support import Client, all_rows

NO_AGE = Ages(link=timedelta(0), upload=timedelta(0), doomed=timedelta(0), change=timedelta(0))
"""Whatever was there at the moment that is asked for is old enough."""


def stores_of(client: Client) -> Stores:
    return Stores.over(client.services.connection)


async def moment(client: Client) -> datetime:
    """Storage's time: all that was written until now is as old or older, all that follows younger.

    A row is written until its time has gone on, so that nothing has the same.
    """
    table, key = client.services.connection.table(catalog.TABLE), secrets.token_hex(8)
    times = list[datetime]()
    while len(set(times)) < 2:
        await table.transact("moments", [tables.upsert(key)])
        row = await table.get("moments", key, ())
        assert row is not None
        times.append(row.timestamp)
    return times[0]


@dataclass
class Collecting:
    """Collects for a client, and notes what goes."""

    client: Client
    ages: Ages = NO_AGE
    things: list[Thing] = field(default_factory=list)

    @property
    def collector(self) -> Collector:
        return Collector(stores_of(self.client), self.ages)

    async def blob(self, digest: str, as_of: datetime | None = None, **options: bool) -> Visit:
        as_of = as_of or await moment(self.client)
        return await self.collector.visit_blob(
            Digest.parse(digest), as_of, tell=self.things.append, **options
        )

    async def repository(self, name: str, as_of: datetime | None = None, **options: bool) -> Visit:
        as_of = as_of or await moment(self.client)
        return await self.collector.visit_repository(
            RepositoryName(name), as_of, tell=self.things.append, **options
        )

    async def everything(self, *, dry_run: bool = False) -> Report:
        """One walk over all there is."""
        as_of, tell = await moment(self.client), self.things.append
        walk = await self.collector.run(0, 1, as_of, tell=tell, dry_run=dry_run)
        assert not walk.left
        return walk.report


async def blob_partition(client: Client, digest: str) -> dict[str, Row]:
    return await all_rows(client, blob_rows.TABLE, digest)
