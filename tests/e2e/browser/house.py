"""The registry that the browser visits, with an issuer of Entra ID's kind beside it."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass

from tests.e2e.process import run
from tests.e2e.registry import ROOT, Registry
from tests.entra_issuer import EntraIssuer


@dataclass(frozen=True)
class House:
    registry: Registry
    issuer: EntraIssuer

    def slipway(self, *arguments: str) -> str:
        """Run the command line on the registry's storage."""
        env = {**os.environ, "RegistryStorage": self.registry.storage}
        return run([ROOT / "slipway", *arguments, "-o", "json"], env=env).text

    def token(self, *repositories: tuple[str, ...]) -> tuple[str, str]:
        """The name and the password of a new repository-scoped token."""
        name = f"token-{uuid.uuid4().hex[:8]}"
        flags = [word for each in repositories for word in ("--repository", *each)]
        made = json.loads(self.slipway("token", "create", "--name", name, *flags))
        return name, made["credentials"]["passwords"][0]["value"]

    def assign(self, role: str, repository: str) -> str:
        """The object id of somebody new who has a role."""
        object_id = str(uuid.uuid4())
        self.slipway(
            *("role-assignment", "create", "--assignee", object_id),
            *("--role", role, "--repository", repository),
        )
        return object_id
