"""Sets of public keys as they are published (JSON Web Key Set, RFC 7517, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jwt import PyJWK

_MAX_KEYS = 100
_MAX_ID = 256


def public_keys(document: Mapping[str, Any], algorithm: str) -> dict[str, PyJWK]:
    """The keys that sign with `algorithm`, by their ids.

    Entries that are none, or of another kind, are passed over, as section 5 has it. Raises
    `ValueError` if nothing is left, so that what was known before is not lost to a faulty answer.
    """
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415

    entries = document.get("keys")
    found = {}
    for entry in entries[:_MAX_KEYS] if isinstance(entries, list) else ():
        kid = entry.get("kid") if isinstance(entry, dict) else None
        if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_ID:
            continue
        if entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
            continue
        try:
            found[kid] = PyJWK(entry, algorithm)
        except (PyJWTError, ValueError, TypeError, KeyError):
            continue
    if not found:
        raise ValueError("no keys")
    return found
