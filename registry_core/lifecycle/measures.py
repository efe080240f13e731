"""What the metrics are told of what happens without a request."""

from __future__ import annotations

from collections.abc import Mapping

from registry_core.model.metrics import NAMESPACE, REGION, Metric
from registry_core.settings import Settings
from registry_core.storage.connection import Connection
from registry_core.storage.metrics import MetricsSender


async def tell(connection: Connection, settings: Settings, values: Mapping[Metric, float]) -> None:
    """Sends values at once: an instance for a timer or a message may go when that is done.

    Nothing where metrics are off. What fails is a line in the log.
    """
    if not settings.metrics_url:
        return
    sender = MetricsSender.over(lambda: connection, settings.metrics_url, NAMESPACE)
    for metric, value in values.items():
        sender.add(metric, {REGION: settings.region}, value)
    await sender.close()


async def tell_freed(connection: Connection, settings: Settings, size: int) -> None:
    """Tells how many bytes collection gave back, if any."""
    if size:
        await tell(connection, settings, {Metric.FREED_BYTES: size})
