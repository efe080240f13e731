"""What reads and changes the repositories of one registry, put together over a connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from registry_core.blobs import rows as blob_rows
from registry_core.blobs.links import Links
from registry_core.model.clock import HybridClock
from registry_core.repositories import catalog as catalog_rows
from registry_core.repositories import rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.delete_many import BulkDeletions
from registry_core.repositories.executor import Executor
from registry_core.repositories.messages import QUEUE, Messages
from registry_core.repositories.read import Manifests
from registry_core.repositories.soft_delete import ENTERED_FOR, SoftDelete
from registry_core.settings import Settings
from registry_core.storage.cache import Cache
from registry_core.storage.connection import Connection
from registry_core.storage.objects import Objects
from registry_core.storage.tables import Table

_HINT_LIFE = timedelta(minutes=5)
"""For so long a push that takes its time finds its own blobs in memory. Far less than the time for
which an object outlives its rows (`lifecycle/collection/ages.py`)."""


@dataclass(frozen=True)
class RepositoryServices:
    """What requests, timers and commands have in common."""

    table: Table
    """Of repositories."""
    catalog: Catalog
    executor: Executor
    content: Objects
    links: Links
    manifests: Manifests
    messages: Messages
    soft_delete: SoftDelete
    bulk_deletions: BulkDeletions

    @classmethod
    def over(
        cls,
        connection: Connection,
        settings: Settings,
        *,
        remembers: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Self:
        """Those of the registry which a connection leads to.

        With `remembers`, what is read is kept for the life of the cache; else nothing is.
        """
        life = settings.cache_ttl if remembers else timedelta(0)

        def at_least(least: timedelta) -> timedelta:
            return max(life, least) if life else life

        table = connection.table(rows.TABLE)
        catalog = Catalog(connection.table(catalog_rows.TABLE))
        executor = Executor(table, HybridClock(settings.region), now)
        content = Objects(connection, blob_rows.CONTAINER)
        links = Links(
            connection.table(blob_rows.TABLE),
            Cache(life),
            Cache(at_least(_HINT_LIFE)),
            settings.gc_grace,
        )
        manifests = Manifests(table, content, Cache(life), Cache(life), links, settings.gc_grace)
        messages = Messages(connection.queue(QUEUE), settings.gc_grace, now)
        soft_delete = SoftDelete.over(connection, life, at_least(ENTERED_FOR))
        return cls(
            table,
            catalog,
            executor,
            content,
            links,
            manifests,
            messages,
            soft_delete,
            BulkDeletions(executor, catalog, manifests, messages, soft_delete),
        )
