"""Sign-in with a user name and a password on every request (RFC 7617)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as Base64Error

from registry_core.auth.identity import Identity, IdentityKind
from registry_core.settings import AdminSettings

_MAX_HEADER = 8192


def authenticate(authorization: str | None, admin: AdminSettings | None) -> Identity | None:
    """The identity that an `Authorization` header proves; None if it proves none.

    User name and passwords are compared in constant time, all of them, always.
    """
    credentials = _credentials(authorization)
    if credentials is None or admin is None:
        return None
    username, password = credentials
    right_user = _equal(username, admin.username)
    right_passwords = [_equal(password, expected) for expected in admin.passwords]
    if right_user and any(right_passwords):
        return Identity(IdentityKind.ADMIN, admin.username)
    return None


def _credentials(authorization: str | None) -> tuple[str, str] | None:
    if not authorization or len(authorization) > _MAX_HEADER:
        return None
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, colon, password = (
            b64decode(encoded.strip(), validate=True).decode().partition(":")
        )
    except (Base64Error, UnicodeDecodeError, ValueError):
        return None
    return (username, password) if colon else None


def _equal(one: str, other: str) -> bool:
    """Compares in a time that tells nothing, the lengths neither."""
    digests = (hashlib.sha256(text.encode()).digest() for text in (one, other))
    return hmac.compare_digest(*digests)
