"""The keys of the registry's other regions, which they publish: no secret is shared.

Each region signs with keys of its own and answers `GET /oauth2/keys` with the public ones (RFC
7517). A token whose key is unknown makes an instance ask its peers once in half a minute, however
many such tokens come; a peer that is down is not missed for a day, and keeps no token of another
peer waiting whose key is known.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from registry_core.auth.fetch import fetch_json
from registry_core.auth.jwks import public_keys
from registry_core.storage.budget import Budget, budgeted, current

if TYPE_CHECKING:
    from jwt import PyJWK

ALGORITHM = "ES256"
"""What every region signs with (RFC 7518, 3.4)."""
_FRESH_SECONDS = 3600.0
_STALE_SECONDS = 24 * 3600.0
_AGAIN_SECONDS = 30.0
_PATIENCE_SECONDS = 1.0
"""How long a token whose key is known waits to hear whether it still is one."""
_LOGGER = logging.getLogger("slipway")


class PeerKeys:
    """The public keys of the regions at these hosts."""

    def __init__(self, hosts: Sequence[str], now: Callable[[], float] = time.monotonic) -> None:
        self._peers = [_Peer(host, now) for host in hosts]

    async def find(self, kid: str) -> PyJWK | None:
        """The key of that id, if a region has it and could be asked."""
        owner = self._owner(kid)
        if owner is None:
            await self._ask_all_for(kid)
            owner = self._owner(kid)
        elif owner.is_due and (asking := owner.ask()):
            await asyncio.wait([asking], timeout=max(0.0, _PATIENCE_SECONDS - owner.asked_for))
        return owner.keys.get(kid) if owner else None

    def knows(self, kid: str) -> bool:
        """Whether a region's key of that id is in memory."""
        return self._owner(kid) is not None

    def _owner(self, kid: str) -> _Peer | None:
        return next((peer for peer in self._peers if kid in peer.keys), None)

    async def _ask_all_for(self, kid: str) -> None:
        """Waits until one of the peers tells of this key, or all have answered or not, in time."""
        asking = {task for peer in self._peers if (task := peer.ask())}
        while asking and not self._owner(kid):
            done, asking = await asyncio.wait(
                asking, timeout=current().left, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return


class _Peer:
    def __init__(self, host: str, now: Callable[[], float]) -> None:
        self._host = host
        self._now = now
        self._keys: Mapping[str, PyJWK] = {}
        self._answered = self._tried = -_STALE_SECONDS
        self._asking: asyncio.Task[None] | None = None

    @property
    def is_due(self) -> bool:
        """Whether what is known of it is to be read again: a key may have been withdrawn."""
        return self._now() - self._answered > _FRESH_SECONDS

    @property
    def keys(self) -> Mapping[str, PyJWK]:
        """Those it published last, if that is not too long ago."""
        return self._keys if self._now() - self._answered <= _STALE_SECONDS else {}

    def ask(self) -> asyncio.Task[None] | None:
        """The asking that is under way, or a new one; None if the last is too short a time ago."""
        is_asking = self._asking is not None and not self._asking.done()
        if not is_asking and self._now() - self._tried < _AGAIN_SECONDS:
            return None
        if not is_asking:
            self._tried = self._now()
            self._asking = asyncio.create_task(self._ask())
        return self._asking

    @property
    def asked_for(self) -> float:
        """For how many seconds it has been asked, if it is."""
        return self._now() - self._tried

    async def _ask(self) -> None:
        try:
            with budgeted(Budget(float("inf"))):  # The answer is for others as well.
                document = await fetch_json(f"https://{self._host}/oauth2/keys")
            self._keys = public_keys(document, ALGORITHM)
            self._answered = self._now()
        except (OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            _LOGGER.warning("the keys of %s: %s", self._host, type(error).__name__)
