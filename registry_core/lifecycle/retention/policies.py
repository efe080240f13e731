"""Where the policy lies: a document in the container `system`, changed on its version."""

from __future__ import annotations

import json

from registry_core.lifecycle.retention.policy import Policy
from registry_core.storage.connection import Connection
from registry_core.storage.documents import Documents
from registry_core.storage.faults import ConditionFailed, RowExists

CONTAINER = "system"
_DOCUMENT = "policies/retention.json"


class PolicyChanged(Exception):
    """Somebody else changed the policy since it was read."""


class Policies:
    """Reads and writes the retention policy of one registry."""

    def __init__(self, connection: Connection) -> None:
        self._documents = Documents(connection, CONTAINER)

    async def read(self) -> tuple[Policy, str]:
        """The policy and its version; without one, no rules and an empty version.

        Raises `PolicyError` if what is stored is none.
        """
        found = await self._documents.read(_DOCUMENT)
        if found is None:
            return Policy(), ""
        content, version = found
        return Policy.parse(content), version

    async def version(self) -> str:
        """The version of what is stored, be it a policy or not; empty if there is nothing."""
        found = await self._documents.read(_DOCUMENT)
        return found[1] if found else ""

    async def write(self, policy: Policy, version: str) -> None:
        """Replaces that version. Raises `PolicyError`, `PolicyChanged`, `Ambiguous`."""
        policy.check()
        content = json.dumps(policy.document(), indent=2).encode()
        try:
            await self._documents.write(_DOCUMENT, content, version)
        except (ConditionFailed, RowExists) as fault:
            raise PolicyChanged from fault
