"""What storage holds, and what of it live manifests need."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from registry_core.errors import Unavailable
from registry_core.lifecycle.collection.stores import Stores
from registry_core.repositories import rows
from registry_core.repositories.rows import StoredManifest, is_live
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from registry_core.storage.faults import StorageFault
from tests.soak.chart import Sample

SECONDS = 2.0
"""Between two samples."""


async def sample(stores: Stores, seconds: float) -> Sample:
    """What is there now, read from storage itself."""
    sizes = dict[str, int]()
    async for page in stores.content.contents(""):
        sizes |= {str(stores.content.location(each.name)): each.size for each in page.objects}
    needed = set[str]()
    async for found in stores.repositories.scan(" ", "~"):
        for row in found:
            if row.key in rows.MANIFESTS and is_live(row):
                blobs = StoredManifest.from_row(row).blobs
                needed |= {str(blob.location) for blob in blobs if blob.location}
    live = sum(size for location, size in sizes.items() if location in needed)
    return Sample(seconds, sum(sizes.values()), live)


async def keep_sampling(storage: str, into: list[Sample], stop: asyncio.Event) -> None:
    """Takes samples until it is told to stop."""
    connection = Connection(StorageSettings(storage), CallHook())
    began = time.monotonic()
    try:
        while not stop.is_set():
            # Storage that is busy is asked again in a moment.
            with suppress(StorageFault, Unavailable):
                into.append(await sample(Stores.over(connection), time.monotonic() - began))
            try:
                async with asyncio.timeout(SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
    finally:
        await connection.close()
