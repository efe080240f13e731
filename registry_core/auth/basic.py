"""User name and password in an `Authorization` header (RFC 7617)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache

from registry_core.settings import AdminSettings

MAX_HEADER = 64 * 1024
"""The longest header that is looked at: a refresh token can be the password."""


def credentials(authorization: str | None) -> tuple[str, str] | None:
    """User name and password of a header of the scheme `Basic`; None if it is none."""
    if not authorization or len(authorization) > MAX_HEADER:
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


def admin_password(username: str, password: str, admin: AdminSettings | None) -> str | None:
    """The admin's password, if these are right; None if not.

    User name and passwords are compared in constant time, all of them, always.
    """
    if admin is None:
        return None
    right_user = _equal(username, admin.username)
    right = [_equal(password, expected) for expected in admin.passwords]
    return password if right_user and any(right) else None


def _equal(given: str, expected: str) -> bool:
    """Compares in a time that tells nothing, the lengths neither."""
    return hmac.compare_digest(_digest(given), _known_digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


_known_digest = lru_cache(maxsize=8)(_digest)
"""Of what the settings say, which is always the same."""
