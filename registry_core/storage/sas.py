"""Short-lived SAS addresses: blob bytes go from storage to the client, not through the function.

Each is for reading one blob, for minutes, over https wherever storage speaks it, and says nothing
of the repository. With an identity it is signed by a user delegation key, else by the account key
("Create a user delegation SAS" and "Create a service SAS", Azure Storage REST reference). The
fields are put together here, because the SDK takes ten times as long; a test compares the two.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from registry_core.errors import Unavailable
from registry_core.storage.cache import Cache
from registry_core.storage.connection import Connection
from registry_core.storage.faults import StorageFault
from registry_core.storage.objects import Location, address

if TYPE_CHECKING:
    from azure.storage.blob import UserDelegationKey

LIFETIME = timedelta(minutes=20)
"""How long an address works. ACR's own work for 20 to 30 minutes."""
KEPT = timedelta(minutes=1)
"""How long an address is given to others who ask for the same: it works for 19 minutes then."""
_MAX_KEPT = 2048
_VERSION = "2026-10-06"
"""The version of storage's service whose rules an address follows."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
CLOCK_SKEW = timedelta(minutes=15)
"""Addresses and keys begin this much in the past: clocks differ."""
KEY_LIFETIME = timedelta(hours=24)
"""How long a delegation key is asked for; storage allows 7 days at most."""
KEY_RENEWAL = timedelta(hours=6)
"""A key with less than this left is renewed; it must outlive every address signed with it."""
# Fields by the names that they have in an address, in the order in which they are signed.
_OF_THE_KEY = (
    *("skoid", "sktid", "skt", "ske", "sks", "skv"),
    *("saoid", "suoid", "scid", "skdutid", "sduoid"),
)
_OF_THE_ADDRESS = ("sip", "spr", "sv", "sr", "snapshot", "ses")
_RESTRICTIONS = ("srh", "srq")
_OF_THE_ANSWER = ("rscc", "rscd", "rsce", "rscl", "rsct")
_LOGGER = logging.getLogger("slipway")
_CONTENT_TYPE = "application/octet-stream"


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Kept:
    """An address, and when it was signed."""

    signed: datetime
    url: str


class SasSigner:
    """Signs addresses of blobs in this account."""

    def __init__(self, connection: Connection, now: Callable[[], datetime] = _utc_now) -> None:
        self._connection = connection
        self._account = connection.account
        self._account_key = connection.account_key
        self._now = now
        self._kept: Cache[_Kept] = Cache(KEPT, _MAX_KEPT)
        self._delegation: tuple[datetime, UserDelegationKey] | None = None
        self._renewal = asyncio.Lock()

    async def url(self, location: Location, called: str) -> str:
        """The address to read the object at `location` from, with its signature.

        `called` is the host by which the client called the registry, or empty. It stands in the
        place of that of storage on this machine, as in development: clients built on
        go-containerregistry 0.21.6 and later go from no name to a loopback address. The address
        works for 19 minutes at least.
        """
        now = self._now()
        kept = self._kept.get((location, called))
        # A clock that was set back does not make an address that begins later last.
        if kept is None or not timedelta(0) <= now - kept.signed < KEPT:
            kept = _Kept(now, await self._signed(location, called, now))
            self._kept.put((location, called), kept)
        return kept.url

    async def _signed(self, location: Location, called: str, now: datetime) -> str:
        if location.account != self._account:
            raise LookupError(f"no access to content in {location.account}")
        url = address(self._connection.blobs.url, location.container, location.name)
        parts = urlsplit(url)
        if called and parts.hostname in _LOOPBACK:  # The host is no part of what is signed.
            port = f":{parts.port}" if parts.port else ""
            url = parts._replace(netloc=called + port).geturl()
        key = None if self._account_key else await self._key(now)
        fields = {
            "st": _text(now - CLOCK_SKEW),
            "se": _text(now + LIFETIME),
            "sp": "r",
            "spr": "https" if parts.scheme == "https" else "https,http",
            "sv": _VERSION,
            "sr": "b",
            "rsct": _CONTENT_TYPE,
            **(_key_fields(key) if key else {}),
        }
        resource = f"/blob/{self._account}/{location.container}/{location.name}"
        signed = _string_to_sign(fields, resource, is_delegated=key is not None)
        secret = str(key.value) if key else str(self._account_key)
        signature = hmac.digest(b64decode(secret), signed.encode(), "sha256")
        fields["sig"] = b64encode(signature).decode()
        return f"{url}?" + "&".join(f"{name}={quote(text)}" for name, text in fields.items())

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


def _string_to_sign(fields: Mapping[str, str], resource: str, *, is_delegated: bool) -> str:
    """What the signature is of: one line for each of these, empty for what the address leaves out.

    The order is that of storage's reference; for an account key `si` names a stored policy.
    """
    before = _OF_THE_KEY if is_delegated else ("si",)
    restrictions = _RESTRICTIONS if is_delegated else ()
    names = (*before, *_OF_THE_ADDRESS, *restrictions, *_OF_THE_ANSWER)
    lines = [fields["sp"], fields["st"], fields["se"], resource]
    return "\n".join([*lines, *(fields.get(name, "") for name in names)])


def _key_fields(key: UserDelegationKey) -> dict[str, str]:
    """What an address says of the delegation key that it is signed with."""
    found = {
        "skoid": key.signed_oid,
        "sktid": key.signed_tid,
        "skt": key.signed_start,
        "ske": key.signed_expiry,
        "sks": key.signed_service,
        "skv": key.signed_version,
        "skdutid": key.signed_delegated_user_tid,
    }
    return {name: text for name, text in found.items() if text}


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
