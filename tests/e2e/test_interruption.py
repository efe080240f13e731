"""What breaks in the middle leaves nothing half done, and works when it is tried again."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time

from tests.e2e.clients import Crane, Docker
from tests.e2e.images import Image, Layer, incompressible, tar
from tests.e2e.process import TIMEOUT, signal_group
from tests.e2e.registry import Registry

MIB = 1024 * 1024

#: Docker's progress bar of a layer that is on its way: so much of so much.
UNDER_WAY = re.compile(rb"Pushing\s+(\[[=> ]*\]\s+)?[0-9.]+[kM]?B/[0-9.]+MB")


def kill_in_the_middle_of_a_layer(docker: Docker, reference: str) -> None:
    """Start a push and end the client while it shows that a layer is under way."""
    terminal, other_side = pty.openpty()
    command = [str(word) for word in docker.command(["push", reference])]
    with subprocess.Popen(
        command,
        env={**docker.environment, "TERM": "xterm"},
        stdin=other_side,
        stdout=other_side,
        stderr=other_side,
        start_new_session=True,
    ) as push:
        os.close(other_side)
        shown = b""
        try:
            deadline = time.monotonic() + TIMEOUT
            while UNDER_WAY.search(shown) is None:
                ready, _, _ = select.select([terminal], [], [], deadline - time.monotonic())
                assert ready, f"no layer got under way:\n{shown.decode(errors='replace')}"
                try:
                    shown += os.read(terminal, 65536)
                except OSError:
                    raise AssertionError(f"the push ended first:\n{shown!r}") from None
        finally:
            signal_group(push, signal.SIGKILL)
            os.close(terminal)
    assert push.returncode == -signal.SIGKILL


def test_a_push_killed_in_the_middle_of_a_layer_leaves_no_image_and_can_be_repeated(
    docker: Docker, registry: Registry, repository: str, program: bytes
) -> None:
    big = tar({"data": incompressible(128 * MIB, repository)})
    image = Image([Layer(tar({"bin/cat": program})), Layer(big)])
    reference = f"{registry.address}/{repository}:1"
    docker.load(image, reference)

    kill_in_the_middle_of_a_layer(docker, reference)
    assert not registry.has_manifest(repository, "1")

    docker.push(reference)
    docker.remove(reference)
    docker.pull(reference)
    assert docker.config_digest(reference) == image.config_digest


def test_an_image_outlives_a_crash_of_the_registry(
    crane: Crane, registry: Registry, repository: str, image: Image
) -> None:
    reference = f"{registry.address}/{repository}:1"
    crane.load(image, reference)
    crane.push(reference)
    crane.remove(reference)

    registry.crash()

    crane.pull(reference)
    assert crane.manifest(reference) == image.manifest
    assert "PASS" in crane.call("validate", "--remote", reference).output
