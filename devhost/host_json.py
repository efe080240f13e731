"""host.json, as far as it is imitated.

https://learn.microsoft.com/azure/azure-functions/functions-host-json
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from devhost.errors import AppError
from devhost.json_files import read_json

_TIME_SPAN = re.compile(
    r"(?:(?P<days>\d{1,8})\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2}):"
    r"(?P<seconds>\d{1,2}(?:\.\d{1,7})?)",
    re.ASCII,
)
_MINIMUM_POLLING_INTERVAL = timedelta(milliseconds=100)
_DEFAULT_POLLING_INTERVAL = timedelta(minutes=1)
_LOCAL_POLLING_INTERVAL = timedelta(seconds=2)
# Azure Queue Storage gives out no more at once, and keeps nothing invisible for longer.
_MAXIMUM_BATCH_SIZE = 32
_MAXIMUM_VISIBILITY_TIMEOUT = timedelta(days=7)


@dataclass(frozen=True)
class QueuesOptions:
    """`extensions.queues`: how queue triggers poll, how many run at once, how they try again.

    `batch_size` messages are fetched at once, and again when no more than `new_batch_threshold` are
    being processed. A message whose function fails becomes visible after `visibility_timeout`;
    after `max_dequeue_count` tries it is poison. `max_polling_interval` is the longest pause
    between two looks at an empty queue. `base64` is whether messages are encoded.

    https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#hostjson-settings
    """

    batch_size: int = 16
    new_batch_threshold: int = 8
    visibility_timeout: timedelta = timedelta(0)
    max_dequeue_count: int = 5
    max_polling_interval: timedelta = _LOCAL_POLLING_INTERVAL
    base64: bool = True

    @classmethod
    def parse(cls, section: Mapping[str, Any]) -> "QueuesOptions":
        """Take the options from the section of host.json.

        Raises:
            AppError: a value is not one that the host would take.
        """
        batch_size = _integer(section, "batchSize", cls.batch_size, 1, _MAXIMUM_BATCH_SIZE)
        interval = _time_span(section, "maxPollingInterval", _DEFAULT_POLLING_INTERVAL)
        if interval < _MINIMUM_POLLING_INTERVAL:
            raise AppError(_refusal("maxPollingInterval", "at least 00:00:00.1"))
        if interval == _DEFAULT_POLLING_INTERVAL:
            # As the host does in a development environment.
            interval = _LOCAL_POLLING_INTERVAL
        visibility_timeout = _time_span(section, "visibilityTimeout", cls.visibility_timeout)
        if visibility_timeout > _MAXIMUM_VISIBILITY_TIMEOUT:
            raise AppError(_refusal("visibilityTimeout", "at most 7.00:00:00"))
        encoding = section.get("messageEncoding", "base64")
        if not isinstance(encoding, str) or encoding.lower() not in {"base64", "none"}:
            raise AppError(_refusal("messageEncoding", "base64 or none"))
        return cls(
            batch_size=batch_size,
            new_batch_threshold=_integer(section, "newBatchThreshold", batch_size // 2, 0),
            visibility_timeout=visibility_timeout,
            max_dequeue_count=_integer(section, "maxDequeueCount", cls.max_dequeue_count, 1),
            max_polling_interval=interval,
            base64=encoding.lower() == "base64",
        )


@dataclass(frozen=True)
class HostJson:
    """The settings that all functions of an app share; `route_prefix` has no slash at its ends.

    `has_extensions` is whether triggers that the host has not built in are installed with it.
    """

    route_prefix: str = "api"
    queues: QueuesOptions = QueuesOptions()
    has_extensions: bool = False

    @classmethod
    def read(cls, app_dir: Path) -> "HostJson":
        """Read host.json of `app_dir`; without the file, everything has its default.

        Raises:
            AppError: the file is not what the host would take.
        """
        document = read_json(app_dir / "host.json")
        extensions = _section(document, "extensions")
        prefix = _section(extensions, "http").get("routePrefix", cls.route_prefix)
        if not isinstance(prefix, str):
            raise AppError("host.json: extensions.http.routePrefix must be a string")
        bundle = _section(document, "extensionBundle")
        if bundle and not all(isinstance(bundle.get(name), str) for name in ("id", "version")):
            raise AppError("host.json: extensionBundle must have an id and a version")
        queues = QueuesOptions.parse(_section(extensions, "queues"))
        return cls(prefix.strip("/"), queues, has_extensions=bool(bundle))


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise AppError(f"host.json: {name} must be an object")
    return section


def _integer(
    section: Mapping[str, Any], name: str, default: int, least: int, most: int | None = None
) -> int:
    value = section.get(name, default)
    if type(value) is not int or value < least or (most is not None and value > most):
        reach = f"a number of at least {least}" if most is None else f"from {least} to {most}"
        raise AppError(_refusal(name, reach))
    return value


def _time_span(section: Mapping[str, Any], name: str, default: timedelta) -> timedelta:
    if name not in section:
        return default
    value = section[name]
    match = _TIME_SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise AppError(_refusal(name, "a time such as 00:00:30"))
    hours, minutes, seconds = int(match["hours"]), int(match["minutes"]), float(match["seconds"])
    if hours > 23 or minutes > 59 or seconds >= 60:
        raise AppError(_refusal(name, "a time of at most 23:59:59, with days as in 1.00:00:00"))
    return timedelta(days=int(match["days"] or 0), hours=hours, minutes=minutes, seconds=seconds)


def _refusal(name: str, allowed: str) -> str:
    return f"host.json: extensions.queues.{name} must be {allowed}"
