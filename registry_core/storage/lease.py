"""A lease of an object: one process at a time has it, and of one that died it ends by itself."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from registry_core.errors import Unavailable
from registry_core.storage.budget import repeated
from registry_core.storage.bulk import Bulk, nothing_moved, whole
from registry_core.storage.calls import Request
from registry_core.storage.connection import Connection
from registry_core.storage.faults import RowMissing, StorageFault, Taken
from registry_core.storage.objects import address

SECONDS = 30
"""How long a lease lasts that nobody renews (Lease Blob: 15 to 60 seconds)."""
_RENEWAL_SECONDS = 10.0
PATIENCE_SECONDS = SECONDS + _RENEWAL_SECONDS
"""How long it is waited for the lease of a process that may have died."""
_LOOK_AGAIN_SECONDS = 1.0
_ATTEMPTS = 4


class Lease:
    """The lease of one object, which is made if there is none."""

    def __init__(
        self,
        connection: Connection,
        container: str,
        name: str,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._patience = patience
        self._blobs = connection.blobs
        self._bulk = Bulk(connection, container)
        self._name = name
        self._url = f"{address(connection.blobs.url, container, name)}?comp=lease"
        self._id = str(uuid.uuid4())
        self._lasts = 0.0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Lease]:
        """Has the lease meanwhile; waits for one of a process that may have died.

        Raises `Taken` if another process has it and renews it.
        """
        over = time.monotonic() + self._patience
        while True:
            try:
                await self._acquire()
                break
            except Taken:
                if time.monotonic() > over:
                    raise
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        renewal = asyncio.create_task(self._renew())
        try:
            yield self
        finally:
            renewal.cancel()
            await asyncio.wait([renewal])
            with suppress(StorageFault, Unavailable):  # It ends by itself.
                await self._send("release")

    def check(self) -> None:
        """Raises `Taken` if it may be another's by now."""
        if time.monotonic() >= self._lasts:
            raise Taken("the lease could not be renewed")

    async def _acquire(self) -> None:
        begun = time.monotonic()
        try:
            await self._send("acquire")
        except RowMissing:
            await self._bulk.write(self._name, whole(b""), {}, nothing_moved)
            await self._send("acquire")
        self._lasts = begun + SECONDS

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEWAL_SECONDS)
            begun = time.monotonic()
            with suppress(StorageFault, Unavailable):
                await self._send("renew")
                self._lasts = begun + SECONDS

    async def _send(self, action: str) -> None:
        """Sends it again where no answer came: with the same id it is the same lease."""
        headers = {"x-ms-lease-action": action}
        if action == "acquire":
            headers["x-ms-lease-duration"] = str(SECONDS)
            headers["x-ms-proposed-lease-id"] = self._id
        else:
            headers["x-ms-lease-id"] = self._id
        await repeated(
            lambda: self._blobs.write(Request("PUT", self._url, dict(headers))), most=_ATTEMPTS
        )
