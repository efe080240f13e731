"""A Kubernetes node as far as images go: containerd, asked by crictl as the kubelet asks it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.process import Command, Daemon, Result, run
from tests.e2e.sandbox import Sandbox

START_TIMEOUT = 60.0
SOCKET = "unix:///run/containerd/containerd.sock"

#: Unpacks images on any file system, unlike the default.
SNAPSHOTTER = """
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
"""


class Node:
    """containerd in the system's usual folders, as the sandbox has them."""

    def __init__(self, sandbox: Sandbox, environment: Mapping[str, str], config: str) -> None:
        self._sandbox = sandbox
        self._environment = dict(environment)
        folder = sandbox.root / "etc" / "containerd"
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text(config + SNAPSHOTTER)
        (sandbox.root / "etc" / "crictl.yaml").write_text(
            f"runtime-endpoint: {SOCKET}\nimage-endpoint: {SOCKET}\n"
        )
        self._daemon = Daemon(sandbox.daemon(["containerd"]), env=environment)
        try:
            self._daemon.wait_for("containerd successfully booted", START_TIMEOUT)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._daemon.stop()

    def trust(self, address: str, authority: Path, hosts: str) -> None:
        """Say how to reach a registry; containerd reads this at every pull."""
        folder = self._sandbox.root / "etc" / "containerd" / "certs.d" / address
        folder.mkdir(parents=True)
        (folder / "hosts.toml").write_text(hosts)
        shutil.copy(authority, folder / "ca.crt")

    def crictl(self, *arguments: str) -> Result:
        command: Command = ["crictl", *arguments]
        return run(self._sandbox.command(command), env=self._environment)

    def pull(self, reference: str, credentials: str | None = None) -> None:
        """Pull an image as `name:password`, or as nobody."""
        signed = [] if credentials is None else ["--creds", credentials]
        self.crictl("pull", *signed, reference)

    def images(self) -> list[dict[str, Any]]:
        """Return what `crictl images` tells of each local image."""
        found: list[dict[str, Any]] = json.loads(self.crictl("images", "-o", "json").stdout)[
            "images"
        ]
        return found

    def remove(self, reference: str) -> None:
        self.crictl("rmi", reference)
