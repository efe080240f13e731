"""Serving other machines from one: the recipe of docs/team-server.md."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.images import Image, Layer, tar
from tests.e2e.process import CommandError, Daemon, Result, run
from tests.e2e.registry import READY, ROOT, START_TIMEOUT
from tests.e2e.sandbox import Sandbox

NAME = "build.example.com"
PAGE = (ROOT / "docs/team-server.md").read_text()
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0]


@dataclass
class Machine:
    """Another machine, which knows the server by its name and trusts its authority."""

    sandbox: Sandbox
    environment: Mapping[str, str]
    address: str
    password: str

    def crane(self, *arguments: str | Path, stdin: bytes = b"") -> Result:
        return run(self.sandbox.command(["crane", *arguments]), env=self.environment, stdin=stdin)


@pytest.fixture
def machine(scratch: Path, environment: dict[str, str]) -> Iterator[Machine]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # As printed, but for what the test must not share with the developer: port, data, certificates.
    certificates, data = scratch / "certs", scratch / "data"
    certified = f"{sys.executable} -m devhost.cert --directory {certificates}"
    script = COMMANDS.replace("7071", str(port)).replace(".certs", str(certificates))
    script = script.replace("make cert NAMES=build.example.com", f"NAMES={NAME} {certified}")
    script = script.replace("make run", f"exec {sys.executable} -m devhost")
    own = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_")}
    settings = {**own, "PORT": str(port), "DATA_DIR": str(data)}
    server = Daemon(["sh", "-ec", script], env=settings, cwd=ROOT)
    try:
        server.wait_for(READY, START_TIMEOUT)
        sandbox = Sandbox(scratch / "machine")
        with (sandbox.root / "etc/hosts").open("a") as hosts:
            hosts.write(f"127.0.0.1 {NAME}\n")
        trusting = {"SSL_CERT_FILE": str(certificates / "ca.crt")}
        private = {"DOCKER_CONFIG": str(scratch / "config")}
        password = (data / "admin-password").read_text()
        address = f"{NAME}:{port}"
        yield Machine(sandbox, {**environment, **trusting, **private}, address, password)
    finally:
        server.stop()


def test_another_machine_signs_in_pushes_and_pulls_by_the_servers_name(
    machine: Machine, scratch: Path
) -> None:
    login = ("auth", "login", machine.address, "-u", "admin", "--password-stdin")
    machine.crane(*login, stdin=machine.password.encode())
    image = Image((Layer(tar({"file": b"shared"})),))
    image.write_layout(scratch / "image")
    reference = f"{machine.address}/team/app/web:v1"
    machine.crane("push", scratch / "image", reference)
    machine.crane("pull", "--format=oci", reference, scratch / "pulled")
    assert machine.crane("digest", reference).text


def test_it_does_not_start_where_passwords_would_be_sent_elsewhere(scratch: Path) -> None:
    own = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_")}
    settings = {**own, "HOST": "0.0.0.0", "PORT": "0", "DATA_DIR": str(scratch / "data")}
    with pytest.raises(CommandError, match="Set REGISTRY_LOGIN_SERVERS=<name>"):
        run([sys.executable, "-m", "devhost"], env=settings, cwd=ROOT)
    assert not (scratch / "data").exists()
