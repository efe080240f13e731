"""The Azure CLI, which knows registries by a name and a suffix, and is not signed in to Azure.

Without a subscription it makes the login server of the registry's name and of the suffix that the
cloud's configuration has. So `localhost` with the suffix `:<port>` is the registry under test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.process import Command
from tests.e2e.registry import ROOT, Registry
from tests.e2e.tool import Tool

PROGRAM = ROOT / ".venv-azure-cli/bin/az"


class Az(Tool):
    name = "az"
    refusal = "401"

    def __init__(self, registry: Registry, folder: Path, environment: Mapping[str, str]) -> None:
        assert registry.certificates
        own = {
            "AZURE_CONFIG_DIR": str(folder / "config"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "REQUESTS_CA_BUNDLE": str(registry.certificates.authority),
        }
        super().__init__(registry, folder, {**environment, **own})
        self._host, _, port = registry.address.partition(":")
        suffix = ("--suffix-acr-login-server-endpoint", f":{port}")
        self.call("cloud", "update", "--name", "AzureCloud", *suffix)
        self._password = registry.password

    def command(self, arguments: Command) -> Command:
        return [PROGRAM, *arguments]

    def sign_in(self, password: str) -> None:
        """Each command signs in by itself."""
        self._password = password
        self.repository("list", "--top", "1")

    def repository(self, verb: str, *arguments: str) -> Any:
        """`az acr repository`."""
        return self._acr("repository", verb, "--name", self._host, *arguments)

    def manifest(self, verb: str, name: str, *arguments: str) -> Any:
        """`az acr manifest`, of a repository, or of one manifest in it."""
        return self._acr("manifest", verb, "--registry", self._host, "--name", name, *arguments)

    def _acr(self, *arguments: str) -> Any:
        user = ("--username", self.registry.username, "--password", self._password)
        said = self.call("acr", *arguments, *user, "--output", "json")
        return json.loads(said.stdout) if said.text else None
