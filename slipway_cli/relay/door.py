"""Who may use the relay: those who know its password, or, where it is open, programs here."""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode
from dataclasses import dataclass, field

from aiohttp import web

from registry_core.errors import Denied, Unauthorized
from slipway_cli.registry.server import is_loopback

USERNAME = "relay"
_CHALLENGE = 'Basic realm="slipway relay"'
_OF_A_PAGE = ("Origin", "Sec-Fetch-Site")


@dataclass(frozen=True)
class Door:
    """Lets requests in."""

    password: str = field(repr=False)
    """Empty: it is open."""

    @classmethod
    def locked(cls) -> Door:
        """One with a new password."""
        return cls(secrets.token_urlsafe(24))

    def check(self, request: web.BaseRequest) -> None:
        """Raises `Unauthorized` or `Denied` for a request that is not let in."""
        if not self.password:
            self._check_page(request)
        elif not self._knows_password(request.headers.get("Authorization", "")):
            raise Unauthorized(
                "the relay does not know this password: it makes a new one at each start",
                headers={"WWW-Authenticate": _CHALLENGE},
            )

    def _knows_password(self, authorization: str) -> bool:
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            found = b64decode(text, validate=True).partition(b":")[2]
        except ValueError:
            return False
        return hmac.compare_digest(found, self.password.encode())

    def _check_page(self, request: web.BaseRequest) -> None:
        """Pages in a browser of this machine may not push, whatever they call this machine."""
        host = request.headers.get("Host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        is_page = any(each in request.headers for each in _OF_A_PAGE)
        if is_page or not is_loopback(name.strip("[]")):
            raise Denied("an open relay is for programs on this machine, and not for a browser")
