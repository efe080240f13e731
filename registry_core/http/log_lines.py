"""Lines of the logs that tell of requests: one JSON object each.

Logs are paid for by their length, so nothing is written that says nothing: a column that is not
there is empty, or 0.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_core.http.answered import Answered

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def write(
    logger: logging.Logger,
    level: int,
    line: Mapping[str, object],
    answered: Answered | None = None,
) -> None:
    """Writes a line; handlers that write another form find in the record what was answered.

    The record says nothing of the place in the code, which is always the same: to look for that
    takes longer than all the rest.
    """
    if logger.isEnabledFor(level):
        text = _ENCODE({name: value for name, value in line.items() if value})
        extra = {"answered": answered}
        logger.handle(logger.makeRecord(logger.name, level, "", 0, text, (), None, extra=extra))
