"""What timers have done: purge, retention, what no message has collected, and a backup."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from registry_core.settings import BackupSettings, Settings, StorageSettings
from registry_core.storage.connection import Connection

if TYPE_CHECKING:
    from registry_core.lifecycle.collection.collector import Collector, Walk

NIGHTS = 30
"""In so many nights everything is walked."""
SECONDS = 420.0
"""For so long a walk goes on: a function may run ten minutes. The next night goes on elsewhere."""
_LOGGER = logging.getLogger("slipway.collection")


def shard_of(night: datetime) -> int:
    """Which part of everything is walked in a night, from 0."""
    return night.toordinal() % NIGHTS


async def collect_tonight(connection: Connection, settings: Settings) -> None:
    """Walks tonight's part of the registry that a connection leads to."""
    # No instance for HTTP has to load this.
    from registry_core.lifecycle import measures  # noqa: PLC0415
    from registry_core.lifecycle.collection.collector import Collector  # noqa: PLC0415

    walk = await collect(Collector.of(connection, settings))
    await measures.tell_freed(connection, settings, walk.report.size)


async def retain_tonight(connection: Connection, settings: Settings) -> None:
    """Deletes by the retention policy of the registry that a connection leads to, if it has one."""
    # The same.
    from registry_core.lifecycle.retention.nightly import Night  # noqa: PLC0415

    await Night.of(connection, settings).retain()


async def purge_tonight(connection: Connection, settings: Settings) -> None:
    """Deletes for good what was deleted softly in that registry, and whose days are over."""
    # The same.
    from registry_core.lifecycle.soft_delete import Purge, purge  # noqa: PLC0415

    await purge(Purge.of(connection, settings), SECONDS)


async def collect(
    collector: Collector, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Walk:
    """Goes over recent uploads and tonight's part, and logs in one line what went and stayed.

    Any instance may do it, and two at once: which part it is follows from the day.
    """
    begun = now()
    shard = shard_of(begun)
    walk = await collector.run(shard, NIGHTS, begun, recent=True, seconds=SECONDS)
    report = walk.report
    line = {
        "Category": "Collection",
        "Shard": f"{shard + 1}/{NIGHTS}",
        **report.columns,
        "IsComplete": not walk.left,
    }
    _LOGGER.log(logging.WARNING if report.failed else logging.INFO, json.dumps(line))
    return walk


async def count_tonight(connection: Connection, settings: Settings) -> None:
    """Counts tonight's part of what that registry takes of storage."""
    # The same.
    from registry_core.lifecycle.usage import tonight  # noqa: PLC0415

    await tonight.count_tonight(connection, settings)


async def back_up_today(
    connection: Connection, settings: StorageSettings, backup: BackupSettings
) -> None:
    """Makes today's backup of the registry that a connection leads to, if there is none yet."""
    # No instance for HTTP has to load this.
    from registry_core.lifecycle.backup.daily import Daily  # noqa: PLC0415

    await Daily(connection, settings, backup).run(seconds=SECONDS)
