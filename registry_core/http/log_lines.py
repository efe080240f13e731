"""Lines of the logs that tell of requests: one JSON object each."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping


def write(
    logger: logging.Logger, level: int, line: Mapping[str, object], **extra: Mapping[str, object]
) -> None:
    """Writes a line; handlers that write another form find what `extra` has in the record.

    It says nothing of the place in the code, which is always the same: to look for that takes
    longer than all the rest.
    """
    if logger.isEnabledFor(level):
        text = json.dumps(line)
        logger.handle(logger.makeRecord(logger.name, level, "", 0, text, (), None, extra=extra))
