"""Repository-scoped tokens, and the rows they are kept in: partition `tokens`, by name."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from registry_core.model.passwords import random_password
from registry_core.storage import tables
from registry_core.storage.tables import Row

PASSWORD_NAMES = ("password1", "password2")


@dataclass(frozen=True)
class StoredPassword:
    """One of the two passwords of a token: when it was made and ends, and its hash."""

    name: str
    id: str
    created: datetime
    expiry: datetime | None
    hash: str = field(repr=False)

    def is_right(self, password: str, now: datetime) -> bool:
        """Whether `password` is this one, and still good. Takes the same time if it is not."""
        salt, _, expected = self.hash.partition("$")
        right = hmac.compare_digest(_digest(salt, password), expected)
        return right and self.is_good(now)

    def is_good(self, now: datetime) -> bool:
        """Whether it has not ended."""
        return self.expiry is None or now < self.expiry


@dataclass(frozen=True)
class StoredToken:
    """A repository-scoped token, as ACR calls an identity with a name and two passwords."""

    name: str
    scope_map: str
    enabled: bool
    created: datetime
    generation: str
    """To be made new when what the token allows changes: its status, its scope map."""
    passwords: tuple[StoredPassword, ...] = ()
    etag: str = field(default="", compare=False, repr=False)

    @classmethod
    def from_row(cls, row: Row) -> StoredToken:
        """The token that a row holds."""
        passwords = tuple(
            StoredPassword(
                each["name"],
                each["id"],
                tables.parse_time(each["created"]),
                tables.parse_time(each["expiry"]) if each["expiry"] else None,
                each["hash"],
            )
            for each in json.loads(row.text("Passwords"))
        )
        return cls(
            name=row.key,
            scope_map=row.text("ScopeMap"),
            enabled=row.values.get("Enabled") is True,
            created=row.time("Created"),
            generation=row.text("Generation"),
            passwords=passwords,
            etag=row.etag,
        )

    def columns(self) -> dict[str, Any]:
        """What its row holds, besides the name."""
        passwords = [
            {
                "name": password.name,
                "id": password.id,
                "created": tables.time_value(password.created),
                "expiry": tables.time_value(password.expiry) if password.expiry else None,
                "hash": password.hash,
            }
            for password in self.passwords
        ]
        return {
            "ScopeMap": self.scope_map,
            "Enabled": self.enabled,
            "Created": tables.time_value(self.created),
            "Generation": self.generation,
            "Passwords": json.dumps(passwords),
        }


def new_password(name: str, expiry: datetime | None, now: datetime) -> tuple[StoredPassword, str]:
    """A password of 256 random bits, and what is kept of it.

    A salted SHA-256: what is random over its whole length gains nothing from a slow hash.
    """
    password, salt = random_password(), secrets.token_hex(8)
    stored = f"{salt}${_digest(salt, password)}"
    return StoredPassword(name, secrets.token_hex(4), now, expiry, stored), password


def _digest(salt: str, password: str) -> str:
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()
