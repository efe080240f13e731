"""Soft delete: whether what is deleted can be restored, for how long, and where anything can be.

The policy lies in storage, where the command line sees the same as every instance. An instance
remembers it for the life of its cache. It decides nothing but what a deletion leaves: whether
something can be restored is said by its rows alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from registry_core.errors import Unavailable
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog
from registry_core.repositories.catalog import Catalog
from registry_core.storage import tables
from registry_core.storage.cache import Cache
from registry_core.storage.connection import Connection
from registry_core.storage.documents import SYSTEM, Documents

MIN_DAYS, MAX_DAYS, DEFAULT_DAYS = 1, 90, 7
"""For how long what is deleted can be kept, and is if nobody says anything; as of ACR."""
ENTERED_FOR = timedelta(minutes=5)
"""How long an instance remembers that a repository is among those with something deleted.

With the longest that a change can take, that is far less than the age of an entry that goes.
"""
_DOCUMENT = "policies/soft-delete.json"
_POLICY = "policy"


@dataclass(frozen=True)
class Policy:
    """Whether what is deleted can be restored, and for how many days."""

    is_on: bool = False
    days: int = DEFAULT_DAYS
    """They count at the time of the purge, for all that was deleted; also while it is off."""
    updated: datetime | None = None
    """When it was set last; None if it never was."""

    @property
    def life(self) -> timedelta:
        """How long what was deleted can be restored."""
        return timedelta(days=self.days)


class SoftDelete:
    """The policy of one registry, and the repositories in which something was deleted softly."""

    def __init__(
        self,
        documents: Documents,
        repositories: Catalog,
        policies: Cache[Policy],
        entered: Cache[bool],
    ) -> None:
        self.repositories = repositories
        self._documents = documents
        self._policies = policies
        self._entered = entered

    @classmethod
    def over(
        cls,
        connection: Connection,
        remembers: timedelta = timedelta(0),
        enters: timedelta = timedelta(0),
    ) -> Self:
        """That of the registry which a connection leads to; each with how long it is remembered."""
        repositories = Catalog(connection.table(catalog.TABLE), partition=catalog.DELETED)
        documents = Documents(connection, SYSTEM)
        return cls(documents, repositories, Cache(remembers), Cache(enters))

    async def is_on(self) -> bool:
        """Whether what is deleted from now on is kept, as far as was read within the cache's life.

        Raises `Unavailable`.
        """
        found = self._policies.get(_POLICY)
        if found is None:
            ticket = self._policies.ticket()
            found, _ = await self.policy()
            self._policies.put(_POLICY, found, ticket=ticket)
        return found.is_on

    async def policy(self) -> tuple[Policy, str]:
        """The policy as it is now, and its version. Raises `Unavailable`."""
        document = await self._documents.read(_DOCUMENT)
        if document is None:
            return Policy(), ""
        content, version = document
        try:
            return _parse(content), version
        except (ValueError, LookupError, TypeError) as error:
            raise Unavailable("the policy of soft delete in storage cannot be read") from error

    async def set(self, policy: Policy, version: str) -> None:
        """Stores a policy in the place of the one of that version.

        Raises `ConditionFailed` or `RowExists` if somebody else was faster, and `Ambiguous`.
        """
        document = {
            "status": "enabled" if policy.is_on else "disabled",
            "retentionDays": policy.days,
            "lastUpdatedTime": tables.time_value(policy.updated) if policy.updated else "",
        }
        await self._documents.write(_DOCUMENT, json.dumps(document).encode(), version)

    async def enter(self, repository: RepositoryName) -> None:
        """Has a repository listed among those with something deleted, before that is deleted."""
        if self._entered.get(repository):
            return
        ticket = self._entered.ticket()
        await self.repositories.enter(repository)
        self._entered.put(repository, True, ticket=ticket)


def _parse(content: bytes) -> Policy:
    document = json.loads(content)
    status, days, updated = (
        document[field] for field in ("status", "retentionDays", "lastUpdatedTime")
    )
    if status not in ("enabled", "disabled") or not MIN_DAYS <= int(days) <= MAX_DAYS:
        raise ValueError("neither a status nor days")
    time = tables.parse_time(updated) if updated else None
    return Policy(status == "enabled", int(days), time)
