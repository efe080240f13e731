"""Entra ID: whose an access token is, and signing in as a service principal.

What Entra ID says of somebody are ids: their own, their groups', their app roles. What they may do
with them in this registry is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt

from registry_core.auth.fetch import FETCH_SECONDS
from registry_core.auth.oidc import ALGORITHM, IssuerKeys
from registry_core.errors import TooManyRequests, Unavailable
from registry_core.settings import EntraSettings
from registry_core.storage.budget import Budget, budgeted, current

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

MAX_TOKEN = 16 * 1024
_MAX_SECRET = 512
_LEEWAY_SECONDS = 60
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RIGHT_SECONDS, _WRONG_SECONDS = 300.0, 30.0
_MAX_OUTCOMES = 1000
_ASKING_SECONDS = 30.0
_V1_ISSUER = "https://sts.windows.net/{tenant}/"
_MICROSOFT = re.compile(r"login\.(microsoftonline\.(com|us)|partner\.microsoftonline\.cn)")


@dataclass(frozen=True)
class EntraPrincipal:
    """Whom a token of Entra ID is of."""

    object_id: str
    """Of the user, service principal or managed identity, in lower case."""
    tenant_id: str
    app_id: str
    """The application that got the token; empty if it does not say."""
    name: str
    """For people: a user's name, or an application's id."""
    groups: frozenset[str]
    """Object ids; none where Entra ID leaves them out because there are too many."""
    roles: frozenset[str]
    """App roles of the registry's own app registration."""
    expires: datetime


class EntraRefused(Exception):
    """The token or the secret is not right; the reason holds nothing of either."""


@dataclass(frozen=True)
class _Outcome:
    principal: EntraPrincipal | None
    until: float


class Entra:
    """One tenant of Entra ID, for one registry."""

    def __init__(self, settings: EntraSettings, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._tenant = settings.tenant_id.lower()
        self._address = f"{settings.authority}/{self._tenant}/v2.0"
        self._keys = IssuerKeys(self._address, now)
        self._now = now
        self._outcomes: OrderedDict[bytes, _Outcome] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[_Outcome]] = {}
        self._cache_key = secrets.token_bytes(32)

    async def verify(self, token: str) -> EntraPrincipal:
        """Whose an access token is.

        Raises `EntraRefused`; `Unavailable` if the tenant's keys are not known and can't be had.
        """
        if len(token) > MAX_TOKEN:
            raise EntraRefused("the token is too long")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if not isinstance(kid, str) or len(kid) > 256:
                raise EntraRefused("the token does not name a key")
            key = await self._keys.find(kid)
            if key is None:
                raise EntraRefused("the token was not signed with a key of the tenant")
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[ALGORITHM],
                options={
                    "require": ["exp", "nbf", "iat", "iss", "aud"],
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            raise EntraRefused(type(error).__name__) from error
        self._check(claims)
        return self._principal(claims)

    def _check(self, claims: Mapping[str, Any]) -> None:
        """Times, audience, issuer, tenant."""
        now = self._now()
        if not all(isinstance(claims[name], int) for name in ("exp", "nbf", "iat")):
            raise EntraRefused("the token's times are not numbers")
        if now >= claims["exp"] + _LEEWAY_SECONDS:
            raise EntraRefused("the token has expired")
        if now < max(claims["nbf"], claims["iat"]) - _LEEWAY_SECONDS:
            raise EntraRefused("the token is not valid yet")
        if not self._audience(claims):
            raise EntraRefused("the token is for another audience")
        if claims["iss"] not in self._issuers():
            raise EntraRefused("the token is from another issuer")
        if str(claims.get("tid", "")).lower() != self._tenant:
            raise EntraRefused("the token is from another tenant")
        if not _GUID.fullmatch(str(claims.get("oid", "")).lower()):
            raise EntraRefused("the token has no object id")

    def _audience(self, claims: Mapping[str, Any]) -> str:
        """The audience as the settings spell it: Entra ID puts a slash at the end, or not."""
        told = claims["aud"]
        if not isinstance(told, str):
            return ""
        known = {audience.rstrip("/"): audience for audience in self._settings.audiences}
        return known.get(told.rstrip("/"), "")

    def _issuers(self) -> set[str]:
        """Tokens for ACR are of version 1, and have another issuer than those of version 2."""
        issuers = {self._address, self._keys.issuer}
        if urlsplit(self._settings.authority).netloc == "login.microsoftonline.com":
            issuers.add(_V1_ISSUER.format(tenant=self._tenant))
        return issuers - {""}

    def _principal(self, claims: Mapping[str, Any]) -> EntraPrincipal:
        app_id = str(claims.get("appid") or claims.get("azp") or "")
        names = (claims.get(name) for name in ("preferred_username", "upn", "unique_name"))
        object_id = str(claims["oid"]).lower()
        own = self._audience(claims) in self._settings.own_audiences
        return EntraPrincipal(
            object_id=object_id,
            tenant_id=self._tenant,
            app_id=app_id,
            name=str(next(filter(None, names), "") or app_id or object_id),
            groups=frozenset(each.lower() for each in _texts(claims.get("groups"))),
            roles=frozenset(_texts(claims.get("roles"))) if own else frozenset(),
            expires=datetime.fromtimestamp(claims["exp"], UTC),
        )

    async def sign_in(self, app_id: str, secret: str, held_off: float = 0.0) -> EntraPrincipal:
        """Who signs in with an application's id and client secret (RFC 6749, 4.4).

        Only the outcome is kept, for five minutes, or half a minute if it is no; neither the secret
        nor Entra ID's token is. For a source that is held off for so many seconds Entra ID is not
        asked: whoever guesses here would guess there, in the registry's name. What was right here
        before is no guess. Raises `EntraRefused`, `TooManyRequests`, `Unavailable`.
        """
        if not _GUID.fullmatch(app_id.lower()) or len(secret) > _MAX_SECRET:
            raise EntraRefused("no application has this id and secret")
        key = hmac.new(self._cache_key, f"{app_id.lower()}\0{secret}".encode(), "sha256").digest()
        outcome = self._outcomes.get(key)
        if outcome is None or outcome.until <= self._now():
            was_right = outcome is not None and outcome.principal is not None
            if held_off and not was_right:
                raise TooManyRequests(seconds=held_off)
            outcome = await self._asked_once(key, app_id, secret)
        if outcome.principal is None:
            raise EntraRefused("no application has this id and secret")
        return outcome.principal

    async def _asked_once(self, key: bytes, app_id: str, secret: str) -> _Outcome:
        """Asks Entra ID; those who ask the same meanwhile share the answer."""
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(app_id, secret))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        try:
            async with asyncio.timeout(current().left):
                outcome = await asyncio.shield(task)
        except TimeoutError:
            raise Unavailable("Entra ID cannot be reached; try again") from None
        self._outcomes[key] = outcome
        self._outcomes.move_to_end(key)
        while len(self._outcomes) > _MAX_OUTCOMES:
            self._outcomes.popitem(last=False)
        return outcome

    async def _ask(self, app_id: str, secret: str) -> _Outcome:
        with budgeted(Budget(_ASKING_SECONDS)):  # The answer is for others as well.
            token = await self._client_credentials(app_id, secret)
            if token is None:
                return _Outcome(None, self._now() + _WRONG_SECONDS)
            return _Outcome(await self.verify(token.token), self._now() + _RIGHT_SECONDS)

    async def _client_credentials(self, app_id: str, secret: str) -> AccessToken | None:
        """An access token of Entra ID; None if it refuses."""
        # Slow to import, and needed only by those who sign in like this.
        from azure.core.exceptions import (  # noqa: PLC0415
            ClientAuthenticationError,
            HttpResponseError,
            ServiceRequestError,
            ServiceResponseError,
        )
        from azure.identity.aio import ClientSecretCredential  # noqa: PLC0415

        authority = urlsplit(self._settings.authority).netloc
        credential = ClientSecretCredential(
            self._tenant,
            app_id,
            secret,
            authority=self._settings.authority,
            disable_instance_discovery=not _MICROSOFT.fullmatch(authority),
            retry_total=1,
            connection_timeout=FETCH_SECONDS,
            read_timeout=FETCH_SECONDS,
        )
        audience = self._settings.audiences[0].rstrip("/")
        try:
            async with credential:
                return await credential.get_token(f"{audience}/.default")
        except ClientAuthenticationError as error:
            response = getattr(error, "response", None)
            if response is not None and response.status_code >= 500:
                raise Unavailable("Entra ID is busy; try again") from None
            return None
        except (HttpResponseError, ServiceRequestError, ServiceResponseError):
            raise Unavailable("Entra ID cannot be reached; try again") from None

    async def close(self) -> None:
        """Ends what is under way."""
        for task in list(self._asking.values()):
            task.cancel()


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
