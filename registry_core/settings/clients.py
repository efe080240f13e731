"""By which names clients call and from where, how much they may ask for, and how long they wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from registry_core.settings.values import SettingsError, is_host, listed, switch

DEFAULT_BODY_LIMIT = 100 * 1024 * 1024
"""The largest body that the Functions host takes where nothing is set, in bytes."""
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class TimeLimits:
    """How long storage may keep the registry waiting, in seconds. No setting of the environment."""

    request: float = 25.0
    """For a request that moves no bytes of content, and between bytes that move."""
    call: float = 10.0
    """For one storage call; for one that sends content, a second more for each MiB."""
    health: float = 4.0
    """For `/healthz`."""


@dataclass(frozen=True)
class RateLimits:
    """How many requests an instance answers in a minute; 0 is no limit.

    The defaults are those of Azure Container Registry's tier Premium. It has no limit on the
    sign-ins of one address.
    """

    read: int = 10_000
    """`REGISTRY_RATE_LIMIT_READ`: `GET` and `HEAD` by one identity."""
    read_total: int = 20_000
    """`REGISTRY_RATE_LIMIT_READ_TOTAL`: by all together."""
    write: int = 2_000
    """`REGISTRY_RATE_LIMIT_WRITE`: `POST`, `PATCH` and `PUT` by one identity."""
    write_total: int = 4_000
    """`REGISTRY_RATE_LIMIT_WRITE_TOTAL`: by all together."""
    delete: int = 2_000
    """`REGISTRY_RATE_LIMIT_DELETE`: `DELETE` by one identity."""
    delete_total: int = 4_000
    """`REGISTRY_RATE_LIMIT_DELETE_TOTAL`: by all together."""
    referrers: int = 1_000
    """`REGISTRY_RATE_LIMIT_REFERRERS`: lists of referrers, of the reads of one identity."""
    referrers_total: int = 2_000
    """`REGISTRY_RATE_LIMIT_REFERRERS_TOTAL`: by all together."""
    sign_in: int = 10_000
    """`REGISTRY_RATE_LIMIT_SIGN_IN`: requests to `/oauth2/…` from one address."""
    sign_in_total: int = 20_000
    """`REGISTRY_RATE_LIMIT_SIGN_IN_TOTAL`: from all together."""


def login_servers(env: Mapping[str, str]) -> tuple[str, ...]:
    """The host names that clients use. Raises `SettingsError`."""
    text = env.get("REGISTRY_LOGIN_SERVERS") or env.get("WEBSITE_HOSTNAME") or "localhost:7071"
    servers = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not servers or not all(map(is_host, servers)):
        raise SettingsError(
            "REGISTRY_LOGIN_SERVERS: use host names separated by commas, each with its port if it "
            "has one: registry.example.com,localhost:7071"
        )
    return servers


def peers(env: Mapping[str, str]) -> tuple[str, ...]:
    """The host names of the other regions. Raises `SettingsError`."""
    peers = listed(env.get("REGISTRY_PEERS", "").lower())
    if not all(map(is_host, peers)):
        raise SettingsError(
            "REGISTRY_PEERS: use the host names of the other regions, separated by commas"
        )
    return peers


def cors_origins(env: Mapping[str, str]) -> tuple[str, ...]:
    """The origins whose pages may read. Raises `SettingsError`."""
    origins = listed(env.get("REGISTRY_CORS_ORIGINS", "").lower())
    for origin in origins:
        scheme, _, host = origin.partition("://")
        if scheme not in ("http", "https") or not is_host(host):
            raise SettingsError(
                "REGISTRY_CORS_ORIGINS: use origins separated by commas, such as "
                "https://pages.example.com, without a path"
            )
    return origins


def trusted_proxies(env: Mapping[str, str]) -> int:
    """How many proxies in front are ours. Raises `SettingsError`."""
    text = env.get("REGISTRY_TRUSTED_PROXIES", "").strip() or "1"
    if text not in ("0", "1", "2", "3", "4"):
        raise SettingsError("REGISTRY_TRUSTED_PROXIES: use a number from 0 to 4")
    return int(text)


def client_address_header(env: Mapping[str, str]) -> str:
    """The header that tells the client's address; empty for none. Raises `SettingsError`."""
    text = env.get("REGISTRY_CLIENT_ADDRESS_HEADER", "").strip()
    if text.lower() in ("", "off"):
        return ""
    if not _HEADER.fullmatch(text):
        raise SettingsError(
            "REGISTRY_CLIENT_ADDRESS_HEADER: use 'off', or the name of the header in which your "
            "proxy tells the client's address, such as X-Azure-ClientIP"
        )
    return text


def rate_limits(env: Mapping[str, str]) -> RateLimits | None:
    """The rate limits; None if they are off. Raises `SettingsError`."""
    if not switch(env, "REGISTRY_RATE_LIMITS", True):
        return None
    given = {
        "read": "REGISTRY_RATE_LIMIT_READ",
        "read_total": "REGISTRY_RATE_LIMIT_READ_TOTAL",
        "write": "REGISTRY_RATE_LIMIT_WRITE",
        "write_total": "REGISTRY_RATE_LIMIT_WRITE_TOTAL",
        "delete": "REGISTRY_RATE_LIMIT_DELETE",
        "delete_total": "REGISTRY_RATE_LIMIT_DELETE_TOTAL",
        "referrers": "REGISTRY_RATE_LIMIT_REFERRERS",
        "referrers_total": "REGISTRY_RATE_LIMIT_REFERRERS_TOTAL",
        "sign_in": "REGISTRY_RATE_LIMIT_SIGN_IN",
        "sign_in_total": "REGISTRY_RATE_LIMIT_SIGN_IN_TOTAL",
    }
    return RateLimits(
        **{field: _requests(env, name, getattr(RateLimits, field)) for field, name in given.items()}
    )


def _requests(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,7}", text):
        raise SettingsError(
            f"{name}: use a number of requests in a minute, such as 1000, or 0 for no limit"
        )
    return int(text)


def body_limit(env: Mapping[str, str]) -> int:
    """As the host reads it; where it cannot read it, its default counts."""
    text = env.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "").strip()
    return int(text) if re.fullmatch(r"0*[1-9][0-9]{0,17}", text) else DEFAULT_BODY_LIMIT
