"""The keys that sign tokens: made by the first instance that needs one, shared by all.

One object in the container `system` holds them, written on its version. A new key signs from an
hour after it was made, when every instance has read it; an old one is kept until no token that it
signed is good any more. So instances that read at different times accept each other's tokens.

A timer rotates them. All timers of an app have been seen to stop for good after a deployment, so
where it is overdue, an instance that signs does it as well, beside the request and not before it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from registry_core.errors import Unavailable
from registry_core.storage import tables
from registry_core.storage.budget import Budget, attempts, budgeted
from registry_core.storage.calls import traced
from registry_core.storage.connection import Connection
from registry_core.storage.documents import SYSTEM, Documents
from registry_core.storage.faults import (
    ConditionFailed,
    RowExists,
    StorageFault,
)

CONTAINER = SYSTEM
_OBJECT = "keys/tokens.json"
_ANNOUNCED = timedelta(hours=1)
"""How long before it signs a key is there to be read."""
_REFRESH = timedelta(minutes=15)
"""How old an instance's copy may be when it signs: less than `_ANNOUNCED`."""
_LOOK_AGAIN = timedelta(seconds=30)
"""How often a token with an unknown key makes an instance look for it."""
_AFTER_FAILURE = timedelta(seconds=2)
"""How long storage that could not be read is left alone."""
_PATIENCE_SECONDS = 10.0
"""How long storage may take: whoever sends a token with a made-up key waits for it."""
_SUPERSEDED = timedelta(hours=24)
"""How long a key is kept after the next one signs: refresh tokens are good for three hours."""
MAX_AGE = timedelta(days=30)
"""How old the newest key may be when the timer looks."""
_OVERDUE = timedelta(days=1)
"""How long a rotation is left to the timer, which runs daily, before who signs does it."""
_ATTEMPTS = 5
_LOGGER = logging.getLogger("slipway")


@dataclass(frozen=True)
class SigningKey:
    """A key on the curve P-256 (ES256, RFC 7518, 3.4)."""

    kid: str
    created: datetime
    signs_from: datetime
    private: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @classmethod
    def make(cls, now: datetime, signs_from: datetime) -> SigningKey:
        """A new key."""
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(secrets.token_hex(8), now, signs_from, private)

    @cached_property
    def public(self) -> ec.EllipticCurvePublicKey:
        """What verifies."""
        return self.private.public_key()

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key (RFC 7517; RFC 7518, 6.2.1)."""
        numbers = self.public.public_numbers()
        x, y = (_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": self.kid,
            "x": x,
            "y": y,
        }

    @cached_property
    def secret(self) -> bytes:
        """Bytes that only who has the key knows, to key a hash with."""
        return self.private.private_numbers().private_value.to_bytes(32, "big")

    def to_json(self) -> dict[str, str]:
        """As it is stored."""
        pem = self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "kid": self.kid,
            "created": tables.time_value(self.created),
            "signsFrom": tables.time_value(self.signs_from),
            "private": pem.decode(),
        }

    @classmethod
    def from_json(cls, document: dict[str, str]) -> SigningKey:
        """The key that `to_json` wrote."""
        private = serialization.load_pem_private_key(document["private"].encode(), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError(f"the key {document['kid']} is not on an elliptic curve")
        return cls(
            document["kid"],
            tables.parse_time(document["created"]),
            tables.parse_time(document["signsFrom"]),
            private,
        )


class SigningKeys:
    """The keys of one registry, as one instance knows them."""

    def __init__(
        self, connection: Connection, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._documents = Documents(connection, CONTAINER)
        self._now = now
        self._known: tuple[SigningKey, ...] = ()
        self._read = self._failed = datetime.min.replace(tzinfo=UTC)
        self._reading = asyncio.Lock()
        self._rotation: asyncio.Task[None] | None = None
        self._looked = datetime.min.replace(tzinfo=UTC)

    async def signing(self) -> SigningKey:
        """The key to sign with; made if there is none. One read in fifteen minutes.

        Where a rotation is overdue, it begins one and does not wait for it: a new key signs later
        in any case. Raises `Unavailable` if storage cannot be read.
        """
        await self._read_within(_REFRESH)
        if not self._known:
            async with self._reading:
                if not self._known:
                    await self._in_time(self._make_first())
        now = self._now()
        self._rotate_if_overdue(now)
        ready = [key for key in self._known if key.signs_from <= now]
        return max(ready or self._known, key=lambda key: key.signs_from)

    def in_memory(self, kid: str) -> SigningKey | None:
        """The key of that id, if it has been read."""
        for key in self._known:
            if key.kid == kid:
                return key
        return None

    async def find(self, kid: str) -> SigningKey | None:
        """The key of a token; one that is not known is looked for, once in half a minute.

        Raises `Unavailable` if storage cannot be read: nobody's token is wrong for that.
        """
        if (key := self.in_memory(kid)) is None:
            await self._read_within(_LOOK_AGAIN)
            key = self.in_memory(kid)
        return key

    async def _read_within(self, age: timedelta) -> None:
        """Reads the keys if they were not read for as long: one at a time, the others wait."""
        if self._is_read_within(age):
            return
        async with self._reading:
            if not self._is_read_within(age):
                await self._in_time(self._refresh())

    def _is_read_within(self, age: timedelta) -> bool:
        # A clock that was set back does not make what was read last forever.
        return timedelta(0) <= self._now() - self._read <= age

    async def _in_time(self, work: Coroutine[Any, Any, object]) -> None:
        """Does it within seconds, and not soon after it failed. Raises `Unavailable`."""
        if timedelta(0) <= self._now() - self._failed < _AFTER_FAILURE:
            work.close()
            raise Unavailable
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await work
        except (Unavailable, StorageFault, TimeoutError) as error:
            self._failed = self._now()
            raise Unavailable from error

    async def published(self) -> Sequence[SigningKey]:
        """All that another region needs to know: those that sign, will sign, or have signed."""
        await self.signing()
        return self._known

    async def rotate(self, *, max_age: timedelta = MAX_AGE) -> bool:
        """Adds a key if the newest is older than `max_age`, and drops those that are over.

        Whether one was added. Done twice, the second time changes nothing.
        """
        busy = "the signing keys are being changed by others; try again"
        async for _ in attempts(busy, most=_ATTEMPTS):
            version = await self._refresh()
            now = self._now()
            is_old = _is_old(self._known, now, max_age)
            kept = list(_without_superseded(self._known, now))
            if is_old:
                kept.append(SigningKey.make(now, now + _ANNOUNCED if self._known else now))
            if kept == list(self._known):
                return False
            with contextlib.suppress(RowExists, ConditionFailed):
                await self._write(kept, version)
                self._known = tuple(kept)
                _LOGGER.info("the keys that sign tokens were rotated; now there are %d", len(kept))
                return is_old
        raise AssertionError("unreachable")

    def _rotate_if_overdue(self, now: datetime) -> None:
        """Begins what the timer should have done a day ago; looks once between two reads."""
        if timedelta(0) <= now - self._looked <= _REFRESH:
            return
        self._looked = now
        if _is_due(self._known, now - _OVERDUE):
            self._rotation = asyncio.create_task(self._rotate_beside())

    async def _rotate_beside(self) -> None:
        """Rotates for nobody who waits: where it fails, the next read tries again."""
        _LOGGER.warning("the keys that sign tokens were not rotated in time: check that timers run")
        try:
            # Neither its storage calls nor its time are the request's.
            with traced(), budgeted(Budget(_PATIENCE_SECONDS)):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self.rotate()
        except (Unavailable, StorageFault, TimeoutError):
            _LOGGER.warning("the keys that sign tokens could not be rotated", exc_info=True)

    async def close(self) -> None:
        """Ends a rotation that is under way; what it has not written, another instance will."""
        if self._rotation is not None:
            self._rotation.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._rotation

    async def list(self) -> Sequence[SigningKey]:
        """All keys there are, the oldest first."""
        await self._refresh()
        return sorted(self._known, key=lambda key: key.created)

    async def _make_first(self) -> None:
        """Makes the first key, unless another instance is faster: then takes that one's."""
        now = self._now()
        with contextlib.suppress(RowExists):
            await self._write([SigningKey.make(now, now)], "")
        await self._refresh()
        if not self._known:
            raise Unavailable("the signing keys were written but cannot be read")

    async def _refresh(self) -> str:
        """Reads the keys; answers their version, empty if there are none."""
        found = await self._documents.read(_OBJECT)
        content, version = found or (b'{"keys": []}', "")
        self._known = tuple(map(SigningKey.from_json, json.loads(content)["keys"]))
        self._read = self._now()
        return version

    async def _write(self, known: Sequence[SigningKey], version: str) -> None:
        content = json.dumps({"keys": [key.to_json() for key in known]}).encode()
        await self._documents.write(_OBJECT, content, version)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _is_due(known: Sequence[SigningKey], now: datetime) -> bool:
    """Whether a rotation would change something."""
    return _is_old(known, now, MAX_AGE) or len(_without_superseded(known, now)) < len(known)


def _is_old(known: Sequence[SigningKey], now: datetime, max_age: timedelta) -> bool:
    """Whether there is no key that is younger."""
    return all(now - key.created >= max_age for key in known)


def _without_superseded(known: Sequence[SigningKey], now: datetime) -> Sequence[SigningKey]:
    """The keys that sign, will sign, or have signed what may still be good."""
    ordered = sorted(known, key=lambda key: key.signs_from)
    return [
        key
        for key, following in itertools.zip_longest(ordered, ordered[1:])
        if following is None or now - following.signs_from < _SUPERSEDED
    ]
