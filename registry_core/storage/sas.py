"""Short-lived SAS addresses: blob bytes go from storage to the client, not through the function.

Each is for reading one blob, for minutes, over https wherever storage speaks it, and says nothing
of the repository. With an identity it is signed by a user delegation key, else by the account key
("Create a user delegation SAS" and "Create a service SAS", Azure Storage REST reference).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from azure.storage.blob import BlobSasPermissions, UserDelegationKey, generate_blob_sas

from registry_core.errors import Unavailable
from registry_core.storage.connection import Connection
from registry_core.storage.faults import StorageFault
from registry_core.storage.objects import Location, Objects

LIFETIME = timedelta(minutes=20)
"""How long an address works. ACR's own work for 20 to 30 minutes."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
CLOCK_SKEW = timedelta(minutes=15)
"""Addresses and keys begin this much in the past: clocks differ."""
KEY_LIFETIME = timedelta(hours=24)
"""How long a delegation key is asked for; storage allows 7 days at most."""
KEY_RENEWAL = timedelta(hours=6)
"""A key with less than this left is renewed; it must outlive every address signed with it."""
_LOGGER = logging.getLogger("slipway")
_CONTENT_TYPE = "application/octet-stream"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SasSigner:
    """Signs addresses of blobs in this account."""

    def __init__(
        self, connection: Connection, content: Objects, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._connection = connection
        self._account = connection.account
        self._account_key = connection.account_key
        self._content = content
        self._now = now
        self._delegation: tuple[datetime, UserDelegationKey] | None = None
        self._renewal = asyncio.Lock()

    async def url(self, location: Location, called: str) -> str:
        """The address to read the object at `location` from, with its signature.

        `called` is the host by which the client called the registry, or empty. It stands in the
        place of that of storage on this machine, as in development: clients built on
        go-containerregistry 0.21.6 and later go from no name to a loopback address.
        """
        now = self._now()
        address = self._content.url(location)
        parts = urlsplit(address)
        if called and parts.hostname in _LOOPBACK:  # The host is no part of what is signed.
            port = f":{parts.port}" if parts.port else ""
            address = parts._replace(netloc=called + port).geturl()
        token = generate_blob_sas(
            account_name=self._account,
            container_name=location.container,
            blob_name=location.name,
            account_key=self._account_key,
            user_delegation_key=None if self._account_key else await self._key(now),
            permission=BlobSasPermissions(read=True),
            start=now - CLOCK_SKEW,
            expiry=now + LIFETIME,
            protocol="https" if address.startswith("https:") else "https,http",
            content_type=_CONTENT_TYPE,
        )
        return f"{address}?{token}"

    async def _key(self, now: datetime) -> UserDelegationKey:
        """The delegation key; one caller renews it while the others wait."""
        key = self._fresh(now)
        if key is not None:
            return key
        async with self._renewal:
            key = self._fresh(now)
            if key is None:
                key = await self._renewed(now)
        return key

    async def _renewed(self, now: datetime) -> UserDelegationKey:
        """A new key; if none can be had, the one there is, as long as it outlives an address."""
        expiry = now + KEY_LIFETIME
        try:
            key = await self._connection.delegation_key(now - CLOCK_SKEW, expiry)
        except (Unavailable, StorageFault):
            if self._delegation is None or self._delegation[0] - now < LIFETIME:
                raise
            _LOGGER.warning(
                "the key that signs addresses of blobs could not be renewed", exc_info=True
            )
            return self._delegation[1]
        self._delegation = (expiry, key)
        return key

    def _fresh(self, now: datetime) -> UserDelegationKey | None:
        if self._delegation is None or self._delegation[0] - now < KEY_RENEWAL:
            return None
        return self._delegation[1]
