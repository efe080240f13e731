"""Lines of the logs that tell of requests: one JSON object each.

Logs are paid for by their length, so nothing is written that says nothing: a column that is not
there is empty, or 0.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_core.http.answered import Answered

_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_BEGUN = time.time()


def write(
    logger: logging.Logger,
    level: int,
    line: Mapping[str, object],
    answered: Answered | None = None,
) -> None:
    """Writes a line; handlers that write another form find in the record what was answered."""
    if logger.isEnabledFor(level):
        record = _record(logger.name, level)
        record.msg = _ENCODE({name: value for name, value in line.items() if value})
        record.answered = answered
        logger.handle(record)


def _record(name: str, level: int) -> logging.LogRecord:
    """An empty record of this moment.

    It says nothing of the place in the code, of the thread and of the process, which are always
    the same: to find that out takes longer than all the rest.
    """
    record = logging.LogRecord.__new__(logging.LogRecord)
    vars(record).update(_blank(name, level))
    record.created = now = time.time()
    record.msecs = now % 1 * 1000
    record.relativeCreated += (now - _BEGUN) * 1000
    return record


@lru_cache(maxsize=16)
def _blank(name: str, level: int) -> Mapping[str, object]:
    """What all records of a logger and a level have in common."""
    return vars(logging.LogRecord(name, level, "", 0, "", (), None)) | {"relativeCreated": 0.0}
