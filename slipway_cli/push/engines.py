"""docker and podman: which of them has an image, and how each pushes it to a registry here."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slipway_cli.command import CommandError
from slipway_cli.output.text import clean

_LAST_WORDS = 500
"""How many characters of what an engine says are repeated."""
_AS_IT_IS: Mapping[str, str] = {}
_LOCAL = ("unix://", "npipe://", "fd://")
"""How the addresses of engines begin that run on this machine."""


class EngineFailed(CommandError):
    """An engine could not do what it was asked to."""


@dataclass(frozen=True)
class Registry:
    """A registry on this machine, as an engine is to reach it."""

    address: str
    username: str
    password: str = field(repr=False)

    @property
    def entry(self) -> dict[str, Any]:
        """The password, as the files of docker and podman keep it."""
        pair = f"{self.username}:{self.password}".encode()
        return {"auths": {self.address: {"auth": base64.b64encode(pair).decode()}}}


class Engine(ABC):
    """A program that keeps images."""

    program: str

    async def find(self, image: str) -> None:
        """Raises `EngineFailed` if it has no such image, is not installed, or does not run."""
        if shutil.which(self.program) is None:
            raise EngineFailed(f"{self.program} is not installed")
        await self._call("image", "inspect", "--format", "{{.Id}}", image)

    @abstractmethod
    async def address(self) -> str:
        """Where the engine is, if it is on another machine; else empty."""

    async def tag(self, image: str, name: str) -> None:
        """Gives an image one more name. Raises `EngineFailed`."""
        await self._call("tag", image, name)

    @abstractmethod
    async def untag(self, name: str) -> None:
        """Takes a name away; the image stays. Raises `EngineFailed`."""

    async def push(self, name: str, registry: Registry) -> None:
        """Pushes an image of that name. Raises `EngineFailed`.

        The password is in a file that nobody else can read, until it is done.
        """
        with TemporaryDirectory(prefix="slipway-") as folder:
            words, environment = self._pushing(Path(folder), registry)
            await self._call(*words, name, environment=environment)

    @abstractmethod
    def _pushing(self, folder: Path, registry: Registry) -> tuple[list[str], Mapping[str, str]]:
        """The words that push, and what the environment needs; the folder is for the password."""

    async def _call(self, *words: str, environment: Mapping[str, str] = _AS_IT_IS) -> str:
        """Runs it, and answers what it says. Raises `EngineFailed` with its last words."""
        process = await asyncio.create_subprocess_exec(
            self.program,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environment},
        )
        said, complaint = await _end_of(process)
        if process.returncode:
            text = clean(complaint.decode(errors="replace").strip())[-_LAST_WORDS:]
            raise EngineFailed(f"{self.program} {words[0]}: {text or process.returncode}")
        return said.decode(errors="replace").strip()


class Docker(Engine):
    """Docker's client, with the engine that it speaks to."""

    program = "docker"

    async def untag(self, name: str) -> None:
        """Takes a name away; the image stays. Raises `EngineFailed`."""
        await self._call("image", "rm", "--no-prune", name)

    async def address(self) -> str:
        """Where the engine is, if it is on another machine; else empty."""
        found = os.environ.get("DOCKER_HOST", "")
        if not found:
            with suppress(EngineFailed):
                found = await self._call(
                    "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"
                )
        return "" if not found or found.startswith(_LOCAL) else found

    def _pushing(self, folder: Path, registry: Registry) -> tuple[list[str], Mapping[str, str]]:
        """By a configuration of its own, which else is that of the user."""
        home = Path(os.environ.get("DOCKER_CONFIG") or Path("~/.docker").expanduser())
        kept = _object(home / "config.json")
        for name in ("auths", "credHelpers", "credsStore"):
            kept.pop(name, None)
        _write(folder / "config.json", {**kept, **registry.entry})
        if (home / "contexts").is_dir():
            (folder / "contexts").symlink_to((home / "contexts").absolute())
        certificates = os.environ.get("DOCKER_CERT_PATH") or str(home)
        environment = {"DOCKER_CONFIG": str(folder), "DOCKER_CERT_PATH": certificates}
        return ["push"], environment


class Podman(Engine):
    """podman, on Linux; elsewhere it runs in a machine of its own."""

    program = "podman"

    async def untag(self, name: str) -> None:
        """Takes a name away; the image stays. Raises `EngineFailed`."""
        await self._call("untag", name, name)  # With the image alone, it would lose all names.

    async def address(self) -> str:
        """Where the engine is, if it is on another machine; else empty."""
        with suppress(EngineFailed):
            is_remote = await self._call("info", "--format", "{{.Host.ServiceIsRemote}}")
            return "a podman machine" if is_remote == "true" else ""
        return ""

    def _pushing(self, folder: Path, registry: Registry) -> tuple[list[str], Mapping[str, str]]:
        """By a file of its own."""
        path = folder / "auth.json"
        _write(path, registry.entry)
        return ["push", "--tls-verify=false", f"--authfile={path}"], {}


ENGINES: Mapping[str, type[Engine]] = {each.program: each for each in (Docker, Podman)}


async def _end_of(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """What a program says until its end; it is ended where nobody waits for it any more."""
    try:
        said, complaint = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):  # Ctrl-C may have ended it.
            process.terminate()
        await process.wait()
        raise
    return said or b"", complaint or b""


def _object(path: Path) -> dict[str, Any]:
    """The object of JSON in a file; an empty one where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(document))
