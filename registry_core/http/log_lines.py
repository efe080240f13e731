"""Lines of the logs that tell of requests: one JSON object each."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any


def write(logger: logging.Logger, level: int, line: Mapping[str, object]) -> None:
    """Writes a line; handlers that write another form find its fields in `request`.

    It says nothing of the place in the code, which is always the same: to look for that takes
    longer than all the rest.
    """
    if logger.isEnabledFor(level):
        extra: dict[str, Any] = {"request": line}
        text = json.dumps(line)
        logger.handle(logger.makeRecord(logger.name, level, "", 0, text, (), None, extra=extra))
