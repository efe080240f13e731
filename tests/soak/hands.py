"""Real clients, each behind the same few verbs; all of them know content by a number.

What a number stands for is made of layers that all clients share, and one of its own. So blobs are
mounted, shared between repositories, freed by one client while another pushes them again.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.e2e.artefact_clients import Oras
from tests.e2e.clients import Docker, Podman, Skopeo
from tests.e2e.engine import Engine
from tests.e2e.images import Image, Layer, incompressible, tar
from tests.e2e.process import CommandError
from tests.e2e.registry import Registry
from tests.e2e.sandbox import Sandbox
from tests.e2e.tool import Tool

_SHARED = 16
_LARGEST = 200_000
_OWN = 20_000
_TRIES = 5


@cache
def _shared(number: int) -> Layer:
    size = 2_000 + _LARGEST * number // _SHARED
    return Layer(tar({f"shared/{number}": incompressible(size, f"shared {number}")}))


def image_of(number: int) -> Image:
    """The image of a number."""
    choose = random.Random(number)
    layers = [_shared(each) for each in choose.sample(range(_SHARED), choose.randint(1, 3))]
    own = Layer(tar({"own": incompressible(_OWN, f"own {number}")}))
    return Image([*layers, own])


class Hand(ABC):
    """One client. References are full names, as users type them."""

    name: str

    @abstractmethod
    def push(self, reference: str, number: int) -> str:
        """Pushes content by a tag; the digest of its manifest. Raises `CommandError`."""

    @abstractmethod
    def pull(self, reference: str) -> None:
        """Pulls content whole; the client checks every digest. Raises `CommandError`."""

    @abstractmethod
    def tag(self, reference: str, other: str) -> str:
        """Gives what is known by its digest a tag; the digest then. Raises `CommandError`."""

    @abstractmethod
    def delete(self, repository: str, digest: str) -> None:
        """Deletes a manifest by its digest. Raises `CommandError`, or another `AssertionError`."""


class SkopeoHand(Hand):
    """skopeo copies between folders and the registry."""

    name = "skopeo"

    def __init__(self, tool: Skopeo) -> None:
        self._tool = tool

    def push(self, reference: str, number: int) -> str:
        folder = image_of(number).write_folder(self._tool.scratch())
        try:
            return self._copy(f"dir:{folder}", reference)
        finally:
            shutil.rmtree(folder)

    def pull(self, reference: str) -> None:
        folder = self._tool.scratch()
        self._tool.copy(f"docker://{reference}", f"dir:{folder}")
        shutil.rmtree(folder)

    def tag(self, reference: str, other: str) -> str:
        return self._copy(f"docker://{reference}", other)

    def delete(self, repository: str, digest: str) -> None:
        self._tool.call("delete", "--tls-verify=false", f"docker://{repository}@{digest}")

    def _copy(self, source: str, target: str) -> str:
        told = self._tool.scratch()
        self._tool.copy(source, f"docker://{target}", f"--digestfile={told}")
        return told.read_text().strip()


class OrasHand(Hand):
    """oras pushes the same layers as files."""

    name = "oras"

    def __init__(self, tool: Oras) -> None:
        self._tool = tool

    def push(self, reference: str, number: int) -> str:
        folder = self._tool.scratch()
        folder.mkdir()
        files = []
        for place, layer in enumerate(image_of(number).layers):
            (folder / f"layer-{place}").write_bytes(layer.content)
            files.append(f"layer-{place}:application/octet-stream")
        created = "--annotation=org.opencontainers.image.created=2026-01-01T00:00:00Z"
        try:
            kind = "--artifact-type=application/vnd.example.soak"
            told = self._tool.ask("push", reference, kind, created, *files, cwd=folder)
        finally:
            shutil.rmtree(folder)
        return str(told["digest"])

    def pull(self, reference: str) -> None:
        folder = self._tool.scratch()
        folder.mkdir()
        self._tool.remote("pull", "--output", folder, reference)
        shutil.rmtree(folder)

    def tag(self, reference: str, other: str) -> str:
        self._tool.remote("tag", reference, other.rpartition(":")[2])
        return reference.rpartition("@")[2]

    def delete(self, repository: str, digest: str) -> None:
        self._tool.remote("manifest", "delete", "--force", f"{repository}@{digest}")


class EngineHand(Hand):
    """docker, or podman where no engine runs. Neither deletes from a registry: a request does."""

    def __init__(self, tool: Docker | Podman) -> None:
        self._tool = tool
        self.name = tool.name

    def push(self, reference: str, number: int) -> str:
        self._tool.load(image_of(number), reference)
        try:
            return self._push(reference)
        finally:
            self._forget(reference)

    def pull(self, reference: str) -> None:
        self._tool.pull(reference)
        self._forget(reference)

    def tag(self, reference: str, other: str) -> str:
        self._tool.pull(reference)
        try:
            self._tool.call("tag", reference, other)
            return self._push(other)
        finally:
            self._forget(reference)

    def delete(self, repository: str, digest: str) -> None:
        name = repository.partition("/")[2]
        answer = self._tool.registry.request("DELETE", f"/v2/{name}/manifests/{digest}")
        assert answer.status in (202, 404), answer

    def _push(self, reference: str) -> str:
        if isinstance(self._tool, Podman):
            told = self._tool.scratch()
            target = f"docker://{reference}"
            self._tool.call("push", "--tls-verify=false", f"--digestfile={told}", reference, target)
            return told.read_text().strip()
        said = self._tool.push(reference).text
        found = re.search(r"digest: (sha256:[0-9a-f]{64})", said)
        assert found, said
        return found[1]

    def _forget(self, reference: str) -> None:
        self._tool.remove(reference)


def hands(
    registry: Registry, workspace: Path, environment: Mapping[str, str], engine: Engine | None
) -> list[Hand]:
    """One of each client, signed in. `engine` is Docker's; without one podman takes its place."""
    folders = {name: workspace / name for name in ("engine-client", "skopeo", "oras")}
    for folder in folders.values():
        folder.mkdir()
    where = folders["engine-client"]
    built: Docker | Podman = (
        Docker(registry, where, environment, engine)
        if engine
        else Podman(registry, where, environment, "vfs")
    )
    skopeo = Skopeo(registry, folders["skopeo"], environment)
    oras = Oras(registry, folders["oras"], environment)
    for tool in (built, skopeo, oras):
        _sign_in(tool, registry.password)
    return [EngineHand(built), SkopeoHand(skopeo), OrasHand(oras)]


def _sign_in(tool: Tool, password: str) -> None:
    """Signs in, again where storage fails: clients do not try that twice by themselves."""
    for attempt in range(_TRIES):
        try:
            tool.sign_in(password)
            return
        except CommandError:
            if attempt + 1 == _TRIES:
                raise
            time.sleep(attempt + 1)


def engine_of(workspace: Path, environment: dict[str, str]) -> Engine | None:
    """A Docker Engine of this run's own, if this machine has the programs."""
    programs = ("docker", "dockerd", "containerd", "runc")
    if not all(shutil.which(each, path=environment["PATH"]) for each in programs):
        return None
    folder = workspace / "engine"
    folder.mkdir()
    return Engine(Sandbox(folder), environment)
