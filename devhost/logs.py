"""What the host writes to standard error: for people at a terminal, else for programs.

At a terminal a request is one line: time, method, kind of path, repository, status, duration and
storage calls. Elsewhere every line is a JSON object, a request's the registry's own as in Azure.
A request that left an audit record is told by that. Further records of it are for programs, and
are left out at a terminal but with `LOG_LEVEL=DEBUG`.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from devhost.errors import DevhostError
from devhost.host.exchange import ConnectionAbortedByHost

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_FORMATS = ("text", "json")
_AUDIT = "slipway.audit"
_RED, _YELLOW, _GREEN, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"


def configure(environment: Mapping[str, str], *, is_terminal: bool | None = None) -> None:
    """Write from `LOG_LEVEL` on (INFO), in the form of `LOG_FORMAT` (text at a terminal, or json).

    Raises:
        DevhostError: one of them is wrong.
    """
    terminal = sys.stderr.isatty() if is_terminal is None else is_terminal
    level = _chosen(environment, "LOG_LEVEL", _LEVELS, "INFO")
    form = _chosen(environment, "LOG_FORMAT", _FORMATS, "text" if terminal else "json")
    handler = logging.StreamHandler()
    if form == "text":
        plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
        handler.setFormatter(ForPeople(colours=terminal and not plain))
        if level != "DEBUG":
            handler.addFilter(_is_for_people)
    else:
        handler.setFormatter(ForPrograms())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").addFilter(_is_news)


class ForPrograms(logging.Formatter):
    """One JSON object a line: what the app logs as one, as it is, with its time and level behind.

    Of any other line `message`, `logger`, and `exception` where there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        message = record.getMessage()
        time = f"{_second(int(record.created))}.{int(record.created % 1 * 1000):03}+00:00"
        if message.startswith('{"') and message.endswith("}") and not record.exc_info:
            return f'{message[:-1]}, "time": "{time}", "level": "{record.levelname}"}}'
        facts = {
            "time": time,
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        return json.dumps(facts)


class ForPeople(logging.Formatter):
    """One line a request; other lines with their level, where it is not INFO."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")
        self._colours = colours

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name is given
        """Return the line, its exception aside."""
        answered: Any = getattr(record, "answered", None)
        if answered is not None:
            status, journal = answered.status, answered.journal
            colour = _GREEN if status < 400 else _YELLOW if status < 500 else _RED
            return (
                f"{record.asctime} {answered.request.method:<6} {journal.kind:<14} "
                f"{journal.repository or '-'} {self._in(colour, str(status))} "
                f"{answered.duration_ms:.0f} ms, {answered.trace.count} calls"
            )
        opened: Mapping[str, Any] | None = getattr(record, "opened", None)
        if opened is not None:
            return f"{record.asctime} storage is open, registry version {opened['Version']}"
        if record.levelno == logging.INFO:
            return super().formatMessage(record)
        colour = _RED if record.levelno >= logging.ERROR else _YELLOW
        return f"{record.asctime} {self._in(colour, record.levelname)} {record.message}"

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colours else text


@lru_cache(maxsize=1)  # A second has many lines.
def _second(since_1970: int) -> str:
    return datetime.fromtimestamp(since_1970, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _chosen(
    environment: Mapping[str, str], name: str, choices: tuple[str, ...], default: str
) -> str:
    text = environment.get(name) or default
    for choice in choices:
        if text.lower() == choice.lower():
            return choice
    raise DevhostError(f"{name} must be one of {', '.join(choices)}, not {text!r}")


def _is_for_people(record: logging.LogRecord) -> bool:
    """Leave out what is for programs alone: a record beside the one that tells of the request."""
    return record.name != _AUDIT or getattr(record, "answered", None) is not None


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out connections that were dropped on purpose; what led to it has been logged.

    And clients that try TLS first, as docker does.
    """
    if record.getMessage() == "Invalid HTTP request received.":
        return False
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, ConnectionAbortedByHost)
