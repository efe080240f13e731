"""`slipway usage`: what the whole registry takes of storage."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from registry_core.lifecycle.usage.count import Count
from registry_core.lifecycle.usage.total import PARTS, Total
from registry_core.settings import Settings
from registry_core.storage.budget import Budget, budgeted
from registry_core.system import System
from slipway_cli.command import Row, Shaped, written
from slipway_cli.output.cells import Size
from slipway_cli.output.progress import Progress
from slipway_cli.stores import PATIENCE_SECONDS, check_schema, connection


async def count(_: argparse.Namespace) -> Shaped:
    """Counts each part of all there is. Raises `CommandError`."""
    as_of = datetime.now(UTC)
    async with connection() as opened:
        await check_schema(System(opened))
        counting = Count.of(opened, Settings.from_environment())
        with Progress() as progress, budgeted(Budget(PATIENCE_SECONDS, attempts=sys.maxsize)):
            total = Total()
            for part in range(PARTS):

                def tell(blobs: int, part: int = part) -> None:
                    progress.show(f"part {part + 1} of {PARTS}: {blobs:,} blobs")

                total = await counting.run(part, as_of, tell=tell) or total
    return Shaped(_rows(total), _document(total, as_of))


def _rows(total: Total) -> list[Row]:
    figures = total.figures
    lines = (
        ("blobs, each once", figures.blobs, figures.size),
        ("of them in several repositories", figures.shared, figures.shared_size),
        ("of all objects, those that wait for collection", figures.waiting, figures.waiting_size),
        ("uploads that are not committed", total.uploads, total.uploads_size),
        ("all that storage has", None, total.stored_size),
    )
    return [{"what": what, "count": number, "size": Size(size)} for what, number, size in lines]


def _document(total: Total, as_of: datetime) -> dict[str, object]:
    return {"asOf": written(as_of), **total.counts}
