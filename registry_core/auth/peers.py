"""The keys of the registry's other regions, which they publish: no secret is shared.

Each region signs with keys of its own and answers `GET /oauth2/keys` with the public ones (RFC
7517). A token whose key is unknown makes an instance ask its peers once in half a minute, however
many such tokens come; a peer that is down is not missed for a day.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from registry_core.auth.fetch import fetch_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

ALGORITHM = "ES256"
"""What every region signs with (RFC 7518, 3.4)."""
_FRESH_SECONDS = 3600.0
_STALE_SECONDS = 24 * 3600.0
_AGAIN_SECONDS = 30.0
_MAX_KEYS = 100
_LOGGER = logging.getLogger("slipway")


class PeerKeys:
    """The public keys of the regions at these hosts."""

    def __init__(self, hosts: Sequence[str], now: Callable[[], float] = time.monotonic) -> None:
        self._peers = [_Peer(host, now) for host in hosts]
        self._now = now
        self._tried = -_STALE_SECONDS
        self._asking = asyncio.Lock()

    async def find(self, kid: str) -> EllipticCurvePublicKey | None:
        """The key of that id, if a region has it and could be asked."""
        if not self._peers:
            return None
        if self._known(kid) is None or any(peer.is_due for peer in self._peers):
            async with self._asking:
                if self._now() - self._tried >= _AGAIN_SECONDS:
                    self._tried = self._now()
                    await asyncio.gather(*(peer.ask() for peer in self._peers))
        return self._known(kid)

    def _known(self, kid: str) -> EllipticCurvePublicKey | None:
        return next((key for peer in self._peers if (key := peer.keys.get(kid))), None)


class _Peer:
    def __init__(self, host: str, now: Callable[[], float]) -> None:
        self._host = host
        self._now = now
        self._keys: Mapping[str, EllipticCurvePublicKey] = {}
        self._asked = -_STALE_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether what is known of it is to be read again: a key may have been withdrawn."""
        return self._now() - self._asked > _FRESH_SECONDS

    @property
    def keys(self) -> Mapping[str, EllipticCurvePublicKey]:
        """Those it published last, if that is not too long ago."""
        return self._keys if self._now() - self._asked <= _STALE_SECONDS else {}

    async def ask(self) -> None:
        try:
            self._keys = _public_keys(await fetch_json(f"https://{self._host}/oauth2/keys"))
        except (OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            _LOGGER.warning("the keys of %s: %s", self._host, type(error).__name__)
            return
        self._asked = self._now()


def _public_keys(document: Mapping[str, Any]) -> dict[str, EllipticCurvePublicKey]:
    """The keys on P-256, by their ids; others are passed over."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415

    found = {}
    for entry in list(document["keys"])[:_MAX_KEYS]:
        if entry.get("kty") != "EC" or entry.get("crv") != "P-256":
            continue
        try:
            key = PyJWK(entry, ALGORITHM).key
        except PyJWTError:
            continue
        if isinstance(key, EllipticCurvePublicKey):
            found[str(entry["kid"])[:64]] = key
    return found
