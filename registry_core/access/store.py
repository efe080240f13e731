"""Table `access`: repository-scoped tokens, scope maps and role assignments.

Partitions `tokens` and `scope-maps`, keyed by name, and `roles`, keyed by principal, role and
pattern, with the row `generation`, which changes whenever an assignment does. Every row of the
first two has a `Generation` as well: whoever holds an access token can be told from it that what
the access token says may not be so any more.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from registry_core.model.names import RepositoryPattern
from registry_core.model.roles import SYSTEM_SCOPE_MAPS, ScopeMap
from registry_core.storage import keys, tables
from registry_core.storage.cache import Cache
from registry_core.storage.connection import Connection
from registry_core.storage.faults import (
    ConditionFailed,
    RowExists,
    RowMissing,
    StoreMissing,
)
from registry_core.storage.tables import Row

TABLE = "access"
TOKENS, SCOPE_MAPS, ROLES = "tokens", "scope-maps", "roles"
_GENERATION = "generation"
PASSWORD_NAMES = ("password1", "password2")
MAX_ACTIONS = 500
"""The most actions of one scope map (ACR's limit)."""
_ACTION_CHARACTERS = 256 * 1024

T = TypeVar("T")


class Conflict(Exception):
    """The row exists already, exists no more, or was changed by somebody else meanwhile."""


@dataclass(frozen=True)
class StoredPassword:
    """One of the two passwords of a token: when it was made and ends, and its hash."""

    name: str
    id: str
    created: datetime
    expiry: datetime | None
    hash: str = dataclasses.field(repr=False)

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
    etag: str = dataclasses.field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class StoredScopeMap:
    """A scope map, with what tells that it has changed."""

    scope_map: ScopeMap
    generation: str
    created: datetime | None = None
    """None for those that exist in every registry."""
    etag: str = dataclasses.field(default="", compare=False, repr=False)


@dataclass(frozen=True, order=True)
class RoleAssignment:
    """A role that a user, group, service principal or managed identity has on repositories."""

    principal: str
    """The object id in Entra ID, in lower case."""
    role: str
    pattern: RepositoryPattern
    created: datetime | None = dataclasses.field(default=None, compare=False)
    description: str = dataclasses.field(default="", compare=False)

    @property
    def key(self) -> str:
        """The row's key."""
        return f"{self.principal}:{self.role}:{keys.encode(self.pattern.text)}"


def new_generation() -> str:
    """A value that was not there before: access tokens that name another are good no more."""
    return secrets.token_hex(8)


def new_password(name: str, expiry: datetime | None, now: datetime) -> tuple[StoredPassword, str]:
    """A password of 256 random bits, and what is kept of it.

    A salted SHA-256: what is random over its whole length gains nothing from a slow hash.
    """
    password, salt = secrets.token_urlsafe(32), secrets.token_hex(8)
    stored = f"{salt}${_digest(salt, password)}"
    return StoredPassword(name, secrets.token_hex(4), now, expiry, stored), password


def _digest(salt: str, password: str) -> str:
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()


class Access:
    """Reads and changes the table `access` of one registry.

    Reads are fresh, or with `cached` up to the cache's life old.
    """

    def __init__(
        self,
        connection: Connection,
        cache: Cache[Any],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._table = connection.table(TABLE)
        self._cache = cache
        self._now = now

    # What sign-in reads.

    async def token(self, name: str, *, cached: bool = False) -> StoredToken | None:
        """A token; None if there is none of that name."""
        row = await self._row(TOKENS, name, cached=cached)
        return _token(row) if row else None

    async def scope_map(self, name: str, *, cached: bool = False) -> StoredScopeMap | None:
        """A scope map, of the system or of one's own; None if there is none of that name."""
        if name in SYSTEM_SCOPE_MAPS:
            return StoredScopeMap(SYSTEM_SCOPE_MAPS[name], "system")
        row = await self._row(SCOPE_MAPS, name, cached=cached)
        return _scope_map(row) if row else None

    async def assignments(self, *, cached: bool = False) -> tuple[list[RoleAssignment], str]:
        """Every role assignment in order, and what changes whenever one does."""
        known = self._cache.get((ROLES, "all")) if cached else None
        if known is None:
            ticket = self._cache.ticket()
            rows = await self._rows(ROLES)
            found = [_assignment(row) for row in rows if row.key != _GENERATION]
            known = (found, _generation(rows))
            self._cache.put((ROLES, "all"), known, ticket=ticket)
        return known

    async def roles_generation(self, *, cached: bool = False) -> str:
        """What changes whenever a role assignment does."""
        row = await self._row(ROLES, _GENERATION, cached=cached)
        return row.text("Generation") if row else ""

    async def _row(self, partition: str, key: str, *, cached: bool) -> Row | None:
        """A row; what is missing is remembered as well."""
        known = self._cache.get((partition, key)) if cached else None
        if known is None:
            ticket = self._cache.ticket()
            try:
                found = await self._table.get(partition, key)
            except StoreMissing:  # A registry from before this table.
                found = None
            known = (found,)
            self._cache.put((partition, key), known, ticket=ticket)
        return known[0]

    async def _rows(self, partition: str) -> list[Row]:
        try:
            return await self._table.query(partition, " ", "~")
        except StoreMissing:
            return []

    # What managing reads and changes.

    async def tokens(self) -> list[StoredToken]:
        """Every token, by name."""
        return [_token(row) for row in await self._rows(TOKENS)]

    async def scope_maps(self) -> list[StoredScopeMap]:
        """Every scope map: those of the system, then one's own by name."""
        system = [StoredScopeMap(each, "system") for each in SYSTEM_SCOPE_MAPS.values()]
        return system + [_scope_map(row) for row in await self._rows(SCOPE_MAPS)]

    async def add_token(self, token: StoredToken) -> None:
        """Stores a new token. Raises `Conflict` if there is one of that name."""
        await self._change(TOKENS, [tables.insert(token.name, **_token_values(token))])

    async def replace_token(self, token: StoredToken) -> None:
        """Stores a token that was read, changed. Raises `Conflict` if it is another by now."""
        await self._change(TOKENS, [tables.replace(token.name, token.etag, **_token_values(token))])

    async def delete_token(self, token: StoredToken) -> None:
        """Deletes a token. Raises `Conflict`."""
        await self._change(TOKENS, [tables.delete(token.name, token.etag)])

    async def add_scope_map(self, scope_map: ScopeMap) -> None:
        """Stores a new scope map. Raises `Conflict` if there is one of that name."""
        values = _scope_map_values(scope_map, self._now())
        await self._change(SCOPE_MAPS, [tables.insert(scope_map.name, **values)])

    async def replace_scope_map(self, stored: StoredScopeMap, scope_map: ScopeMap) -> None:
        """Stores a scope map that was read, changed. Raises `Conflict`."""
        values = _scope_map_values(scope_map, stored.created or self._now())
        await self._change(SCOPE_MAPS, [tables.replace(scope_map.name, stored.etag, **values)])

    async def delete_scope_map(self, stored: StoredScopeMap) -> None:
        """Deletes a scope map; tokens that have it can do nothing then. Raises `Conflict`."""
        await self._change(SCOPE_MAPS, [tables.delete(stored.scope_map.name, stored.etag)])

    async def add_assignment(self, assignment: RoleAssignment) -> None:
        """Assigns a role; an assignment that exists gets the new description."""
        row = tables.upsert(
            assignment.key,
            Principal=assignment.principal,
            Role=assignment.role,
            Repository=assignment.pattern.text,
            Description=assignment.description,
            Created=tables.time_value(self._now()),
        )
        await self._change(ROLES, [row, _generation_row()])

    async def delete_assignment(self, assignment: RoleAssignment) -> None:
        """Takes a role away. Raises `Conflict` if it is not assigned."""
        await self._change(ROLES, [tables.delete(assignment.key), _generation_row()])

    async def _change(self, partition: str, changes: Sequence[tables.RowChange]) -> None:
        try:
            await self._table.transact(partition, changes)
        except StoreMissing:
            await self._connection.make(tables=(TABLE,))
            await self._table.transact(partition, changes)
        except (RowExists, RowMissing, ConditionFailed) as fault:
            raise Conflict(str(fault)) from fault


def _generation_row() -> tables.RowChange:
    return tables.upsert(_GENERATION, Generation=new_generation())


def _generation(rows: Sequence[Row]) -> str:
    return next((row.text("Generation") for row in rows if row.key == _GENERATION), "")


def _token_values(token: StoredToken) -> dict[str, Any]:
    """A token's columns."""
    passwords = [
        {
            "name": password.name,
            "id": password.id,
            "created": tables.time_value(password.created),
            "expiry": tables.time_value(password.expiry) if password.expiry else None,
            "hash": password.hash,
        }
        for password in token.passwords
    ]
    return {
        "ScopeMap": token.scope_map,
        "Enabled": token.enabled,
        "Created": tables.time_value(token.created),
        "Generation": token.generation,
        "Passwords": json.dumps(passwords),
    }


def _token(row: Row) -> StoredToken:
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
    return StoredToken(
        name=row.key,
        scope_map=row.text("ScopeMap"),
        enabled=row.values.get("Enabled") is True,
        created=row.time("Created"),
        generation=row.text("Generation"),
        passwords=passwords,
        etag=row.etag,
    )


def _scope_map_values(scope_map: ScopeMap, created: datetime) -> dict[str, Any]:
    return {
        "Description": scope_map.description,
        "Created": tables.time_value(created),
        "Generation": new_generation(),
        **tables.split_text("Actions", json.dumps(scope_map.actions)),
    }


def _scope_map(row: Row) -> StoredScopeMap:
    actions = json.loads(tables.join_text("Actions", row.values, _ACTION_CHARACTERS))
    return StoredScopeMap(
        ScopeMap(row.key, tuple(actions), row.text("Description")),
        row.text("Generation"),
        row.time("Created"),
        row.etag,
    )


def _assignment(row: Row) -> RoleAssignment:
    return RoleAssignment(
        row.text("Principal"),
        row.text("Role"),
        RepositoryPattern(row.text("Repository")),
        row.time("Created"),
        row.text("Description"),
    )
