"""`slipway relay` as people run it: signed in to a registry, and locked by a password."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.process import Daemon
from tests.e2e.registry import ROOT, Registry

START_TIMEOUT = 60.0


class Relay:
    """A relay, which puts its password where docker keeps credentials."""

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        environment: Mapping[str, str],
        to: str = "",
    ) -> None:
        """Start it; `to` is another address of the registry."""
        self._daemon = Daemon(
            [
                *(ROOT / "slipway", "relay", "--port", "0", "--docker-login"),
                *("--to", to or f"http://{registry.address}"),
            ],
            env={
                **environment,
                "DOCKER_CONFIG": str(folder),
                "SLIPWAY_USERNAME": registry.username,
                "SLIPWAY_PASSWORD": registry.password,
            },
        )
        try:
            self._daemon.wait_for("push with:", START_TIMEOUT)
        except BaseException:
            self.stop()
            raise
        found = re.search(r"relaying http://(\S+:(\d+)) ", "\n".join(self._daemon.lines()))
        assert found, self._daemon.tail()
        auths = json.loads((folder / "config.json").read_text())["auths"]
        username, _, password = b64decode(auths[found[1]]["auth"]).decode().partition(":")
        self.registry = registry.behind(int(found[2]), username, password)
        """The registry as clients of the relay see it."""

    def lines(self) -> list[str]:
        """What it said so far."""
        return self._daemon.lines()

    def stop(self) -> None:
        self._daemon.stop()
