"""Access and refresh tokens: JWTs signed with ES256 (RFC 7519, RFC 7518), as ACR's are shaped.

An access token says who has it and what of what was asked for is allowed; a refresh token, who has
it. Both say in `gen` on which state of a password, token or role they rest.

A client sends the same access token with each request. So what a good one says is remembered, under
its whole text and together with the key that it was verified with: the signature is not computed
again as long as that very key is the one to verify it with. All that time can change is looked at
with each request.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import jwt

from registry_core.access.signing_keys import SigningKey, SigningKeys
from registry_core.auth.identity import Caller, Identity, IdentityKind
from registry_core.auth.peers import ALGORITHM, PeerKeys
from registry_core.errors import NameInvalid
from registry_core.model.actions import Action
from registry_core.model.grants import EVERYWHERE, Grants
from registry_core.model.names import RepositoryPattern
from registry_core.model.scope import Scope
from registry_core.storage.cache import Cache

ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(hours=3)
ISSUER = "Slipway"
_LEEWAY = timedelta(minutes=5)
"""How far the clocks of two instances may be apart."""
MAX_LENGTH = 64 * 1024
"""The longest token that is looked at, in characters."""
_REMEMBERED = 4096
"""How many access tokens are remembered, at most."""
_REMEMBERED_BYTES = 4 * 1024 * 1024
"""And how much memory they may take."""
_GIVEN_AGAIN = timedelta(seconds=30)
"""For how long who asks for the same is given the same token."""
_GIVEN, _GIVEN_BYTES = 1024, 1024 * 1024
"""How many are kept for that, at most, and how much memory they may take."""
_BYTES_A_CHARACTER = 8
"""What a token takes for each of its characters, with all that was read from it, at most."""
_ACCESS, _REFRESH = "access_token", "refresh_token"
_ACTIONS = frozenset(map(str, Action))
_REQUIRED = ["exp", "nbf", "iat", "iss", "aud", "jti", "sub"]
_Key = SigningKey | jwt.PyJWK
"""Of this region, or another's."""


@dataclass(frozen=True)
class AccessToken:
    """What a good access token says."""

    identity: Identity
    grants: Grants
    generation: str
    """Of the password, token or role that it rests on."""
    expires: int
    """In seconds since 1970."""
    key: SigningKey | None
    """What it is signed with; None if that is another region's."""


@dataclass(frozen=True)
class RefreshToken:
    """What a good refresh token says, of this region or another."""

    identity: Identity
    groups: frozenset[str]
    """Object ids of groups that count in the region which issued it."""
    app_roles: frozenset[str]


@dataclass(frozen=True)
class _Times:
    """Between when a token is good, in seconds since 1970."""

    begins: int
    ends: int

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> _Times:
        if not all(isinstance(claims[name], int) for name in ("exp", "nbf", "iat")):
            raise BearerInvalid("the token's times are not numbers")
        return cls(claims["nbf"], claims["exp"])


class Issued(NamedTuple):
    """An access token, and how many seconds it has left."""

    token: str
    life: int


@dataclass(frozen=True)
class _Given:
    """An access token that may be given again."""

    token: str
    at: float
    """When it was issued, in seconds since 1970."""
    life: int
    """How many seconds it had left then."""


@dataclass(frozen=True)
class _Remembered:
    """An access token that was verified."""

    kid: str
    key: _Key
    """What its signature was verified with."""
    times: _Times
    says: AccessToken


class BearerInvalid(Exception):
    """The token is none of ours, or is good no more; the reason holds nothing of it."""


class BearerTokens:
    """Issues and verifies the tokens of one registry, whose names are `login_servers`."""

    def __init__(
        self,
        keys: SigningKeys,
        login_servers: Sequence[str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        peers: PeerKeys | None = None,
    ) -> None:
        self._keys = keys
        self._peers = peers or PeerKeys(())
        self._login_servers = tuple(login_servers)
        self._now = now
        # Of good tokens alone, so that made-up ones push out none.
        self._remembered: Cache[_Remembered] = Cache(ACCESS_LIFE, _REMEMBERED, _REMEMBERED_BYTES)
        self._given: Cache[_Given] = Cache(_GIVEN_AGAIN, _GIVEN, _GIVEN_BYTES)

    async def issue_access(self, caller: Caller, scopes: Sequence[Scope]) -> Issued:
        """An access token of one hour, or less, for what `scopes` allow.

        Who asks for the same within half a minute is given the same token: it says nothing that a
        new one would not.
        """
        key = await self._keys.signing()
        generation = caller.generation(key)
        same = (key.kid, key.secret, caller.identity, generation, caller.not_after, tuple(scopes))
        now, given = self._now().timestamp(), self._given.get(same)
        # A clock that was set back does not make a token that begins later good.
        if given is None or not 0 <= now - given.at < _GIVEN_AGAIN.total_seconds():
            claims = self._claims(caller.identity, ACCESS_LIFE, _ACCESS)
            if caller.not_after is not None:
                claims["exp"] = min(claims["exp"], caller.not_after)
            access = [
                {"type": scope.type, "name": scope.name, "actions": list(scope.actions)}
                for scope in scopes
            ]
            token = self._sign(key, {**claims, "access": access, "gen": generation})
            given = _Given(token, now, claims["exp"] - claims["iat"])
            self._given.put(same, given, len(token) * _BYTES_A_CHARACTER)
        return Issued(given.token, max(1, given.life - int(now - given.at)))

    async def issue_refresh(self, identity: Identity, **more: Any) -> str:
        """A refresh token of three hours; `more` is what is needed to know its owner's grants.

        Azure's SDK reads its payload as plain base64, which has no `-` and `_`. Printable ASCII
        without `>`, `?` and `~` never leads to them.
        """
        key = await self._keys.signing()
        return self._sign(key, {**self._claims(identity, REFRESH_LIFE, _REFRESH), **more})

    def _claims(self, identity: Identity, life: timedelta, kind: str) -> dict[str, Any]:
        now = self._now()
        claims = {
            "jti": str(uuid.uuid4()),
            "iss": ISSUER,
            "aud": self._login_servers[0],
            "sub": identity.subject or identity.name,
            "iat": int(now.timestamp()),
            "nbf": int((now - _LEEWAY).timestamp()),
            "exp": int((now + life).timestamp()),
            "version": "1.0",
            "grant_type": kind,
            "kind": str(identity.kind),
            "name": identity.name,
        }
        return {**claims, "tenant": identity.tenant} if identity.tenant else claims

    def _sign(self, key: SigningKey, claims: Mapping[str, Any]) -> str:
        return jwt.encode(dict(claims), key.private, ALGORITHM, headers={"kid": key.kid})

    async def verify_access(self, token: str) -> AccessToken:
        """What an access token says. Raises `BearerInvalid`.

        One that is remembered is refused all the same once it has ended, or its key has gone or is
        another: that is verified with what there is now.
        """
        known = self._remembered.get(token)
        if known is not None and await self._is_current(known):
            self._check(known.times, ACCESS_LIFE)
            return known.says
        known = await self._verified_access(token)
        self._remembered.put(token, known, len(token) * _BYTES_A_CHARACTER)
        return known.says

    async def _is_current(self, known: _Remembered) -> bool:
        """Whether the key that verified it is still the key of that id."""
        key = self._keys.in_memory(known.kid) or await self._key(known.kid)
        return key is known.key

    async def _verified_access(self, token: str) -> _Remembered:
        kid, key, claims = await self._verify(token, _ACCESS)
        times = _Times.of(claims)
        self._check(times, ACCESS_LIFE)
        with _understood():
            says = AccessToken(
                _identity_of(claims),
                _grants_of(claims),
                str(claims.get("gen", "")),
                times.ends,
                key if isinstance(key, SigningKey) else None,
            )
        return _Remembered(kid, key, times, says)

    async def verify_refresh(self, token: str) -> RefreshToken:
        """What a refresh token says. Raises `BearerInvalid`."""
        _, _, claims = await self._verify(token, _REFRESH)
        self._check(_Times.of(claims), REFRESH_LIFE)
        with _understood():
            groups, app_roles = (frozenset(claims.get(name, ())) for name in ("groups", "roles"))
            return RefreshToken(_identity_of(claims), groups, app_roles)

    async def _verify(self, token: str, kind: str) -> tuple[str, _Key, Mapping[str, Any]]:
        """Signature, algorithm, issuer, audience, and that it is of this kind; not the times.

        Answers the key with its id, and the claims.
        """
        if len(token) > MAX_LENGTH:
            raise BearerInvalid("the token is too long")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if not isinstance(kid, str) or len(kid) > 64:
                raise BearerInvalid("the token does not name a key")
            key = await self._key(kid)
            if key is None:
                raise BearerInvalid("the token was signed with an unknown key")
            claims = jwt.decode(
                token,
                key.public if isinstance(key, SigningKey) else key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=list(self._login_servers),
                options={
                    "require": _REQUIRED,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            raise BearerInvalid(type(error).__name__) from error
        if claims.get("grant_type") != kind:
            raise BearerInvalid(f"the token is not of the kind {kind.replace('_', ' ')}")
        return kid, key, claims

    def _check(self, times: _Times, life: timedelta) -> None:
        """By the clock that the tokens were issued with, which tests can set.

        No region has a token live longer than `life`, whatever another one's says.
        """
        now = self._now().timestamp()
        if now >= times.ends:
            raise BearerInvalid("the token has expired")
        if now < times.begins:
            raise BearerInvalid("the token is not valid yet")
        if times.ends > now + life.total_seconds() + _LEEWAY.total_seconds():
            raise BearerInvalid("the token is valid for too long")

    async def _key(self, kid: str) -> _Key | None:
        """The key of that id, of this region or another; None if nobody has it, or any more."""
        key = self._keys.in_memory(kid)
        if key is None and not self._peers.knows(kid):
            key = await self._keys.find(kid)
        return key or await self._peers.find(kid)


@contextmanager
def _understood() -> Iterator[None]:
    """Raises `BearerInvalid` for claims of another shape: another region may be ahead of this."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, NameInvalid) as error:
        raise BearerInvalid("the token's claims cannot be read") from error


def _identity_of(claims: Mapping[str, Any]) -> Identity:
    """Who a token was issued to."""
    texts = [claims["name"], claims["sub"], claims.get("tenant", "")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("an identity must be text")
    return Identity(IdentityKind(claims["kind"]), *texts)


def _grants_of(claims: Mapping[str, Any]) -> Grants:
    """What an access token allows. Actions that are not known here allow nothing here."""
    pairs = []
    of_registry: set[str] = set()
    for entry in claims.get("access", ()):
        if entry["type"] == "registry":
            of_registry |= {entry["name"]} if "*" in entry["actions"] else set()
        elif entry["type"] == "repository":
            name = entry["name"]
            pattern = EVERYWHERE if name == "*" else RepositoryPattern.parse(name)
            pairs.append((pattern, [Action(each) for each in entry["actions"] if each in _ACTIONS]))
    return Grants.of(
        pairs,
        catalog=Action.CATALOG in of_registry,
        deleted_catalog=Action.DELETED_CATALOG in of_registry,
    )
