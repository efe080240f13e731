"""A Docker Engine of the test run's own, with the containerd that it manages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.process import Command, Daemon, run
from tests.e2e.sandbox import Sandbox

START_TIMEOUT = 60.0


class Engine:
    """dockerd without a network of its own: images are built from nothing and run without one."""

    def __init__(
        self,
        sandbox: Sandbox,
        environment: dict[str, str],
        program: str = "dockerd",
        features: Sequence[str] = (),
    ) -> None:
        root = sandbox.root
        self.docker_host = f"unix://{root / 'docker.sock'}"
        self.containerd_socket = root / "exec" / "containerd" / "containerd.sock"
        options: dict[str, str | Path] = {
            "--data-root": root / "data",
            "--exec-root": root / "exec",
            "--pidfile": root / "docker.pid",
            "--host": self.docker_host,
            "--bridge": "none",
        }
        flags = ["--iptables=false", "--ip6tables=false"]
        arguments: Command = [word for option in options.items() for word in option]
        flags += [f"--feature={feature}=true" for feature in features]
        self._daemon = Daemon(sandbox.daemon([program, *arguments, *flags]), env=environment)
        try:
            self._daemon.wait_for("API listen on", START_TIMEOUT)
            info = run(
                ["docker", "info", "--format", "{{json .}}"],
                env={**environment, "DOCKER_HOST": self.docker_host},
            )
            self.storage_driver: str = json.loads(info.stdout)["Driver"]
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._daemon.stop()
