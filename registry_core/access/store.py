"""Table `access`: repository-scoped tokens, scope maps and role assignments.

Partitions `tokens` and `scope-maps`, keyed by name, and `roles`, keyed by principal, role and
pattern, with the row `generation`, which changes whenever an assignment does. Every row of the
first two has a `Generation` as well: whoever holds an access token can be told from it that what
the access token says may not be so any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from registry_core.access import scope_maps
from registry_core.access.generation import new_generation
from registry_core.access.role_assignments import RoleAssignment
from registry_core.access.scope_maps import StoredScopeMap
from registry_core.access.tokens import StoredToken
from registry_core.model.roles import SYSTEM_SCOPE_MAPS, ScopeMap
from registry_core.storage import tables
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


class Conflict(Exception):
    """The row exists already, exists no more, or was changed by somebody else meanwhile."""


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
        return StoredToken.from_row(row) if row else None

    async def scope_map(self, name: str, *, cached: bool = False) -> StoredScopeMap | None:
        """A scope map, of the system or of one's own; None if there is none of that name."""
        if name in SYSTEM_SCOPE_MAPS:
            return StoredScopeMap(SYSTEM_SCOPE_MAPS[name], "system")
        row = await self._row(SCOPE_MAPS, name, cached=cached)
        return StoredScopeMap.from_row(row) if row else None

    async def assignments(self, *, cached: bool = False) -> tuple[list[RoleAssignment], str]:
        """Every role assignment in order, and what changes whenever one does."""
        known = self._cache.get((ROLES, "all")) if cached else None
        if known is None:
            ticket = self._cache.ticket()
            rows = await self._rows(ROLES)
            found = [RoleAssignment.from_row(row) for row in rows if row.key != _GENERATION]
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
        return [StoredToken.from_row(row) for row in await self._rows(TOKENS)]

    async def scope_maps(self) -> list[StoredScopeMap]:
        """Every scope map: those of the system, then one's own by name."""
        system = [StoredScopeMap(each, "system") for each in SYSTEM_SCOPE_MAPS.values()]
        return system + [StoredScopeMap.from_row(row) for row in await self._rows(SCOPE_MAPS)]

    async def add_token(self, token: StoredToken) -> None:
        """Stores a new token. Raises `Conflict` if there is one of that name."""
        await self._change(TOKENS, [tables.insert(token.name, **token.columns())])

    async def replace_token(self, token: StoredToken) -> None:
        """Stores a token that was read, changed. Raises `Conflict` if it is another by now."""
        await self._change(TOKENS, [tables.replace(token.name, token.etag, **token.columns())])

    async def delete_token(self, token: StoredToken) -> None:
        """Deletes a token. Raises `Conflict`."""
        await self._change(TOKENS, [tables.delete(token.name, token.etag)])

    async def add_scope_map(self, scope_map: ScopeMap) -> None:
        """Stores a new scope map. Raises `Conflict` if there is one of that name."""
        values = scope_maps.columns(scope_map, self._now())
        await self._change(SCOPE_MAPS, [tables.insert(scope_map.name, **values)])

    async def replace_scope_map(self, stored: StoredScopeMap, scope_map: ScopeMap) -> None:
        """Stores a scope map that was read, changed. Raises `Conflict`."""
        values = scope_maps.columns(scope_map, stored.created or self._now())
        await self._change(SCOPE_MAPS, [tables.replace(scope_map.name, stored.etag, **values)])

    async def delete_scope_map(self, stored: StoredScopeMap) -> None:
        """Deletes a scope map; tokens that have it can do nothing then. Raises `Conflict`."""
        await self._change(SCOPE_MAPS, [tables.delete(stored.scope_map.name, stored.etag)])

    async def add_assignment(self, assignment: RoleAssignment) -> None:
        """Assigns a role; an assignment that exists gets the new description."""
        row = tables.upsert(assignment.key, **assignment.columns(self._now()))
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
