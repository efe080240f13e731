"""What the app does besides answering clients: timers, backups, the page, logs and metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from registry_core.model.schedule import parse_schedule
from registry_core.settings.values import GUID, OFF, SettingsError, duration, switch

_PLACE = re.compile(r"(?:https?://[^/?#@\s]+|file://)/[^?#\s]+")
_METRICS_URL = re.compile(r"(?:https://|http://(?:localhost|127\.0\.0\.1)(?=[:/]))\S+/metrics")
"""By https, or to this machine, where no token is sent."""


@dataclass(frozen=True)
class KeepWarmSettings:
    """An instance for HTTP is kept by a timer that asks for `/healthz`."""

    schedule: str
    """`REGISTRY_KEEP_WARM`: when, in NCRONTAB; the times are UTC."""
    host: str
    """Whom it asks: `WEBSITE_HOSTNAME`, which is this app and no other region; else the first of
    the login servers."""


@dataclass(frozen=True)
class BackupSettings:
    """Backups are made by a timer."""

    to: str
    """`REGISTRY_BACKUP_TO`: a container of any storage account, or a folder."""
    connection_string: str = field(default="", repr=False)
    """`BackupStorage`: of the account of that container, where no identity is used."""


@dataclass(frozen=True)
class PageSettings:
    """The page that shows the registry in a browser."""

    client_id: str = ""
    """`REGISTRY_UI_CLIENT_ID`: the app registration by which people sign in there with Entra ID."""
    folder: Path = Path(__file__).parents[2] / "ui" / "dist"
    """Where its files are. No setting of the environment."""


class RequestLog(StrEnum):
    """Which requests have a line in the log, of those that leave no audit record."""

    ALL = "all"
    FAILED = "failed"
    """Those that failed, were slow, or took many storage calls."""
    OFF = "off"


@dataclass(frozen=True)
class RequestLogSettings:
    """What is logged of requests. Audit records cannot be switched off."""

    requests: RequestLog = RequestLog.FAILED
    """`REGISTRY_REQUEST_LOG`: all, failed or off."""
    slow: timedelta = timedelta(seconds=10)
    """`REGISTRY_REQUEST_LOG_SLOW`: with `failed`, a request that takes so long has a line, too."""


def keep_warm(env: Mapping[str, str], login_server: str) -> KeepWarmSettings | None:
    """When an instance is asked for; None if it is off. Raises `SettingsError`."""
    name = "REGISTRY_KEEP_WARM"
    text = env.get(name, "").strip()
    if text.lower() in ("", *OFF):
        return None
    try:
        schedule = parse_schedule(text)
    except ValueError as error:
        raise SettingsError(
            f"{name}: use 'off' or an NCRONTAB schedule, such as 0 */4 6-17 * * 1-5 ({error})"
        ) from error
    return KeepWarmSettings(schedule, env.get("WEBSITE_HOSTNAME", "").strip() or login_server)


def backup(env: Mapping[str, str]) -> BackupSettings | None:
    """Where backups go; None if it is off. Raises `SettingsError`."""
    name = "REGISTRY_BACKUP_TO"
    text = env.get(name, "").strip()
    if text.lower() in ("", *OFF):
        return None
    if not _PLACE.fullmatch(text):
        # Not repeated: it may hold a signature.
        raise SettingsError(
            f"{name}: use 'off' or the address of a container, such as "
            "https://account.blob.core.windows.net/container, without a signature"
        )
    return BackupSettings(text, env.get("BackupStorage", "").strip())


def page(env: Mapping[str, str]) -> PageSettings | None:
    """The page for browsers; None if it is off. Raises `SettingsError`."""
    name = "REGISTRY_UI_CLIENT_ID"
    if not switch(env, "REGISTRY_UI", True):
        return None
    client_id = env.get(name, "").strip().lower()
    if client_id and not GUID.fullmatch(client_id):
        raise SettingsError(
            f"{name}: it must be the application's (client) id of the page's app registration, "
            "which is a GUID"
        )
    if client_id and not env.get("REGISTRY_ENTRA_TENANT_ID", "").strip():
        raise SettingsError(f"{name}: it needs REGISTRY_ENTRA_TENANT_ID as well, or remove it")
    return PageSettings(client_id)


def request_log(env: Mapping[str, str]) -> RequestLogSettings:
    """What is logged of requests. Raises `SettingsError`."""
    name, default = "REGISTRY_REQUEST_LOG", RequestLogSettings()
    text = env.get(name, "").strip().lower() or default.requests
    try:
        requests = RequestLog(text)
    except ValueError as error:
        raise SettingsError(f"{name}: use 'all', 'failed' or 'off', not {text[:40]!r}") from error
    return RequestLogSettings(requests, duration(env, f"{name}_SLOW", default.slow))


def metrics_url(env: Mapping[str, str]) -> str:
    """Where metrics go; empty if it is off. Raises `SettingsError`."""
    text = env.get("REGISTRY_METRICS", "").strip()
    if text.lower() in ("", *OFF):
        return ""
    if not _METRICS_URL.fullmatch(text):
        raise SettingsError(
            "REGISTRY_METRICS: use 'off', or the address of Azure Monitor for the resource that "
            "has the metrics, such as "
            "https://westeurope.monitoring.azure.com/subscriptions/…/metrics"
        )
    return text
