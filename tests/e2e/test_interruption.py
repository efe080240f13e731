"""What breaks in the middle leaves nothing half done, and works when it is tried again."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.clients import Crane, Docker
from tests.e2e.images import Image, Layer, incompressible, tar
from tests.e2e.process import TIMEOUT, signal_group
from tests.e2e.registry import Registry

MIB = 1024 * 1024

#: Docker's progress of a layer that is on its way: so much of so much.
UNDER_WAY = re.compile(rb"Pushing\s+(\[[=> ]*\]\s+)?[0-9.]+[kM]?B/[0-9.]+MB")


class Push:
    """A push on a terminal, where Docker shows how far it is."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self._deadline = time.monotonic() + TIMEOUT
        self._shown = b""

    def wait_until_under_way(self) -> None:
        """Return while a layer is being sent."""
        while UNDER_WAY.search(self._shown) is None:
            assert self._read(), f"no layer got under way:\n{self}"

    def wait(self) -> int:
        """Return the exit status."""
        while self._read():
            pass
        return self.process.wait(TIMEOUT)

    def _read(self) -> bool:
        left = max(0.0, self._deadline - time.monotonic())
        ready, _, _ = select.select([self._terminal], [], [], left)
        assert ready, f"nothing more was shown in time:\n{self}"
        try:
            self._shown += os.read(self._terminal, 65536)
        except OSError:
            # How a terminal says that nobody writes to it any more.
            return False
        return True

    def __str__(self) -> str:
        return self._shown.decode(errors="replace")


@contextmanager
def start_push(docker: Docker, reference: str) -> Iterator[Push]:
    terminal, other_side = pty.openpty()
    command = [str(word) for word in docker.command(["push", reference])]
    with subprocess.Popen(
        command,
        env={**docker.environment, "TERM": "xterm"},
        stdin=other_side,
        stdout=other_side,
        stderr=other_side,
        start_new_session=True,
    ) as process:
        os.close(other_side)
        try:
            yield Push(process, terminal)
        finally:
            signal_group(process, signal.SIGKILL)
            os.close(terminal)


@pytest.fixture
def big_image(program: bytes, repository: str) -> Image:
    """Make an image that takes seconds to push."""
    data = tar({"data": incompressible(128 * MIB, repository)})
    return Image([Layer(tar({"bin/cat": program})), Layer(data)])


def assert_comes_back(docker: Docker, reference: str, image: Image) -> None:
    docker.remove(reference)
    docker.pull(reference)
    assert docker.config_digest(reference) == image.config_digest


def test_a_push_killed_in_the_middle_of_a_layer_leaves_no_image_and_can_be_repeated(
    docker: Docker, registry: Registry, repository: str, big_image: Image
) -> None:
    reference = f"{registry.address}/{repository}:1"
    docker.load(big_image, reference)

    with start_push(docker, reference) as push:
        push.wait_until_under_way()
        signal_group(push.process, signal.SIGKILL)
        assert push.wait() == -signal.SIGKILL
    assert not registry.has_manifest(repository, "1")

    docker.push(reference)
    assert_comes_back(docker, reference, big_image)


def test_a_push_survives_a_crash_of_the_registry_in_the_middle_of_a_layer(
    docker: Docker, registry: Registry, repository: str, big_image: Image
) -> None:
    reference = f"{registry.address}/{repository}:1"
    docker.load(big_image, reference)

    with start_push(docker, reference) as push:
        push.wait_until_under_way()
        registry.crash()
        assert push.wait() == 0, push

    assert_comes_back(docker, reference, big_image)


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
