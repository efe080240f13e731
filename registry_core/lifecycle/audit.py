"""The audit records of what the registry does by itself: the columns of those of requests."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

from registry_core.model import audit
from registry_core.model.change import Event

_LOGGER = logging.getLogger("slipway.audit")


def write(events: Iterable[Event], region: str) -> None:
    """Writes a record for each event."""
    for event in events:
        line = {
            **audit.columns(event),
            "Tags": list(event.tags),
            "Rule": event.origin.rule,
            "ResultType": "Succeeded",
            "CorrelationId": event.origin.request_id,
            "Region": region,
        }
        _LOGGER.info(json.dumps({name: value for name, value in line.items() if value}))
