"""Ten thousand repositories and a hundred thousand tags: rows as pushes write them, in bulk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.listings import crowd
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection

REPOSITORIES = [f"many/group-{n // 100:02}/app-{n:05}" for n in range(9_999)]
MANY_TAGS = "many-tags"
MANIFESTS, TAGS = 7_000, 100_000
NEWEST = 300
SEEN = (*REPOSITORIES[:60], *REPOSITORIES[-60:])
"""Of these there are all rows, because their figures are asked for: they are in view."""


def fill(connection_string: str) -> None:
    """Write the rows; in a thread, whose loop is in nobody's way."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _fill(connection_string)).result()


async def _fill(connection_string: str) -> None:
    connection = Connection(StorageSettings(connection_string), CallHook())
    try:
        unseen: Sequence[str] = sorted(set(REPOSITORIES).difference(SEEN))
        await crowd.enter(connection, [RepositoryName(name) for name in unseen])
        await crowd.make(connection, SEEN)
        await crowd.fill(connection, MANY_TAGS, MANIFESTS, TAGS, _Listed())
    finally:
        await connection.close()


class _Listed:
    """Says which rows are wanted: those of the listing by time, and of manifests the newest ones.

    To count the others would keep the emulator busy for longer than all that the page asks of it.
    """

    def __init__(self) -> None:
        self._manifests = 0

    def __call__(self, key: str) -> bool:
        if key in rows.MANIFESTS:
            self._manifests += 1
            return self._manifests > MANIFESTS - NEWEST
        return ":" not in key or key in rows.TAG_TIMES
