"""The keys of an OpenID Connect issuer: discovered, cached, and looked for anew, within bounds.

See OpenID Connect Discovery 1.0 and RFC 7517. Whoever sends tokens with made-up key ids makes an
instance ask the issuer once in half a minute, and an issuer that is down is not missed for a week.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from registry_core.auth.fetch import fetch_json
from registry_core.auth.jwks import public_keys
from registry_core.errors import Unavailable

if TYPE_CHECKING:
    from jwt import PyJWK

ALGORITHM = "RS256"
"""What Entra ID signs with (RFC 7518, 3.3)."""
_FRESH_SECONDS = 24 * 3600.0
_STALE_SECONDS = 7 * 24 * 3600.0
_AGAIN_SECONDS = 30.0
_LOGGER = logging.getLogger("slipway")


class IssuerKeys:
    """The keys of one issuer, at one https address."""

    def __init__(self, address: str, now: Callable[[], float] = time.monotonic) -> None:
        self._address = address.rstrip("/")
        self._now = now
        self._keys: Mapping[str, PyJWK] = {}
        self._issuer = ""
        self._fetched = self._tried = -_STALE_SECONDS
        self._fetching = asyncio.Lock()

    @property
    def issuer(self) -> str:
        """What the issuer calls itself; empty before it was asked."""
        return self._issuer

    async def find(self, kid: str) -> PyJWK | None:
        """The key of that id. Raises `Unavailable` if nothing is known of the issuer."""
        if self._is_missing(kid):
            async with self._fetching:  # Whoever waited here finds what the first one fetched.
                if self._is_missing(kid) and self._now() - self._tried >= _AGAIN_SECONDS:
                    await self._fetch()
        if not self._keys or self._now() - self._fetched > _STALE_SECONDS:
            raise Unavailable("Entra ID cannot be reached; try again")
        return self._keys.get(kid)

    def _is_missing(self, kid: str) -> bool:
        return kid not in self._keys or self._now() - self._fetched > _FRESH_SECONDS

    async def _fetch(self) -> None:
        self._tried = self._now()
        try:
            document = await fetch_json(f"{self._address}/.well-known/openid-configuration")
            issuer, uri = str(document["issuer"]), str(document["jwks_uri"])
            self._check_address(uri)
            keys = public_keys(await fetch_json(uri), ALGORITHM)
        except (OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            _LOGGER.warning("the keys of %s: %s", self._address, type(error).__name__)
            return
        self._issuer, self._keys, self._fetched = issuer, keys, self._now()

    def _check_address(self, uri: str) -> None:
        """Keys come from the issuer's own host; Entra ID's do."""
        parts, own = urlsplit(uri), urlsplit(self._address)
        if (parts.scheme, parts.netloc) != ("https", own.netloc):
            raise ValueError("jwks_uri is on another host")
