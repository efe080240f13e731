"""The audit records of what retention deletes: the columns of those that requests leave."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

from registry_core.model.change import Event

_LOGGER = logging.getLogger("slipway.audit")


def write(events: Iterable[Event], region: str) -> None:
    """Writes a record for each event."""
    for event in events:
        line = {
            "Category": "ContainerRegistryRepositoryEvents",
            "OperationName": event.operation.value,
            "Repository": event.repository,
            "Tag": event.tag[:128],
            "Tags": list(event.tags),
            "Digest": event.digest[:160],
            "MediaType": event.media_type[:255],
            "Identity": event.origin.actor,
            "Rule": event.origin.rule,
            "ResultType": "Succeeded",
            "CorrelationId": event.origin.request_id,
            "Region": region,
        }
        _LOGGER.info(json.dumps({name: value for name, value in line.items() if value}))
