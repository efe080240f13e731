"""Settings that are misspelt: they would be disregarded without a word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

REGISTRY = (
    "REGISTRY_ADMIN_PASSWORD",
    "REGISTRY_ADMIN_PASSWORD2",
    "REGISTRY_ADMIN_USERNAME",
    "REGISTRY_ADMIN_USER_ENABLED",
    "REGISTRY_ANONYMOUS_PULL",
    "REGISTRY_BACKUP_TO",
    "REGISTRY_BLOB_REDIRECT",
    "REGISTRY_CACHE_TTL",
    "REGISTRY_CLIENT_ADDRESS_HEADER",
    "REGISTRY_CORS_ORIGINS",
    "REGISTRY_DELETE_ENABLED",
    "REGISTRY_ENTRA_AUDIENCES",
    "REGISTRY_ENTRA_AUTHORITY",
    "REGISTRY_ENTRA_TENANT_ID",
    "REGISTRY_GC_GRACE",
    "REGISTRY_KEEP_WARM",
    "REGISTRY_LOGIN_SERVERS",
    "REGISTRY_METRICS",
    "REGISTRY_PEERS",
    "REGISTRY_RATE_LIMITS",
    "REGISTRY_RATE_LIMIT_DELETE",
    "REGISTRY_RATE_LIMIT_DELETE_TOTAL",
    "REGISTRY_RATE_LIMIT_READ",
    "REGISTRY_RATE_LIMIT_READ_TOTAL",
    "REGISTRY_RATE_LIMIT_REFERRERS",
    "REGISTRY_RATE_LIMIT_REFERRERS_TOTAL",
    "REGISTRY_RATE_LIMIT_SIGN_IN",
    "REGISTRY_RATE_LIMIT_SIGN_IN_TOTAL",
    "REGISTRY_RATE_LIMIT_WRITE",
    "REGISTRY_RATE_LIMIT_WRITE_TOTAL",
    "REGISTRY_REGION",
    "REGISTRY_REQUEST_LOG",
    "REGISTRY_REQUEST_LOG_SLOW",
    "REGISTRY_TRUSTED_PROXIES",
    "REGISTRY_UI",
    "REGISTRY_UI_CLIENT_ID",
    "REGISTRY_UPLOAD_EXPIRY",
)
STORAGE = (
    "RegistryStorage",
    "RegistryStorage__accountName",
    "RegistryStorage__blobServiceUri",
    "RegistryStorage__clientId",
    "RegistryStorage__credential",
    "RegistryStorage__queueServiceUri",
    "RegistryStorage__tableServiceUri",
)
DEPLOYMENT = (
    "REGISTRY_APP_NAMES",
    "REGISTRY_BUDGET_AMOUNT",
    "REGISTRY_BUDGET_EMAILS",
    "REGISTRY_BUDGET_START",
    "REGISTRY_DNS_TARGET",
    "REGISTRY_DOMAIN_VERIFICATION_ID",
    "REGISTRY_IS_CLOSED",
    "REGISTRY_KEEP_ADMIN_PASSWORD",
    "REGISTRY_LOCATIONS",
    "REGISTRY_LOGIN_SERVER",
    "REGISTRY_REGIONAL_LOGIN_SERVERS",
    "REGISTRY_RUNNER",
    "REGISTRY_STORAGE_ACCOUNTS",
)
"""What deploying has in its environment, and the templates' outputs: no settings of the app."""


def misspelt(names: Iterable[str]) -> Iterator[str]:
    """A sentence for each name that looks like a setting of the registry's and is none.

    A warning and not a refusal: a release may be gone back to that does not know a setting yet.
    """
    known = {name.lower(): name for name in (*REGISTRY, *STORAGE)}
    for name in sorted(set(names).difference(known.values(), DEPLOYMENT)):
        if not name.lower().startswith(("registry_", "registrystorage")):
            continue
        nearest = difflib.get_close_matches(name.lower(), known, 1, 0.5)
        hint = f" Is it {known[nearest[0]]}?" if nearest else ""
        yield f"{name} is not a setting of the registry, and is ignored.{hint}"
