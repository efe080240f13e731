"""The composition root: settings → clients → stores → services, once a process, built lazily."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from registry_core import __version__
from registry_core.access.signing_keys import SigningKeys
from registry_core.access.store import Access
from registry_core.auth.bearer import BearerTokens
from registry_core.auth.entra import Entra
from registry_core.auth.peers import PeerKeys
from registry_core.auth.rate_limiter import RateLimiter
from registry_core.auth.sign_in import SignIn, anonymous_caller
from registry_core.auth.throttle import Throttle
from registry_core.blobs import hashing
from registry_core.blobs.links import Links
from registry_core.blobs.upload_state import StateSealer
from registry_core.blobs.uploads import Uploads
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.delete import Deletions
from registry_core.repositories.delete_many import BulkDeletions
from registry_core.repositories.executor import Executor
from registry_core.repositories.listing import Listings
from registry_core.repositories.lock import Locks
from registry_core.repositories.metadata import Metadata
from registry_core.repositories.push import Pushes
from registry_core.repositories.read import Manifests
from registry_core.repositories.services import RepositoryServices
from registry_core.repositories.soft_delete import SoftDelete
from registry_core.settings import Settings
from registry_core.storage.cache import Cache
from registry_core.storage.calls import CallHook, traced
from registry_core.storage.connection import Connection
from registry_core.storage.objects import Objects
from registry_core.storage.room import Room
from registry_core.storage.sas import SasSigner
from registry_core.storage.tables import Table
from registry_core.system import System

if TYPE_CHECKING:
    from registry_core.lifecycle.usage.total import Totals
    from registry_core.repositories.deleted import DeletedListings
    from registry_core.repositories.restore import Restorations
    from registry_core.repositories.usage import Usages
    from registry_core.storage.metrics import MetricsSender

_LOGGER = logging.getLogger("slipway")


@dataclass(frozen=True)
class Services:
    """Everything a handler needs, once storage is open.

    What few requests ask for is loaded by the first of them: an instance starts sooner without.
    """

    settings: Settings
    connection: Connection
    system: System
    executor: Executor
    catalog: Catalog
    content: Objects
    blobs: Links
    uploads: Uploads
    manifests: Manifests
    listings: Listings
    pushes: Pushes
    deletions: Deletions
    bulk_deletions: BulkDeletions
    locks: Locks
    soft_delete: SoftDelete
    metadata: Metadata
    signer: SasSigner
    signing_keys: SigningKeys
    sign_in: SignIn
    throttle: Throttle

    @cached_property
    def deleted(self) -> DeletedListings:
        """What was deleted softly."""
        from registry_core.repositories.deleted import DeletedListings  # noqa: PLC0415

        return DeletedListings(self._repositories, self.soft_delete.repositories)

    @cached_property
    def restorations(self) -> Restorations:
        """Brings it back."""
        from registry_core.repositories.emptiness import Emptiness  # noqa: PLC0415
        from registry_core.repositories.restore import Restorations  # noqa: PLC0415

        emptiness = Emptiness(self.executor, self.catalog, self.soft_delete)
        return Restorations(
            self.executor, self._repositories, self.catalog, self.manifests, emptiness
        )

    @cached_property
    def usages(self) -> Usages:
        """What repositories take of storage."""
        from registry_core.repositories.usage import Usages  # noqa: PLC0415

        return Usages(self._repositories)

    @cached_property
    def totals(self) -> Totals:
        """What the registry does, as it was counted."""
        from registry_core.lifecycle.usage import total  # noqa: PLC0415
        from registry_core.storage.documents import Documents  # noqa: PLC0415

        documents = Documents(self.connection, total.CONTAINER)
        return total.Totals(documents, Cache(self.settings.cache_ttl))

    @property
    def _repositories(self) -> Table:
        return self.connection.table(repository_rows.TABLE)


class Registry:
    """One instance of the registry, and what of it needs no storage; `open` gives the services."""

    def __init__(
        self,
        settings: Settings,
        hook: CallHook | None = None,
        throttle: Throttle | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        self.settings = settings
        self.hook = hook or CallHook()
        self.anonymous = anonymous_caller(settings)
        self.throttle = throttle or Throttle()
        self.rate_limiter = rate_limiter or RateLimiter(settings.rate_limits)
        self.room = Room()
        self.metrics = self._metrics()
        self._entra = Entra(settings.entra) if settings.entra else None
        self._connection: Connection | None = None
        self._services: Services | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> Services:
        """Connects, once: checks the schema and fetches the keys, or makes both on empty storage.

        Its storage calls belong to the process, not to the request that happens to come first.
        Raises `SchemaError`; `Unavailable` if storage cannot be reached, to be tried again.
        """
        if self._services is not None:
            return self._services
        async with self._opening:
            if self._services is None:
                self._services = await self._open()
        return self._services

    async def _open(self) -> Services:
        connection = self._connected()
        system = System(connection)
        with traced() as trace:
            upload_keys = await system.open()
        services = self._build(connection, system, upload_keys)
        line = {
            "Category": "Opening",
            "Version": __version__,
            "StorageCalls": trace.count,
            "StorageRounds": trace.rounds,
        }
        _LOGGER.info(json.dumps(line), extra={"opened": line})
        return services

    def _connected(self) -> Connection:
        """The connection, which is made without a call."""
        if self._connection is None:
            self._connection = Connection(self.settings.storage, self.hook)
        return self._connection

    def _metrics(self) -> MetricsSender | None:
        """What sends the metrics; None where they are off."""
        url = self.settings.metrics_url
        if not url:
            return None
        from registry_core.model.metrics import NAMESPACE  # noqa: PLC0415
        from registry_core.storage.metrics import MetricsSender  # noqa: PLC0415

        return MetricsSender.over(self._connected, url, NAMESPACE)

    def _build(
        self, connection: Connection, system: System, upload_keys: dict[int, bytes]
    ) -> Services:
        settings = self.settings
        hashing.self_test()
        shared = RepositoryServices.over(connection, settings, remembers=True)
        executor, catalog, manifests = shared.executor, shared.catalog, shared.manifests
        sealer = StateSealer(upload_keys, settings.upload_expiry)
        uploads = Uploads(shared.content, shared.links, sealer)
        signing_keys = SigningKeys(connection)
        sign_in = SignIn(
            settings,
            Access(connection, Cache(settings.cache_ttl)),
            BearerTokens(signing_keys, settings.login_servers, peers=PeerKeys(settings.peers)),
            self._entra,
        )
        return Services(
            settings=settings,
            connection=connection,
            system=system,
            executor=executor,
            catalog=catalog,
            content=shared.content,
            blobs=shared.links,
            uploads=uploads,
            manifests=manifests,
            listings=Listings(shared.table, catalog, manifests),
            pushes=Pushes(
                executor,
                catalog,
                shared.links,
                shared.content,
                uploads,
                shared.bulk_deletions,
                shared.soft_delete,
            ),
            deletions=Deletions(
                executor, catalog, shared.links, manifests, shared.messages, shared.soft_delete
            ),
            bulk_deletions=shared.bulk_deletions,
            locks=Locks(executor, catalog, manifests, shared.soft_delete),
            soft_delete=shared.soft_delete,
            metadata=Metadata(shared.table, manifests),
            signer=SasSigner(connection),
            signing_keys=signing_keys,
            sign_in=sign_in,
            throttle=self.throttle,
        )

    async def close(self) -> None:
        """Closes every connection."""
        if self.metrics is not None:
            await self.metrics.close()
        if self._services is not None:
            await self._services.signing_keys.close()
        if self._connection is not None:
            await self._connection.close()
        if self._entra is not None:
            await self._entra.close()
