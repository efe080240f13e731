"""Sign-in: from what a request brings to who it comes from, and back to tokens.

Passwords are of the admin account, of repository-scoped tokens, or of service principals in Entra
ID; with the null GUID as user name the password is a token of ours. What is asked of storage here
is asked anew where a token is issued, and up to the cache's life old where one is used.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from registry_core.access.scope_maps import StoredScopeMap
from registry_core.access.signing_keys import SigningKey
from registry_core.access.store import Access
from registry_core.access.tokens import StoredPassword, StoredToken
from registry_core.auth import basic
from registry_core.auth.bearer import (
    AccessToken,
    BearerInvalid,
    BearerTokens,
    Issued,
    RefreshToken,
)
from registry_core.auth.entra import Entra, EntraPrincipal, EntraRefused
from registry_core.auth.identity import ANONYMOUS, Caller, Identity, IdentityKind, Means
from registry_core.auth.policy import granted
from registry_core.model import grants, roles
from registry_core.model.actions import Action
from registry_core.model.grants import EVERYWHERE, Grants
from registry_core.model.scope import Scope
from registry_core.settings import Settings

NULL_GUID = "00000000-0000-0000-0000-000000000000"
"""The user name that goes with a token as password (`az acr login`)."""
_MAX_USERNAME, _MAX_PASSWORD = 256, 32 * 1024
_TOKEN_NAME = re.compile(r"[A-Za-z0-9_-]{5,50}")
_NOT_PLAIN = re.compile(r"[^ -=@-}]")
"""What base64 may spell with `-` or `_`; see `BearerTokens.issue_refresh`."""
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class SignIn:
    """Signs in to one registry."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        tokens: BearerTokens,
        entra: Entra | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._access = access
        self._tokens = tokens
        self._entra = entra
        self._now = now
        self._anonymous = anonymous_caller(settings)

    async def password(
        self, username: str, password: str, *, fresh: bool, held_off: float = 0.0
    ) -> Caller | None:
        """Who has this user name and password, other than the admin; None if they are wrong.

        `held_off` is for how many seconds the source is held off that they come from: see
        `Entra.sign_in`. Raises `Unavailable` if Entra ID or storage cannot be asked,
        `TooManyRequests`.
        """
        if len(username) > _MAX_USERNAME or len(password) > _MAX_PASSWORD:
            return None
        if username == NULL_GUID:
            return await self._own_token(password)
        if _TOKEN_NAME.fullmatch(username):
            caller = await self._token_password(username, password, fresh=fresh)
            if caller is not None:
                return caller
        return await self._service_principal(
            username.lower(), password, fresh=fresh, held_off=held_off
        )

    async def bearer(self, token: str) -> Caller:
        """Who an access token was issued to, with what it allows. Raises `BearerInvalid`."""
        found = await self._tokens.verify_access(token)
        identity = found.identity
        if identity.kind is IdentityKind.ANONYMOUS:
            if not self._anonymous.grants.repositories:
                raise BearerInvalid("pulling without sign-in is switched off")
            return replace(self._anonymous, means=Means.BEARER)
        if found.key is None:
            return self._of_another_region(found)
        for cached in (True, False):  # What is in memory may be older than the token.
            held = await self._holds(identity, found.generation, found.key, cached=cached)
            if held is not None:
                return Caller(
                    identity,
                    found.grants,
                    Means.BEARER,
                    held.generation,
                    held.could,
                    found.expires,
                )
        raise BearerInvalid("the password, token or role behind it has changed")

    async def refresh(self, token: str) -> Caller:
        """Who a refresh token was issued to, with what they may do now. Raises `BearerInvalid`."""
        known = _Known.of_token(await self._tokens.verify_refresh(token))
        entra = self._settings.entra
        if entra is None or known.tenant != entra.tenant_id:
            raise BearerInvalid("it is from another tenant than the registry's")
        if not entra.own_audiences:  # The region that issued it may have an app registration.
            known = replace(known, roles=frozenset())
        return await self._entra_caller(known, cached=False)

    async def exchange(self, entra_token: str) -> tuple[Identity, str]:
        """A refresh token for an access token of Entra ID, and whose it is.

        Raises `EntraRefused`, `Unavailable`.
        """
        if self._entra is None:
            raise EntraRefused("sign-in by Entra ID is switched off (REGISTRY_ENTRA_TENANT_ID)")
        known = _Known.of(await self._entra.verify(entra_token))
        assignments, _ = await self._access.assignments()
        # Only what counts: a token with hundreds of groups would not fit a header.
        counting = {assignment.principal for assignment in assignments}
        more = {"groups": sorted(known.groups & counting), "roles": sorted(known.roles)}
        return known.identity, await self._tokens.issue_refresh(known.identity, **more)

    async def issue(self, caller: Caller, scopes: Sequence[Scope]) -> Issued:
        """An access token for what the caller may do of what is asked for."""
        return await self._tokens.issue_access(caller, granted(caller.grants, scopes))

    # Tokens of our own as passwords.

    async def _own_token(self, token: str) -> Caller | None:
        try:
            return replace(await self.refresh(token), means=Means.BASIC)
        except BearerInvalid:
            pass
        try:
            caller = await self.bearer(token)
        except BearerInvalid:
            return None
        # A token made from another region's would rest on what cannot be looked up here.
        return None if caller.is_foreign else replace(caller, means=Means.BASIC)

    # Repository-scoped tokens.

    async def _token_password(self, name: str, password: str, *, fresh: bool) -> Caller | None:
        for cached in (False,) if fresh else (True, False):
            stored = await self._access.token(name, cached=cached)
            right = _right_password(stored, password, self._now())
            if stored and stored.enabled and right:
                scope_map = await self._access.scope_map(stored.scope_map, cached=cached)
                allowed = scope_map.scope_map.grants if scope_map else grants.NONE
                identity = Identity(IdentityKind.TOKEN, name, name)
                generation = _always(_generation(stored, scope_map, right))
                return Caller(identity, allowed, Means.BASIC, generation)
        return None

    # Entra ID.

    async def _service_principal(
        self, app_id: str, secret: str, *, fresh: bool, held_off: float
    ) -> Caller | None:
        if self._entra is None or not _GUID.fullmatch(app_id):
            return None
        try:
            principal = await self._entra.sign_in(app_id, secret, held_off)
        except EntraRefused:
            return None
        return await self._entra_caller(_Known.of(principal), cached=not fresh)

    async def _entra_caller(self, known: _Known, *, cached: bool) -> Caller:
        assignments, generation = await self._access.assignments(cached=cached)
        mine = {known.object_id, *known.groups}
        allowed = [
            roles.role_grants(assignment.role, assignment.pattern)
            for assignment in assignments
            if assignment.principal in mine
        ]
        allowed += [roles.role_grants(role, EVERYWHERE) for role in known.roles]
        joined = Grants.join(allowed)
        return Caller(known.identity, joined, Means.BASIC, _always(generation))

    def _of_another_region(self, token: AccessToken) -> Caller:
        """What an access token of another region says, which only that one could look up.

        It rests on rows of that region. So it is good for what it says until it ends, unless
        nobody of its kind gets in here. Raises `BearerInvalid`.
        """
        identity, admin, entra = token.identity, self._settings.admin, self._settings.entra
        if identity.kind is IdentityKind.ADMIN and (
            admin is None or admin.username != identity.subject
        ):
            raise BearerInvalid("the admin account is switched off in this region")
        if identity.kind is IdentityKind.ENTRA and (
            entra is None or entra.tenant_id != identity.tenant
        ):
            raise BearerInvalid("it is from another tenant than this region's")
        return Caller(
            identity, token.grants, Means.BEARER, not_after=token.expires, is_foreign=True
        )

    # Whether what a token says is so still.

    async def _holds(
        self, identity: Identity, generation: str, key: SigningKey, *, cached: bool
    ) -> _Held | None:
        """What the token rests on; None if that is not so any more."""
        if identity.kind is IdentityKind.ADMIN:
            return self._admin_holds(identity, generation, key)
        if identity.kind is IdentityKind.TOKEN:
            return await self._token_holds(identity.subject, generation, cached=cached)
        entra = self._settings.entra
        current = await self._access.roles_generation(cached=cached)
        holds = entra is not None and identity.tenant == entra.tenant_id
        return _Held(_always(generation)) if holds and generation == current else None

    def _admin_holds(self, identity: Identity, generation: str, key: SigningKey) -> _Held | None:
        admin = self._settings.admin
        if admin is None or admin.username != identity.subject:
            return None
        for password in admin.passwords:
            keyed = _keyed_hash(password)
            if hmac.compare_digest(keyed(key), generation):
                return _Held(keyed, grants.ALL)
        return None

    async def _token_holds(self, name: str, generation: str, *, cached: bool) -> _Held | None:
        stored = await self._access.token(name, cached=cached)
        if stored is None or not stored.enabled:
            return None
        scope_map = await self._access.scope_map(stored.scope_map, cached=cached)
        now = self._now()
        for password in stored.passwords:
            if password.is_good(now) and _generation(stored, scope_map, password) == generation:
                could = scope_map.scope_map.grants if scope_map else grants.NONE
                return _Held(_always(generation), could)
        return None


@dataclass(slots=True)
class _Held:
    """What a token rests on, and is so still."""

    generation: Callable[[SigningKey], str]
    could: Grants = grants.NONE


@dataclass(frozen=True)
class _Known:
    """What is known of somebody from Entra ID, from a token of theirs or of ours."""

    object_id: str
    tenant: str
    name: str
    groups: frozenset[str]
    roles: frozenset[str]

    @classmethod
    def of(cls, principal: EntraPrincipal) -> _Known:
        return cls(
            principal.object_id,
            principal.tenant_id,
            _NOT_PLAIN.sub("_", principal.name)[:256],
            principal.groups,
            principal.roles & roles.ROLES.keys(),
        )

    @classmethod
    def of_token(cls, token: RefreshToken) -> _Known:
        identity = token.identity
        return cls(
            identity.subject,
            identity.tenant,
            identity.name,
            token.groups,
            token.app_roles & roles.ROLES.keys(),
        )

    @property
    def identity(self) -> Identity:
        return Identity(IdentityKind.ENTRA, self.name, self.object_id, self.tenant)


def admin_caller(settings: Settings, username: str, password: str) -> Caller | None:
    """The admin, if these are right; None if not. Asks nobody."""
    right = basic.admin_password(username, password, settings.admin)
    if right is None:
        return None
    identity = Identity(IdentityKind.ADMIN, username, username)
    return Caller(identity, grants.ALL, Means.BASIC, _keyed_hash(right))


def anonymous_caller(settings: Settings) -> Caller:
    """Who brings nothing: allowed what the settings allow to anybody."""
    patterns, allowed = settings.anonymous_pull, (Action.PULL, Action.METADATA_READ)
    pairs = ((pattern, allowed) for pattern in patterns)
    return Caller(ANONYMOUS, Grants.of(pairs, catalog=EVERYWHERE in patterns))


def _right_password(
    stored: StoredToken | None, password: str, now: datetime
) -> StoredPassword | None:
    """Which of a token's passwords it is; compared with two, whether there are any or not."""
    passwords = (*(stored.passwords if stored else ()), _NO_PASSWORD, _NO_PASSWORD)[:2]
    right = [each for each in passwords if each.is_right(password, now)]
    return right[0] if right and right[0] is not _NO_PASSWORD else None


_NO_PASSWORD = StoredPassword("", "", datetime.min.replace(tzinfo=UTC), None, "0$0")


def _generation(
    token: StoredToken, scope_map: StoredScopeMap | None, password: StoredPassword
) -> str:
    return f"{token.generation}:{scope_map.generation if scope_map else ''}:{password.id}"


def _always(generation: str) -> Callable[[SigningKey], str]:
    return lambda _: generation


def _keyed_hash(password: str) -> Callable[[SigningKey], str]:
    """What tells a password from another, to those alone who have the key."""
    return lambda key: _hashed(key.secret, password)


@lru_cache(maxsize=16)
def _hashed(secret: bytes, password: str) -> str:
    return hmac.digest(secret, password.encode(), "sha256").hex()[:32]
