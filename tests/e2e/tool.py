"""What all programs under test have in common, whatever they put into a registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.process import TIMEOUT, Command, Result, run
from tests.e2e.registry import Registry


class Tool(ABC):
    """One program that talks to the registry, with a folder and an environment of its own."""

    name: str
    #: What the program says when its password is refused.
    refusal = "401"

    def __init__(self, registry: Registry, folder: Path, environment: Mapping[str, str]) -> None:
        self.registry = registry
        self.folder = folder
        self.environment = dict(environment)
        self._written = 0

    def call(
        self,
        *arguments: str | Path,
        stdin: bytes = b"",
        timeout: float = TIMEOUT,
        cwd: Path | None = None,
    ) -> Result:
        """Run the program."""
        command = self.command(arguments)
        return run(command, env=self.environment, stdin=stdin, timeout=timeout, cwd=cwd)

    def command(self, arguments: Command) -> Command:
        return [self.name, *arguments]

    def scratch(self) -> Path:
        """Return a path where nothing is yet."""
        self._written += 1
        return self.folder / f"scratch-{self._written}"

    @abstractmethod
    def sign_in(self, password: str) -> None:
        """Fail unless the registry takes this password for the admin user."""
