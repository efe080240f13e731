"""What a timer has counted each night, and what it tells of that."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from registry_core.lifecycle import measures
from registry_core.lifecycle.usage.count import Count
from registry_core.lifecycle.usage.total import PARTS, Total
from registry_core.model.metrics import Metric
from registry_core.settings import Settings
from registry_core.storage.connection import Connection

SECONDS = 90.0
"""For so long a part is counted: other jobs of the night need their time as well."""
_LOGGER = logging.getLogger("slipway.usage")


async def count_tonight(connection: Connection, settings: Settings) -> None:
    """Counts tonight's part of the registry that a connection leads to."""
    total = await count(Count.of(connection, settings))
    if total is not None and total.is_complete:
        await measures.tell(connection, settings, {Metric.STORAGE_USED: total.stored_size})


async def count(
    counting: Count,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    seconds: float = SECONDS,
) -> Total | None:
    """Counts tonight's part, and logs in one line what the registry has.

    Any instance may do it, and two at once: which part it is follows from the day.
    """
    begun = now()
    part = begun.toordinal() % PARTS
    total = await counting.run(part, begun, seconds=seconds)
    line: dict[str, object] = {
        "Category": "Usage",
        "Part": f"{part + 1}/{PARTS}",
        "IsComplete": total is not None and total.is_complete,
        "IsTooLarge": total is None,
    }
    if total is not None:
        figures = total.figures
        line |= {
            "Repositories": total.repositories,
            "Blobs": figures.blobs,
            "Bytes": figures.size,
            "SharedBytes": figures.shared_size,
            "WaitingBytes": figures.waiting_size,
            "StoredBytes": total.stored_size,
        }
    _LOGGER.log(logging.WARNING if total is None else logging.INFO, json.dumps(line))
    return total
