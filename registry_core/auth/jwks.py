"""Sets of public keys as they are published (JSON Web Key Set, RFC 7517, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jwt import PyJWK

_MAX_KEYS = 100
_MAX_ID = 256
_MAX_TEXT = 4096
"""Of a number: an RSA modulus of 16,384 bits has 2,731 characters."""
_CURVES = {"ES256": "P-256"}
"""Of algorithms that have one (RFC 7518, 3.4)."""


def public_keys(document: Mapping[str, Any], algorithm: str) -> dict[str, PyJWK]:
    """The keys that sign with `algorithm`, by their ids.

    Entries that are none, or of another kind, are passed over, as section 5 has it. Raises
    `ValueError` if nothing is left, so that what was known before is not lost to a faulty answer.
    """
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415

    entries = document.get("keys")
    found = {}
    for entry in entries[:_MAX_KEYS] if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or not _is_usable(entry, algorithm):
            continue
        try:
            found[entry["kid"]] = PyJWK(entry, algorithm)
        except (PyJWTError, ValueError, TypeError, KeyError):
            continue
    if not found:
        raise ValueError("the document has no keys")
    return found


def _is_usable(entry: Mapping[str, Any], algorithm: str) -> bool:
    """Whether it says that it is for this; and it is no private key, which takes long to read."""
    kid = entry.get("kid")
    numbers = (entry.get(name, "") for name in ("n", "e", "x", "y"))
    return (
        isinstance(kid, str)
        and 0 < len(kid) <= _MAX_ID
        and "d" not in entry
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
        and entry.get("crv") == _CURVES.get(algorithm)
        and all(isinstance(number, str) and len(number) <= _MAX_TEXT for number in numbers)
    )
