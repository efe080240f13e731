"""BuildKit: a builder that begins with nothing, and the client that tells it what to build."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.e2e.process import Daemon, Result, run
from tests.e2e.registry import Registry
from tests.e2e.sandbox import Sandbox

START_TIMEOUT = 60.0

#: Unpacks images on any file system, and runs nothing.
OPTIONS = ("--containerd-worker=false", "--oci-worker-snapshotter=native", "--oci-worker-net=host")


class Builder:
    """buildkitd in the system's usual folders, as a sandbox of its own has them."""

    def __init__(self, folder: Path, environment: Mapping[str, str], registry: Registry) -> None:
        """Start it, for users whose credentials are where `environment` says."""
        sandbox = Sandbox(folder)
        self._environment = dict(environment)
        self._address = f"unix://{folder / 'run/buildkit/buildkitd.sock'}"
        config = sandbox.root / "etc" / "buildkit"
        config.mkdir()
        # Without being told, it takes whatever is called localhost for plain http.
        how = "http = true\n"
        if registry.certificates is not None:
            how = f'http = false\nca = ["{registry.certificates.authority}"]\n'
        (config / "buildkitd.toml").write_text(f'[registry."{registry.address}"]\n{how}')
        self._daemon = Daemon(sandbox.daemon(["buildkitd", *OPTIONS]), env=environment)
        try:
            self._daemon.wait_for("running server on", START_TIMEOUT)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._daemon.stop()

    def build(self, context: Path, output: str, *options: str) -> Result:
        """Build the folder that a Dockerfile is in."""
        return run(
            [
                *("buildctl", "--addr", self._address, "build", "--progress=plain"),
                *("--frontend", "dockerfile.v0"),
                *("--local", f"context={context}", "--local", f"dockerfile={context}"),
                *("--output", output, *options),
            ],
            env=self._environment,
        )
