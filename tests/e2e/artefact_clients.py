"""The tools for artefacts other than images: charts, signatures, files, and what refers to images.

Each has a home folder of its own, which is where all of them keep what they know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.images import Image
from tests.e2e.process import Result
from tests.e2e.registry import Registry
from tests.e2e.tool import Tool


class _ArtefactTool(Tool):
    #: What makes the tool talk to a registry without TLS.
    plain_http: tuple[str, ...] = ()
    #: And to one with it.
    https: tuple[str, ...] = ()

    def __init__(self, registry: Registry, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(registry, folder, {**environment, "HOME": str(folder)})

    def remote(self, *arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> Result:
        """Run a command that talks to the registry."""
        scheme = self.plain_http if self.registry.scheme == "http" else self.https
        return self.call(*arguments, *scheme, stdin=stdin, cwd=cwd)

    def _existing_image(self) -> str:
        """Name an image that is there, for a tool whose first use of its password tells."""
        repository, image = f"sign-in/{self.name}", Image(layers=[])
        self.registry.push_image(repository, "1", image)
        return f"{self.registry.address}/{repository}@{image.digest}"


class Oras(_ArtefactTool):
    name = "oras"
    refusal = "unauthorized"
    plain_http = ("--plain-http",)
    # It takes whatever is called localhost for plain http.
    https = ("--plain-http=false",)

    def sign_in(self, password: str) -> None:
        name, address = self.registry.username, self.registry.address
        options = ("--username", name, "--password-stdin")
        self.remote("login", *options, address, stdin=password.encode())

    def ask(self, *arguments: str | Path, cwd: Path | None = None) -> Any:
        """Run a command that tells in JSON what it did or found."""
        return json.loads(self.remote(*arguments, "--format", "json", cwd=cwd).stdout)

    def copy(self, source: str, target: str) -> None:
        """Copy what is in the registry with all that refers to it."""
        self.call("cp", "--recursive", "--from-plain-http", "--to-plain-http", source, target)


class Regctl(_ArtefactTool):
    name = "regctl"
    refusal = "unauthorized"

    def sign_in(self, password: str) -> None:
        name, address = self.registry.username, self.registry.address
        self.call("registry", "set", "--tls", "disabled", "--skip-check", address)
        options = ("--user", name, "--pass-stdin")
        self.call("registry", "login", *options, address, stdin=password.encode())


class Helm(_ArtefactTool):
    name = "helm"
    refusal = "401: unauthorized"
    plain_http = ("--plain-http",)

    def sign_in(self, password: str) -> None:
        name, address = self.registry.username, self.registry.address
        options = ("--username", name, "--password-stdin")
        self.remote("registry", "login", *options, address, stdin=password.encode())


class Cosign(_ArtefactTool):
    name = "cosign"
    refusal = "UNAUTHORIZED"
    plain_http = ("--allow-http-registry",)

    def __init__(self, registry: Registry, folder: Path, environment: Mapping[str, str]) -> None:
        # The one of the keys, which are the tests' own.
        super().__init__(registry, folder, {**environment, "COSIGN_PASSWORD": ""})

    def sign_in(self, password: str) -> None:
        name, address = self.registry.username, self.registry.address
        options = ("--username", name, "--password-stdin")
        self.call("login", *options, address, stdin=password.encode())
        # The login only writes the password down; using it is what tells.
        self.remote("tree", self._existing_image())

    def write(self, verb: str, key: Path, *arguments: str | Path) -> None:
        """Sign something with a key alone, without a transparency log or a look-up of one."""
        offline = ("--use-signing-config=false", "--tlog-upload=false", "--yes")
        self.remote(verb, "--key", key, *offline, *arguments)

    def check(self, verb: str, key: Path, *arguments: str | Path) -> Result:
        """Verify something by a key alone."""
        return self.remote(verb, "--key", key, "--insecure-ignore-tlog", *arguments)


class Notation(_ArtefactTool):
    name = "notation"
    refusal = "unauthorized"
    plain_http = ("--insecure-registry",)

    def sign_in(self, password: str) -> None:
        # Its login wants a keychain to write to. Scripts pass the password on, as here.
        self.environment["NOTATION_USERNAME"] = self.registry.username
        self.environment["NOTATION_PASSWORD"] = password
        self.remote("list", self._existing_image())
