"""The composition root: settings → clients → stores → services, once a process, built lazily."""

from __future__ import annotations

import asyncio
import json
import logging

from registry_core import __version__
from registry_core.access.signing_keys import SigningKeys
from registry_core.access.store import Access
from registry_core.auth.backoff import BackOff
from registry_core.auth.entra import Entra
from registry_core.auth.peers import PeerKeys
from registry_core.auth.sign_in import SignIn, anonymous_caller
from registry_core.auth.tokens import Tokens
from registry_core.blobs import hashing
from registry_core.blobs import rows as blob_rows
from registry_core.blobs.links import Links
from registry_core.blobs.upload_state import StateSealer
from registry_core.blobs.uploads import Uploads
from registry_core.model.clock import HybridClock
from registry_core.repositories import catalog as catalog_rows
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.delete import Deletions
from registry_core.repositories.delete_many import BulkDeletions
from registry_core.repositories.executor import Executor
from registry_core.repositories.listing import Listings
from registry_core.repositories.lock import Locks
from registry_core.repositories.push import Pushes
from registry_core.repositories.read import Manifests
from registry_core.settings import Settings
from registry_core.storage.cache import Cache
from registry_core.storage.calls import CallHook, traced
from registry_core.storage.connection import Connection
from registry_core.storage.objects import Objects
from registry_core.storage.room import Room
from registry_core.storage.sas import SasSigner
from registry_core.system import System

_LOGGER = logging.getLogger("slipway")


class Registry:
    """Everything a handler needs. `open` must have been awaited before the services are used."""

    connection: Connection
    blobs: Links
    content: Objects
    uploads: Uploads
    manifests: Manifests
    listings: Listings
    pushes: Pushes
    deletions: Deletions
    bulk_deletions: BulkDeletions
    locks: Locks
    signer: SasSigner
    system: System
    signing_keys: SigningKeys
    sign_in: SignIn

    def __init__(self, settings: Settings, hook: CallHook | None = None) -> None:
        self.settings = settings
        self.hook = hook or CallHook()
        self.anonymous = anonymous_caller(settings)
        self.back_off = BackOff()
        self.room = Room()
        self._entra = Entra(settings.entra) if settings.entra else None
        self._connected = False
        self._opening = asyncio.Lock()
        self._opened = asyncio.Event()

    async def open(self) -> None:
        """Connects, once: checks the schema and fetches the keys, or makes both on empty storage.

        Its storage calls belong to the process, not to the request that happens to come first.
        Raises `SchemaError`; `Unavailable` if storage cannot be reached, to be tried again.
        """
        if self._opened.is_set():
            return
        async with self._opening:
            if self._opened.is_set():
                return
            if not self._connected:
                self.connection = Connection(self.settings.storage, self.hook)
                self._connected = True
            self.system = System(self.connection)
            with traced() as trace:
                upload_keys = await self.system.open()
            self._build(self.connection, upload_keys)
            self._opened.set()
            line = {
                "kind": "open",
                "version": __version__,
                "storage_calls": trace.count,
                "storage_rounds": trace.rounds,
            }
            _LOGGER.info(json.dumps(line), extra={"opened": line})

    def _build(self, connection: Connection, upload_keys: dict[int, bytes]) -> None:
        settings = self.settings
        hashing.self_test()
        repositories = connection.table(repository_rows.TABLE)
        catalog = Catalog(connection.table(catalog_rows.TABLE))
        executor = Executor(repositories, HybridClock(settings.region))
        sealer = StateSealer(upload_keys, settings.upload_expiry)
        self.content = Objects(connection, blob_rows.CONTAINER)
        self.signer = SasSigner(connection, self.content)
        self.blobs = Links(
            connection.table(blob_rows.TABLE), Cache(settings.cache_ttl), settings.gc_grace
        )
        self.uploads = Uploads(self.content, self.blobs, sealer)
        self.manifests = Manifests(
            repositories,
            self.content,
            Cache(settings.cache_ttl),
            Cache(settings.cache_ttl),
            settings.gc_grace,
        )
        self.listings = Listings(repositories, catalog, self.manifests)
        self.pushes = Pushes(executor, catalog, self.blobs, self.content, self.uploads)
        self.deletions = Deletions(executor, catalog, self.blobs, self.manifests)
        self.bulk_deletions = BulkDeletions(executor, catalog)
        self.locks = Locks(executor, catalog, self.manifests)
        self.signing_keys = SigningKeys(connection)
        self.sign_in = SignIn(
            settings,
            Access(connection, Cache(settings.cache_ttl)),
            Tokens(self.signing_keys, settings.login_servers, peers=PeerKeys(settings.peers)),
            self._entra,
        )

    async def close(self) -> None:
        """Closes every connection."""
        if self._opened.is_set():
            await self.signing_keys.close()
        if self._connected:
            await self.connection.close()
        if self._entra is not None:
            await self._entra.close()
