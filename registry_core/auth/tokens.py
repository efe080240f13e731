"""Access and refresh tokens: JWTs signed with ES256 (RFC 7519, RFC 7518), as ACR's are shaped.

An access token says who has it and what of what was asked for is allowed; a refresh token, who has
it. Both say in `gen` on which state of a password, token or role they rest.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from registry_core.auth.identity import Caller, Identity, IdentityKind
from registry_core.auth.peers import ALGORITHM, PeerKeys
from registry_core.model.actions import Action
from registry_core.model.grants import EVERYWHERE, Grants
from registry_core.model.names import RepositoryPattern
from registry_core.model.scope import Scope
from registry_core.storage.signing_keys import SigningKey, SigningKeys

ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(hours=3)
ISSUER = "Slipway"
_LEEWAY = timedelta(minutes=5)
"""How far the clocks of two instances may be apart."""
MAX_LENGTH = 64 * 1024
"""The longest token that is looked at, in characters."""
_ACCESS, _REFRESH = "access_token", "refresh_token"
_REQUIRED = ["exp", "nbf", "iat", "iss", "aud", "jti", "sub"]


class TokenInvalid(Exception):
    """The token is none of ours, or is good no more; the reason holds nothing of it."""


class Tokens:
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

    async def issue_access(self, caller: Caller, scopes: Sequence[Scope]) -> str:
        """An access token of one hour, or less, for what `scopes` allow."""
        access = [
            {"type": scope.type, "name": scope.name, "actions": list(scope.actions)}
            for scope in scopes
        ]
        key = await self._keys.signing()
        claims = self._claims(caller.identity, ACCESS_LIFE, _ACCESS)
        if caller.not_after is not None:
            claims["exp"] = min(claims["exp"], caller.not_after)
        return self._sign(key, {**claims, "access": access, "gen": caller.generation(key)})

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

    async def verify_access(self, token: str) -> tuple[Mapping[str, Any], SigningKey | None]:
        """The claims of an access token, and its key; None if it is another region's.

        Raises `TokenInvalid`.
        """
        return await self._verify(token, _ACCESS)

    async def verify_refresh(self, token: str) -> Mapping[str, Any]:
        """The claims of a refresh token, of this region or another. Raises `TokenInvalid`."""
        claims, _ = await self._verify(token, _REFRESH)
        return claims

    async def _verify(self, token: str, kind: str) -> tuple[Mapping[str, Any], SigningKey | None]:
        """Signature, algorithm, issuer, audience, times, and that it is of this kind."""
        if len(token) > MAX_LENGTH:
            raise TokenInvalid("the token is too long")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if not isinstance(kid, str) or len(kid) > 64:
                raise TokenInvalid("the token names no key")
            key = self._keys.in_memory(kid)
            if key is None and not self._peers.knows(kid):
                key = await self._keys.find(kid)
            public = key.public if key else await self._peers.find(kid)
            if public is None:
                raise TokenInvalid("the token's key is not known")
            claims = jwt.decode(
                token,
                public,
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
            raise TokenInvalid(type(error).__name__) from error
        self._check_times(claims)
        if claims.get("grant_type") != kind:
            raise TokenInvalid(f"the token is no {kind.replace('_', ' ')}")
        return claims, key

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        """By the clock that the tokens were issued with, which tests can set."""
        now = self._now().timestamp()
        if not all(isinstance(claims[name], int) for name in ("exp", "nbf", "iat")):
            raise TokenInvalid("the token's times are none")
        if now >= claims["exp"]:
            raise TokenInvalid("the token has expired")
        if now < claims["nbf"]:
            raise TokenInvalid("the token is not good yet")


def identity_of(claims: Mapping[str, Any]) -> Identity:
    """Who a token was issued to."""
    return Identity(
        IdentityKind(claims["kind"]), claims["name"], claims["sub"], claims.get("tenant", "")
    )


def grants_of(claims: Mapping[str, Any]) -> Grants:
    """What an access token allows."""
    pairs = []
    catalog = False
    for entry in claims.get("access", ()):
        if entry["type"] == "registry":
            catalog = catalog or entry["name"] == "catalog"
        elif entry["type"] == "repository":
            name = entry["name"]
            pattern = EVERYWHERE if name == "*" else RepositoryPattern(name)
            pairs.append((pattern, [Action(action) for action in entry["actions"]]))
    return Grants.of(pairs, catalog=catalog)
