"""Typed settings, read once from the environment; each is documented here and nowhere twice.

A wrong setting stops the app with `SettingsError`, which names the setting and says what to do.
Modules have the groups of settings, by what they are about, and how each is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from registry_core.model.names import RepositoryPattern
from registry_core.settings import clients, operation, sign_in, storage
from registry_core.settings.clients import DEFAULT_BODY_LIMIT, RateLimits, TimeLimits
from registry_core.settings.operation import (
    BackupSettings,
    KeepWarmSettings,
    PageSettings,
    RequestLog,
    RequestLogSettings,
)
from registry_core.settings.sign_in import (
    ACR_AUDIENCES,
    ARM_AUDIENCES,
    MIN_PASSWORD_LENGTH,
    AdminSettings,
    EntraSettings,
)
from registry_core.settings.storage import SERVICES, StorageSettings, connection_values
from registry_core.settings.values import SettingsError, duration, switch

__all__ = [
    "ACR_AUDIENCES",
    "ARM_AUDIENCES",
    "DEFAULT_BODY_LIMIT",
    "MIN_EXPIRY",
    "MIN_GRACE",
    "MIN_PASSWORD_LENGTH",
    "SERVICES",
    "AdminSettings",
    "BackupSettings",
    "EntraSettings",
    "KeepWarmSettings",
    "PageSettings",
    "RateLimits",
    "RequestLog",
    "RequestLogSettings",
    "Settings",
    "SettingsError",
    "StorageSettings",
    "TimeLimits",
    "connection_values",
]

MIN_GRACE = timedelta(hours=1)
MIN_EXPIRY = timedelta(minutes=10)


@dataclass(frozen=True)
class Settings:
    """Everything that operators can set."""

    storage: StorageSettings
    login_servers: tuple[str, ...] = ("localhost:7071",)
    """`REGISTRY_LOGIN_SERVERS`: host names clients use, the first being the one announced."""
    peers: tuple[str, ...] = ()
    """`REGISTRY_PEERS`: host names of the other regions, whose tokens are taken."""
    admin: AdminSettings | None = None
    """`REGISTRY_ADMIN_USER_ENABLED`, `_USERNAME`, `_PASSWORD`, `_PASSWORD2`; None is off."""
    entra: EntraSettings | None = None
    """`REGISTRY_ENTRA_TENANT_ID`, `_AUDIENCES`, `_AUTHORITY`; None is off."""
    anonymous_pull: tuple[RepositoryPattern, ...] = ()
    """`REGISTRY_ANONYMOUS_PULL`: repositories that anybody may pull from."""
    cors_origins: tuple[str, ...] = ()
    """`REGISTRY_CORS_ORIGINS`: origins whose pages may read in a browser; none is off."""
    trusted_proxies: int = 1
    """`REGISTRY_TRUSTED_PROXIES`: how many proxies in front add to `X-Forwarded-For`."""
    client_address_header: str = ""
    """`REGISTRY_CLIENT_ADDRESS_HEADER`: the header of a proxy that tells the client's address."""
    blob_redirect: bool = True
    """`REGISTRY_BLOB_REDIRECT`: answer a blob GET with a 307 to storage, or stream it."""
    delete_enabled: bool = True
    """`REGISTRY_DELETE_ENABLED`: off answers every deletion with 405."""
    gc_grace: timedelta = timedelta(hours=24)
    """`REGISTRY_GC_GRACE`: how long what nothing needs is kept; at least an hour."""
    upload_expiry: timedelta = timedelta(days=7)
    """`REGISTRY_UPLOAD_EXPIRY`: how long an upload session waits for its next bytes."""
    cache_ttl: timedelta = timedelta(seconds=5)
    """`REGISTRY_CACHE_TTL`: how long an instance may answer a read from memory."""
    keep_warm: KeepWarmSettings | None = None
    """`REGISTRY_KEEP_WARM`; None is off."""
    backup: BackupSettings | None = None
    """`REGISTRY_BACKUP_TO`; None is off."""
    rate_limits: RateLimits | None = RateLimits()
    """`REGISTRY_RATE_LIMITS`, and the settings of each; None is off."""
    request_log: RequestLogSettings = RequestLogSettings()
    """`REGISTRY_REQUEST_LOG`, `_SLOW`."""
    page: PageSettings | None = PageSettings()
    """`REGISTRY_UI`, `_CLIENT_ID`; None is off."""
    metrics_url: str = ""
    """`REGISTRY_METRICS`: where Azure Monitor takes the registry's metrics; empty is off."""
    body_limit: int = DEFAULT_BODY_LIMIT
    """`FUNCTIONS_REQUEST_BODY_SIZE_LIMIT`: the largest body that the host lets through, in bytes.
    It is the host's own setting; clients are told of it."""
    region: str = "local"
    """`REGISTRY_REGION`, or `REGION_NAME` that App Service sets: in the stamps of changed rows."""
    limits: TimeLimits = TimeLimits()
    """Not for operators: they follow from what clients and Azure's front end wait for."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in `environment` (by default the process's). Raises `SettingsError`."""
        env = os.environ if environment is None else environment
        grace = duration(env, "REGISTRY_GC_GRACE", cls.gc_grace)
        if grace < MIN_GRACE:
            raise SettingsError(
                "REGISTRY_GC_GRACE: set it to 1h or more. With less, a push could lose its blobs"
            )
        expiry = duration(env, "REGISTRY_UPLOAD_EXPIRY", cls.upload_expiry)
        if expiry < MIN_EXPIRY:
            raise SettingsError(
                "REGISTRY_UPLOAD_EXPIRY: set it to 10m or more. With less, a push could not finish"
            )
        named = env.get("REGISTRY_REGION", "").strip() or env.get("REGION_NAME", "")
        region = re.sub(r"[^a-z0-9]", "", named.lower())
        login_servers = clients.login_servers(env)
        return cls(
            storage=storage.read(env),
            login_servers=login_servers,
            peers=clients.peers(env),
            admin=sign_in.admin(env),
            entra=sign_in.entra(env),
            anonymous_pull=sign_in.anonymous_pull(env),
            cors_origins=clients.cors_origins(env),
            trusted_proxies=clients.trusted_proxies(env),
            client_address_header=clients.client_address_header(env),
            blob_redirect=switch(env, "REGISTRY_BLOB_REDIRECT", cls.blob_redirect),
            delete_enabled=switch(env, "REGISTRY_DELETE_ENABLED", cls.delete_enabled),
            gc_grace=grace,
            upload_expiry=expiry,
            cache_ttl=duration(env, "REGISTRY_CACHE_TTL", cls.cache_ttl),
            keep_warm=operation.keep_warm(env, login_servers[0]),
            backup=operation.backup(env),
            rate_limits=clients.rate_limits(env),
            request_log=operation.request_log(env),
            page=operation.page(env),
            metrics_url=operation.metrics_url(env),
            body_limit=clients.body_limit(env),
            region=region or cls.region,
        )
